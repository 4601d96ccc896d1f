use anyhow::{Context as _, ensure};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Files beside the connections of clients: those to Postgres and NATS, objects, pipes, and clients
/// whose connections are just being closed.
const OTHERS: u64 = 512;

/// Sees to it that so many connections can be open, which the customary limit of 1024 files does
/// not allow.
pub fn allow_for(connections: u32) -> anyhow::Result<()> {
    let needed = u64::from(connections) + OTHERS;
    let limit = getrlimit(Resource::Nofile);
    let most = limit.maximum.unwrap_or(u64::MAX);
    ensure!(
        needed <= most,
        "server.max_connections is {connections}, with which {needed} files may be open, and this \
         process may open {most}: lower the setting or raise the limit (`ulimit -Hn`, LimitNOFILE)"
    );
    if limit.current.is_some_and(|current| current < needed) {
        let raised = Rlimit { current: Some(needed), ..limit };
        setrlimit(Resource::Nofile, raised).context("the limit of open files cannot be raised")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_that_is_too_low_is_raised_and_one_that_cannot_be_is_told() {
        let before = getrlimit(Resource::Nofile);
        let low = Rlimit { current: Some(600), ..before };
        setrlimit(Resource::Nofile, low).unwrap();
        allow_for(100).unwrap();
        assert_eq!(getrlimit(Resource::Nofile).current, Some(612));
        setrlimit(Resource::Nofile, before).unwrap();
        if before.maximum.is_some_and(|most| most < u64::from(u32::MAX)) {
            let told = allow_for(u32::MAX).unwrap_err().to_string();
            assert!(told.contains("server.max_connections is 4294967295"), "{told}");
        }
    }
}

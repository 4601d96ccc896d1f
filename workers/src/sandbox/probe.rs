use std::process::Stdio;

use super::bubblewrap::{Identity, Walls};
use super::hierarchy::Hierarchy;
use super::{Reason, Sandbox, Unavailable};

/// The strongest walls in which `true` runs. The reason of a failure is that of the last try.
pub(super) async fn walls(groups: Option<&Hierarchy>) -> Result<Walls, Unavailable> {
    let program = Walls::find().ok_or_else(|| {
        Unavailable("bubblewrap is not installed; install the package `bubblewrap`".to_owned())
    })?;
    let help = tokio::process::Command::new(&program)
        .arg("--help")
        .env_clear()
        .stdin(Stdio::null())
        .output()
        .await
        .map_err(|error| Unavailable(format!("{} does not start: {error}", program.display())))?;
    let help = String::from_utf8_lossy(&help.stdout);
    let identities: &[Identity] = if rustix::process::geteuid().is_root() {
        &[Identity::StagedNobody, Identity::DroppedNobody]
    } else {
        &[Identity::Own]
    };
    let mut failure = Unavailable(String::new());
    for identity in identities {
        let walls = Walls::new(program.clone(), *identity, &help);
        for walls in [walls.clone(), walls.without_disabled_userns()] {
            match runs(&walls, groups).await {
                Ok(()) => return Ok(walls),
                Err(reason) => failure = reason,
            }
        }
    }
    Err(failure)
}

pub(super) async fn runs(walls: &Walls, groups: Option<&Hierarchy>) -> Result<(), Unavailable> {
    let sandbox = Sandbox::new(Some(walls.clone()), groups.cloned(), None);
    let running = sandbox.command("true").spawn().map_err(|error| {
        let source = std::error::Error::source(&error).map(ToString::to_string);
        Unavailable(format!("{error}: {}", source.unwrap_or_default()))
    })?;
    let output = running.output().await;
    if output.exit.reason == Reason::Exited(0) {
        return Ok(());
    }
    Err(Unavailable(format!(
        "bubblewrap could not run a program ({}): {}; user namespaces may be switched off, see \
         kernel.unprivileged_userns_clone, kernel.apparmor_restrict_unprivileged_userns and \
         user.max_user_namespaces",
        output.exit.reason,
        output.stderr.trim()
    )))
}

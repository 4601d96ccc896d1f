use std::path::PathBuf;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::Error;

const FIRST_BACKOFF: Duration = Duration::from_millis(200);
const LONGEST_BACKOFF: Duration = Duration::from_secs(10);
/// A server that ran this long had recovered: its restarts are counted afresh.
const RECOVERED_AFTER: Duration = Duration::from_secs(60);

pub trait Supervised {
    const PROGRAM: &'static str;
    async fn exited(&self) -> String;
    async fn restart(&mut self) -> Result<(), Error>;
    fn log(&self) -> PathBuf;
}

/// Restarts the server whenever it ends, and returns when it ended more than `restarts` times in a
/// row. Safe to drop at any point: stop the server afterwards.
pub async fn supervise(server: &mut impl Supervised, restarts: u32) -> Error {
    let program = supervised_program(server);
    let mut in_a_row = 0;
    loop {
        let since = Instant::now();
        let mut status = server.exited().await;
        if since.elapsed() > RECOVERED_AFTER {
            in_a_row = 0;
        }
        loop {
            if in_a_row == restarts {
                return Error::KeepsEnding { program, status, restarts, log: server.log() };
            }
            sleep(LONGEST_BACKOFF.min(FIRST_BACKOFF * 2_u32.saturating_pow(in_a_row))).await;
            in_a_row += 1;
            tracing::warn!(
                program,
                status,
                restart = in_a_row,
                "a server ended and is started again"
            );
            match server.restart().await {
                Ok(()) => break,
                Err(error) => status = error.to_string(),
            }
        }
    }
}

fn supervised_program<S: Supervised>(_: &S) -> &'static str {
    S::PROGRAM
}

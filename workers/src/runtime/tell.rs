use std::time::Duration;

use domain::Decide;
use journal::{AppendError, Context, ExecuteError, Journal, LoadError};
use tokio_util::sync::CancellationToken;

/// First pause before a command is tried again; it doubles up to the second.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("{0}")]
    Refused(String),
    #[error("the log could not be reached before the attempt was ended")]
    GaveUp,
    #[error("{0}")]
    Broken(String),
}

/// Carries out a command, again and again while the log cannot be reached and nobody gives up.
pub(crate) async fn tell<A: Decide>(
    journal: &Journal,
    context: &Context,
    id: &str,
    command: A::Command,
    give_up: &CancellationToken,
) -> Result<(), Error> {
    let mut pause = FIRST_PAUSE;
    loop {
        let error = match journal.execute::<A>(context, id, command.clone()).await {
            Ok(_) => return Ok(()),
            Err(ExecuteError::Refused(refusal)) => return Err(Error::Refused(refusal.to_string())),
            Err(error) if is_passing(&error) => error,
            Err(error) => return Err(Error::Broken(error.to_string())),
        };
        tracing::warn!(error = %error, aggregate = A::TYPE, id, "the log cannot be reached; trying again");
        tokio::select! {
            () = give_up.cancelled() => return Err(Error::GaveUp),
            () = tokio::time::sleep(pause) => pause = (pause * 2).min(LONGEST_PAUSE),
        }
    }
}

fn is_passing<E: std::error::Error>(error: &ExecuteError<E>) -> bool {
    if let ExecuteError::Personal(error) = error {
        return error.is_passing();
    }
    matches!(
        error,
        ExecuteError::Append(
            AppendError::Database(_) | AppendError::Overloaded | AppendError::Conflict { .. }
        ) | ExecuteError::Load(LoadError::Database(_) | LoadError::Repository { .. })
    )
}

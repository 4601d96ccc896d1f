use std::process::ExitCode;

use crate::{cli::RelayCommand, config::Config, installation::Operator};

pub async fn run(config: &Config, command: RelayCommand) -> anyhow::Result<ExitCode> {
    Operator::with(config, async |operator| dispatch(operator, command).await).await
}

async fn dispatch(operator: &Operator, command: RelayCommand) -> anyhow::Result<ExitCode> {
    match command {
        RelayCommand::Status => {
            let status =
                journal::relay::status(operator.journal(), &operator.installation.bus).await?;
            println!("log     {}", status.log_id);
            println!("epoch   {}", status.epoch);
            println!("head    {}", status.head);
            match status.last {
                Some(last) => {
                    println!("stream  {last} ({} behind)", status.head.saturating_sub(last))
                }
                None => println!("stream  not there yet"),
            }
            if let Some(broken) = status.broken {
                println!("broken  {broken}; a running relay makes the stream again");
            }
            match status.refusal {
                Some(refusal) => {
                    println!("refusal {refusal}");
                    Ok(ExitCode::FAILURE)
                }
                None => Ok(ExitCode::SUCCESS),
            }
        }
        RelayCommand::Rebuild => {
            let epoch =
                journal::relay::rebuild(operator.journal(), &operator.installation.bus).await?;
            println!("the stream begins anew under epoch {epoch}; running relays fill it");
            Ok(ExitCode::SUCCESS)
        }
    }
}

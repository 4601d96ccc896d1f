use std::process::ExitCode;

use crate::{cli::RelayCommand, config::Config, installation::Operator};

pub async fn run(config: &Config, command: RelayCommand) -> anyhow::Result<ExitCode> {
    let operator = Operator::open(config).await?;
    let bus = operator.bus(config).await?;
    let code = match command {
        RelayCommand::Status => {
            let status = journal::relay::status(&operator.journal, &bus).await?;
            println!("log     {}", status.log_id);
            println!("epoch   {}", status.epoch);
            println!("head    {}", status.head);
            match status.last {
                Some(last) => {
                    println!("stream  {last} ({} behind)", status.head.saturating_sub(last))
                }
                None => println!("stream  not there yet"),
            }
            match status.refusal {
                Some(refusal) => {
                    println!("refusal {refusal}");
                    ExitCode::FAILURE
                }
                None => ExitCode::SUCCESS,
            }
        }
        RelayCommand::Rebuild => {
            let epoch = journal::relay::rebuild(&operator.journal, &bus).await?;
            println!("the stream begins anew under epoch {epoch}; running relays fill it");
            ExitCode::SUCCESS
        }
    };
    operator.close().await;
    Ok(code)
}

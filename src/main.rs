use std::process::ExitCode;

use clap::Parser;
use millrace::{
    cli::{Cli, Command},
    commands,
};

/// Commands are many small allocations, made on one thread and freed on another: the system's
/// allocator took a third of the time of the front end.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match cli.command {
        // An engine runs inside the sandbox, with its own small runtime or none.
        Command::Engine => commands::engine::run(),
        command => commands::run(cli.config.as_deref(), command),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            eprintln!("millrace: {error:#}");
            ExitCode::FAILURE
        }
    }
}

use std::process::ExitCode;

use crate::{cli::SchemasArgs, schemas};

pub fn run(arguments: &SchemasArgs) -> anyhow::Result<ExitCode> {
    let files = schemas::generate()?;
    if !arguments.check {
        schemas::write(&arguments.folder, &files)?;
        println!("{} documents in {}", files.len(), arguments.folder.display());
        return Ok(ExitCode::SUCCESS);
    }
    let outdated = schemas::outdated(&arguments.folder, &files)?;
    if outdated.is_empty() {
        println!("{} documents are current", files.len());
        return Ok(ExitCode::SUCCESS);
    }
    for path in outdated {
        eprintln!("{} is not what the code generates", path.display());
    }
    eprintln!("run `millrace schemas` and commit what it changes");
    Ok(ExitCode::FAILURE)
}

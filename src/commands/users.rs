use std::{
    fs::File,
    io::{self, BufRead, BufReader},
    path::Path,
    process::ExitCode,
};

use anyhow::{Context as _, bail};
use credentials::password::Scheme;
use domain::{
    Pii,
    ids::UserId,
    users::{Import, User, UserCommand, own_organization},
};
use futures::{StreamExt, stream};
use journal::{AppendError, ExecuteError, Journal};
use serde::Deserialize;
use vault::NormalEmail;

use crate::{cli::UsersCommand, config::Config, first_start, installation::Operator};

/// Accounts made at the same time.
const AT_ONCE: usize = 32;

/// A line of the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Account {
    email: String,
    name: Option<String>,
    password_hash: Option<String>,
    #[serde(default)]
    email_verified: bool,
}

enum Outcome {
    Made,
    Known,
}

pub async fn run(config: &Config, command: UsersCommand) -> anyhow::Result<ExitCode> {
    let UsersCommand::Import { file } = command;
    Operator::with(config, async |operator| import(operator.journal(), &file).await).await
}

/// What is wrong with a line is told by its number: the lines are personal.
async fn import(journal: &Journal, file: &Path) -> anyhow::Result<ExitCode> {
    let about = || file.display().to_string();
    let lines = BufReader::new(File::open(file).with_context(about)?).lines();
    let lines =
        (1..).zip(lines).filter(|(_, line)| !matches!(line, Ok(line) if line.trim().is_empty()));
    let mut outcomes = stream::iter(lines)
        .map(|(number, line): (u64, _)| async move { (number, take(journal, line).await) })
        .buffered(AT_ONCE);
    let (mut made, mut known, mut refused) = (0_u64, 0_u64, 0_u64);
    while let Some((number, outcome)) = outcomes.next().await {
        match outcome {
            Ok(Outcome::Made) => made += 1,
            Ok(Outcome::Known) => known += 1,
            Err(error) if is_end(&error) => return Err(error).with_context(about),
            Err(error) => {
                refused += 1;
                eprintln!("line {number}: {error:#}");
            }
        }
    }
    println!("{made} imported, {known} there already, {refused} refused");
    Ok(if refused == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Whether nothing more can be read of the file. A line that is no text is only that.
fn is_end(error: &anyhow::Error) -> bool {
    let error = error.downcast_ref::<io::Error>();
    error.is_some_and(|error| error.kind() != io::ErrorKind::InvalidData)
}

async fn take(journal: &Journal, line: io::Result<String>) -> anyhow::Result<Outcome> {
    let account = match serde_json::from_str::<Account>(&line?) {
        Ok(account) => account,
        Err(error) if error.is_data() => bail!("it is no account, at column {}", error.column()),
        Err(error) => bail!("it is not JSON, at column {}", error.column()),
    };
    let Account { email, name, password_hash, email_verified } = account;
    let email: NormalEmail = email.parse()?;
    password_hash.as_deref().map(Scheme::check).transpose()?;
    let clock = journal.clock();
    let user_id = UserId::from_uuid(clock.new_id());
    let import = Import {
        user_id,
        email_index: journal.secret()?.blind_index().email(&email).to_string(),
        email: Pii::plain(email.as_str().to_owned()),
        name: name.map(Pii::plain),
        password_hash: password_hash.map(Pii::plain),
        email_verified,
        nonce: clock.new_id().to_string(),
    };
    let command = UserCommand::Import(Box::new(import), clock.now());
    let context = first_start::operator(journal, own_organization(user_id));
    match journal.execute::<User>(&context, &user_id.to_string(), command).await {
        Ok(_) => Ok(Outcome::Made),
        Err(ExecuteError::Append(AppendError::Claimed { .. })) => Ok(Outcome::Known),
        Err(error) => Err(error.into()),
    }
}

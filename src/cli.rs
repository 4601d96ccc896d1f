use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// A multi-tenant platform backend on one append-only log.
#[derive(Debug, Parser)]
#[command(name = "millrace", version, max_term_width = 100)]
pub struct Cli {
    /// Configuration file; `millrace.toml` of the working directory when left out.
    #[arg(long, global = true, env = "MILLRACE_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run everything in one process, with a private Postgres and nats-server unless others are
    /// configured.
    Up,
    /// Run some roles against configured servers.
    Serve(ServeArgs),
    /// Bring the database schema up to date.
    Migrate,
    /// Show and rebuild the read models.
    #[command(subcommand)]
    Projections(ProjectionsCommand),
    /// Show, replay and discard events that a read model could not apply.
    #[command(subcommand)]
    DeadLetters(DeadLettersCommand),
    /// Show mails that were not sent yet, and have them tried again.
    #[command(subcommand)]
    Outbox(OutboxCommand),
    /// Show or rebuild the copy of the log on JetStream.
    #[command(subcommand)]
    Relay(RelayCommand),
    /// Create and list organisations.
    #[command(subcommand)]
    Organizations(OrganizationsCommand),
    /// Issue, list and revoke API keys.
    #[command(subcommand)]
    Keys(KeysCommand),
    /// Bring people over from elsewhere.
    #[command(subcommand)]
    Users(UsersCommand),
    /// Show and change the master key, under which the keys of personal data are wrapped.
    #[command(subcommand)]
    Vault(VaultCommand),
    /// Load advisory data for the dependencies engine.
    #[command(subcommand)]
    Advisories(AdvisoriesCommand),
    /// Measure the configured servers, or private ones, each figure beside their raw limit.
    Bench(BenchArgs),
    /// Print the values in force, with secrets masked.
    Config,
    /// Generate the documents under `schemas/`.
    Schemas(SchemasArgs),
    /// Scan this repository and a weak website, from an empty installation.
    Demo(DemoArgs),
    /// Run one engine; what a worker starts inside the sandbox.
    #[command(hide = true)]
    Engine,
}

#[derive(Debug, Args)]
pub struct ServeArgs {
    /// Roles of this process.
    #[arg(long, value_delimiter = ',', required = true)]
    pub roles: Vec<Role>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, ValueEnum)]
pub enum Role {
    /// The HTTP front end.
    Api,
    /// Copies the log to JetStream.
    Relay,
    /// Keeps the read models.
    Projector,
    /// Releases jobs to the workers and repairs what was lost.
    Dispatcher,
    /// Runs jobs.
    Worker,
    /// Sends mails, and destroys the keys of erased people.
    Outbox,
}

impl Role {
    pub const ALL: [Self; 6] =
        [Self::Api, Self::Relay, Self::Projector, Self::Dispatcher, Self::Worker, Self::Outbox];
}

#[derive(Debug, Subcommand)]
pub enum ProjectionsCommand {
    /// Every generation with its status and progress.
    List,
    /// Build a new generation beside the live one and compare the two.
    Rebuild { name: String },
    /// Let the rebuilt generation answer; the former one stays for a rollback.
    Switch {
        name: String,
        /// Also when its rows are not those of the former one.
        #[arg(long)]
        accept_differences: bool,
    },
    /// Let the former generation answer again.
    Rollback { name: String },
    /// Drop the generation that is kept for a rollback, or all of an older version of the code.
    Drop {
        name: String,
        #[arg(long)]
        version: Option<i32>,
    },
    /// Give up a rebuild that does not answer yet.
    Cancel { name: String },
}

#[derive(Debug, Subcommand)]
pub enum DeadLettersCommand {
    List {
        #[arg(long)]
        projection: Option<String>,
    },
    Show {
        projection: String,
        position: u64,
    },
    /// Apply an event again, and then those that wait behind it.
    Replay {
        projection: String,
        position: u64,
    },
    /// Give up one event for one read model; those behind it are applied.
    Discard {
        projection: String,
        position: u64,
    },
}

#[derive(Debug, Subcommand)]
pub enum OutboxCommand {
    List {
        /// Only what was given up.
        #[arg(long)]
        dead: bool,
    },
    /// Try one again at once, or all that were given up.
    Retry { position: Option<u64> },
    /// Leave one that was given up undone for good.
    Discard { position: u64 },
}

#[derive(Debug, Subcommand)]
pub enum RelayCommand {
    Status,
    /// Give up the stream and make it again from the log, under the next epoch.
    Rebuild,
}

#[derive(Debug, Subcommand)]
pub enum OrganizationsCommand {
    Create {
        #[arg(long)]
        name: String,
        #[arg(long)]
        slug: String,
    },
    List,
}

#[derive(Debug, Subcommand)]
pub enum KeysCommand {
    /// Issue a key and print it, once.
    Issue {
        /// Id of the organisation.
        #[arg(long)]
        organization: domain::ids::OrganizationId,
        #[arg(long)]
        name: String,
        /// Actions that it may ask for, separated by commas: `scans:read`, `scans:*`, `*`.
        #[arg(long, value_delimiter = ',', default_value = domain::organizations::EVERYTHING)]
        scopes: Vec<String>,
        /// When it ends by itself, such as 2027-01-31T12:00:00Z.
        #[arg(long)]
        expires: Option<domain::Timestamp>,
        /// A limit of its own, in place of the installation's.
        #[arg(long)]
        requests_per_minute: Option<u32>,
        /// Let it do over HTTP what concerns the whole installation, and see the dead letters of
        /// every organisation.
        #[arg(long)]
        platform: bool,
        /// File with the public half of an Ed25519 key, in PEM form or as base64. Every request of the
        /// key has to be signed with the other half (RFC 9421).
        #[arg(long, value_name = "FILE")]
        signing_key: Option<PathBuf>,
    },
    List {
        #[arg(long)]
        organization: domain::ids::OrganizationId,
    },
    /// Let the next key sign access tokens; those of the former key are taken until they expire.
    RotateSigning,
    Revoke {
        #[arg(long)]
        organization: domain::ids::OrganizationId,
        key: domain::ids::ApiKeyId,
    },
}

#[derive(Debug, Subcommand)]
pub enum UsersCommand {
    /// Make accounts of those in a file, a JSON object in each line: `email`, and if known `name`,
    /// `password_hash` (Argon2id or bcrypt) and `email_verified`. An address that has an account is left
    /// alone, so that the same file can be given again.
    Import { file: PathBuf },
}

#[derive(Debug, Subcommand)]
pub enum VaultCommand {
    /// The master keys at hand, and how many keys each one wraps.
    Status,
    /// Make a new master key in the file and wrap every key under it, while everything runs.
    Rotate,
    /// Wrap every key under the first of the master keys that are configured.
    Rewrap,
    /// Leave the former master keys out of the file, once nothing is wrapped under them. Copies of the
    /// database from before cannot be read with what is left.
    Forget,
}

#[derive(Debug, Subcommand)]
pub enum AdvisoriesCommand {
    /// Replace the advisory data by OSV files from a folder, a zip file or the address of one.
    Import { source: String },
}

#[derive(Debug, Args)]
pub struct SchemasArgs {
    #[arg(long, default_value = "schemas")]
    pub folder: PathBuf,
    /// Write nothing; fail when a document is not what it should be.
    #[arg(long)]
    pub check: bool,
}

#[derive(Debug, Args)]
pub struct DemoArgs {
    /// The repository to scan.
    #[arg(long, default_value = ".")]
    pub repository: PathBuf,
    /// End after the scans, with status 0 only when they found what they should.
    #[arg(long)]
    pub exit: bool,
}

#[derive(Debug, Args)]
pub struct BenchArgs {
    /// What to measure; everything when left out.
    pub benchmark: Option<Benchmark>,
    /// Print one JSON document.
    #[arg(long)]
    pub json: bool,
    /// Length of a round.
    #[arg(long, default_value_t = 3.0)]
    pub seconds: f64,
    /// Rounds that count, after one that warms up.
    #[arg(long, default_value_t = 3)]
    pub rounds: usize,
    /// Events of a history that is relayed, projected or rebuilt.
    #[arg(long, default_value_t = 200_000)]
    pub events: u64,
    /// Events in the data directory of `start`.
    #[arg(long, default_value_t = 1_000_000)]
    pub start_events: u64,
    /// Let `growth` go on to ten million events.
    #[arg(long)]
    pub large: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Benchmark {
    /// Commands without HTTP.
    Append,
    /// Commands through HTTP.
    Http,
    /// Sessions that go on, through HTTP.
    Refresh,
    /// Events onto JetStream.
    Relay,
    /// Read models that catch up.
    Projection,
    /// Read models built beside the live ones.
    Rebuild,
    /// From a command to those who wait for it.
    Latency,
    /// Decisions on who may do what.
    Access,
    /// `up` on a data directory with a history.
    Start,
    /// The first four with longer and longer histories.
    Growth,
}

impl Benchmark {
    pub const ALL: [Self; 10] = [
        Self::Append,
        Self::Http,
        Self::Refresh,
        Self::Relay,
        Self::Projection,
        Self::Rebuild,
        Self::Latency,
        Self::Access,
        Self::Start,
        Self::Growth,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Append => "append",
            Self::Http => "http",
            Self::Refresh => "refresh",
            Self::Relay => "relay",
            Self::Projection => "projection",
            Self::Rebuild => "rebuild",
            Self::Latency => "latency",
            Self::Access => "access",
            Self::Start => "start",
            Self::Growth => "growth",
        }
    }
}

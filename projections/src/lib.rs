//! Read models: fold events into tables, answer queries.
//!
//! A read model is a folder with its `NAME` and `VERSION`, its `schema.sql`, a fold and queries.
//! The runner feeds each build ("generation") of each read model from the log, rows and checkpoint
//! in one transaction. Nothing here has an effect outside the tables, so every view can be built
//! again at any time.

pub mod address_blocks;
pub mod audit;
mod columns;
mod cursor;
pub mod dead_letters;
mod event;
mod fault;
mod generation;
pub mod jobs;
pub mod organizations;
mod projection;
mod query;
mod rebuild;
mod runner;
pub mod scans;
pub mod sessions;
pub mod users;
mod view;

pub use cursor::BadCursor;
pub use generation::{Generation, Status, list, prepare};
pub use query::{MAX_LIMIT, Page, QueryError, Reach, Slice, TenantScope};
pub use rebuild::{
    Comparison, Differences, LEVEL_WAIT, RebuildError, TableComparison, Terms, cancel_rebuild,
    compare, drop_standby, drop_version, rebuild, rollback, switch,
};
pub use runner::{RunOptions, run};
pub use view::{MAX_WAIT, View, ViewError, Views};

/// Every read model of the house.
const PROJECTIONS: &[&dyn projection::Projection] = &[
    &organizations::Organizations,
    &scans::Scans,
    &jobs::Jobs,
    &users::Users,
    &sessions::Sessions,
    &address_blocks::AddressBlocks,
    &audit::Audit,
];

/// The name of every read model, with the version of the code that folds it.
pub fn versions() -> impl Iterator<Item = (&'static str, i32)> {
    PROJECTIONS.iter().map(|projection| (projection.name(), projection.version()))
}

//! Advisories about packages, imported from files in the OSV format.
//!
//! A store is a folder: for each ecosystem one file of advisories sorted by package and one that
//! says where those of a package stand, and `manifest.json`, which names them. An import writes
//! new files and then replaces the manifest, so a reader sees the old advisories or the new ones.

mod ecosystem;
mod import;
mod osv;
mod source;
mod store;
#[cfg(test)]
mod tests;
mod writer;

pub use ecosystem::Ecosystem;
pub use import::{ImportError, ImportReport, import};
pub use osv::{Advisory, Affected, Event, Range, RangeKind, Score};
pub use store::{Advisories, Manifest, StoreError, Stored};

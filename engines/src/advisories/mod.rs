//! Advisories about packages, imported from files in the OSV format.
//!
//! A store is a folder: for each ecosystem one file of advisories sorted by package, one that says
//! where those of a package stand, and a manifest, `<ecosystem>.json`, which names both. A file's
//! name holds a part of its digest, so its content never changes, and the manifest is written last:
//! a reader sees the old advisories or the new ones.

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
pub use store::{Advisories, Files, StoreError, Stored};

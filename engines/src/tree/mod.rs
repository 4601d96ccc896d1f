//! Reading a tree of files that somebody else made.
//!
//! Every file and folder is opened relative to the open folder that holds it, and a symbolic link
//! is never followed, so nothing outside the root is read even while the tree is being changed.
//! Only regular files are read. What is left out is counted and told, never silently dropped.

mod left_out;
mod name;
#[cfg(test)]
mod tests;
mod walk;

pub use left_out::{LeftOut, Reason};
pub use name::show as show_name;
pub use walk::{Selection, Tree, TreeLimits};

//! The kinds of credentials that are known.
//!
//! A more telling rule stands before a broader one: where two match the same text, the first wins.

mod cloud;
mod code;
mod data;
mod generic;
mod services;

use super::rule::Rule;

/// All rules, the broadest last.
pub fn all() -> impl Iterator<Item = &'static Rule> {
    [cloud::RULES, code::RULES, services::RULES, data::RULES, generic::RULES].into_iter().flatten()
}

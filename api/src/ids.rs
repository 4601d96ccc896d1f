use std::str::FromStr;

use crate::problem::Problem;

/// The id that a request names. What is not an id is the id of nothing.
pub(crate) fn parse_id<T: FromStr>(text: &str) -> Result<T, Problem> {
    text.parse().map_err(|_| Problem::not_found())
}

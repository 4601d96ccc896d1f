use std::{fmt, str::FromStr};

/// A read model and the position of the event that it misses: `scans-17`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LetterId {
    pub projection: String,
    pub position: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an id of a dead letter is the name of a view and a position, such as `scans-17`")]
pub struct BadLetterId;

impl LetterId {
    pub fn new(projection: impl Into<String>, position: u64) -> Self {
        Self { projection: projection.into(), position }
    }
}

impl fmt::Display for LetterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.projection, self.position)
    }
}

impl FromStr for LetterId {
    type Err = BadLetterId;

    /// One letter has one id: what is not written as [`fmt::Display`] writes it is refused.
    fn from_str(text: &str) -> Result<Self, BadLetterId> {
        let (projection, position) = text.split_once('-').ok_or(BadLetterId)?;
        let id = Self::new(projection, position.parse().map_err(|_| BadLetterId)?);
        let is_name = |c: char| c.is_ascii_lowercase() || c == '_';
        let fits = i64::try_from(id.position).is_ok()
            && !projection.is_empty()
            && projection.chars().all(is_name)
            && id.to_string() == text;
        if fits { Ok(id) } else { Err(BadLetterId) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_comes_back_as_it_was_written_and_nothing_else_is_one() {
        let id = LetterId::new("scans", 17);
        assert_eq!(id.to_string().parse(), Ok(id));
        for bad in [
            "",
            "scans",
            "scans-",
            "-17",
            "scans-017",
            "scans-+17",
            "scans--17",
            "Scans-17",
            "scans\0-17",
            "scans-9223372036854775808",
            "scan_01h455vb4pex5vsknk084sn02q",
        ] {
            assert_eq!(bad.parse::<LetterId>(), Err(BadLetterId), "{bad}");
        }
    }
}

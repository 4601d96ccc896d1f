use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;

/// What is scanned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Target {
    /// A git repository, or a folder of the worker's machine that the operator allowed.
    Repository {
        #[serde(flatten)]
        source: RepositorySource,
    },
    Website {
        url: String,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RepositorySource {
    /// `https://` or `http://`, cloned by the worker.
    Url(String),
    /// An absolute path on the worker's machine.
    Path(String),
}

#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Engine {
    Secrets,
    Dependencies,
    Website,
}

/// How thorough a scan is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Profile {
    /// The present state of the target.
    #[default]
    Quick,
    /// Also the history of a repository and the rarer probes of a website.
    Full,
}

/// How an engine ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EngineOutcome {
    /// It looked at everything it should.
    Completed,
    /// It found what it found, but could not look at everything: see its warnings.
    Partial,
    /// It could not do its work: see its warnings.
    Failed,
}

/// Something a reader of the result must know to judge it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Warning {
    /// Stable, for programs: `advisories-missing`, `file-too-large`.
    pub code: String,
    /// For people.
    pub message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine: Option<Engine>,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    #[error("the url of the target is not a valid URL: {0}")]
    NotAUrl(String),
    #[error("the url of the target has the scheme `{0}`; only https and http can be scanned")]
    Scheme(String),
    #[error(
        "the url of the target carries a user name or password; they would be kept for ever in the history of the scan, so leave them out"
    )]
    Credentials,
    #[error(
        "the path of the target must be absolute, without `.` or `..` parts and without control characters"
    )]
    Path,
    #[error("the target is longer than {MAX_TARGET_BYTES} bytes")]
    TooLong,
}

/// Longest URL or path taken; common servers refuse longer request lines.
const MAX_TARGET_BYTES: usize = 4096;

impl Engine {
    pub const ALL: [Self; 3] = [Self::Secrets, Self::Dependencies, Self::Website];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Secrets => "secrets",
            Self::Dependencies => "dependencies",
            Self::Website => "website",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|engine| engine.as_str() == text)
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Target {
    /// The engines that can look at this kind of target.
    pub fn engines(&self) -> &'static [Engine] {
        match self {
            Self::Repository { .. } => &[Engine::Secrets, Engine::Dependencies],
            Self::Website { .. } => &[Engine::Website],
        }
    }

    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Repository { .. } => "repository",
            Self::Website { .. } => "website",
        }
    }

    /// The address or path, for people.
    pub fn display(&self) -> &str {
        match self {
            Self::Repository { source: RepositorySource::Url(url) } | Self::Website { url } => url,
            Self::Repository { source: RepositorySource::Path(path) } => path,
        }
    }

    pub fn validate(&self) -> Result<(), TargetError> {
        if self.display().len() > MAX_TARGET_BYTES {
            return Err(TargetError::TooLong);
        }
        match self {
            Self::Repository { source: RepositorySource::Path(path) } => validate_path(path),
            Self::Repository { source: RepositorySource::Url(url) } | Self::Website { url } => {
                validate_url(url)
            }
        }
    }
}

fn validate_path(path: &str) -> Result<(), TargetError> {
    let clean = path.starts_with('/')
        && !path.chars().any(char::is_control)
        && !path.split('/').any(|part| part == ".." || part == ".");
    if clean { Ok(()) } else { Err(TargetError::Path) }
}

fn validate_url(text: &str) -> Result<(), TargetError> {
    // The parser drops or encodes these, but the text is kept as it was given.
    if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(TargetError::NotAUrl("it has white space or control characters".to_owned()));
    }
    let url = Url::parse(text).map_err(|error| TargetError::NotAUrl(error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(TargetError::Scheme(url.scheme().to_owned()));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(TargetError::Credentials);
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err(TargetError::NotAUrl("it names no host".to_owned()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_keeps_the_form_it_was_given_in() {
        for json in [
            r#"{"kind":"repository","url":"https://git.example/a"}"#,
            r#"{"kind":"repository","path":"/srv/code"}"#,
            r#"{"kind":"website","url":"https://example.com/"}"#,
        ] {
            let target: Target = serde_json::from_str(json).unwrap();
            assert_eq!(serde_json::to_string(&target).unwrap(), json);
            assert_eq!(target.validate(), Ok(()));
        }
    }
}

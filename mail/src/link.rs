use std::fmt;
use std::str::FromStr;

use url::Url;

/// A link in a mail. Whoever has it can use it, so `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Link(Url);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the link of a mail must be an http or https address with a host and without a user")]
pub struct LinkError;

impl FromStr for Link {
    type Err = LinkError;

    fn from_str(text: &str) -> Result<Self, LinkError> {
        text.parse::<Url>().map_err(|_| LinkError)?.try_into()
    }
}

impl TryFrom<Url> for Link {
    type Error = LinkError;

    fn try_from(url: Url) -> Result<Self, LinkError> {
        let web = matches!(url.scheme(), "http" | "https") && url.has_host();
        let named = !url.username().is_empty() || url.password().is_some();
        if web && !named { Ok(Self(url)) } else { Err(LinkError) }
    }
}

impl Link {
    pub fn expose(&self) -> &str {
        self.0.as_str()
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<link>")
    }
}

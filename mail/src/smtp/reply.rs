use std::error::Error as _;

use lettre::transport::smtp::Error as SmtpError;

use super::options::Server;
use crate::Error;

const MAX_CHARS: usize = 300;
/// Longer words may be a link's secret; those of links here have 40 characters and more.
const MAX_WORD: usize = 32;
/// Shorter ones are in many words, and say little by themselves.
const MIN_USER: usize = 3;
const HIDDEN: &str = "***";

/// Up to the mail itself every fault is the server's, the way's or the operator's, and none of the
/// recipient's: an expired password must not cost a mail.
pub fn unreachable(server: &Server, error: &SmtpError) -> Error {
    Error::Retry(format!("{server} cannot be used: {}", shown(error, None)))
}

/// With 5xx the server says that it will never take this mail, except where it asks for a login.
pub fn refused(server: &Server, error: &SmtpError, user: &str) -> Error {
    let reason = format!("{server} did not take it: {}", shown(error, Some(user)));
    let code = error.status().map(u16::from);
    let wants_login = matches!(code, Some(530 | 534 | 535 | 538));
    if (error.is_permanent() && !wants_login) || error.is_client() {
        Error::Fail(reason)
    } else {
        Error::Retry(reason)
    }
}

/// What a server answers may repeat the recipient, and what a filter answers the link.
fn shown(error: &SmtpError, user: Option<&str>) -> String {
    let user = user.map(str::to_lowercase).filter(|user| user.len() >= MIN_USER);
    let text = match (error.status(), error.source()) {
        (Some(code), Some(answer)) => format!("{code} {answer}"),
        (None, Some(cause)) => cause.to_string(),
        (_, None) => error.to_string(),
    };
    let words = text.split(|c: char| c.is_whitespace() || c.is_control());
    let words = words.filter(|word| !word.is_empty());
    let words: Vec<_> = words.map(|word| if tells(word, &user) { HIDDEN } else { word }).collect();
    words.join(" ").chars().take(MAX_CHARS).collect()
}

fn tells(word: &str, user: &Option<String>) -> bool {
    word.contains(['@', '/', '='])
        || word.chars().count() > MAX_WORD
        || user.as_ref().is_some_and(|user| word.to_lowercase().contains(user.as_str()))
}

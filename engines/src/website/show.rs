//! How foreign bytes are written into findings: bounded, and without characters that act on a
//! terminal or a page.

use std::fmt::Write as _;

use url::Url;

const MAX_CHARS: usize = 300;

pub(super) fn text(raw: &str) -> String {
    let mut shown = String::new();
    for (count, character) in raw.chars().enumerate() {
        if count == MAX_CHARS {
            shown.push('…');
            break;
        }
        if character.is_control() || acts_on_layout(character) {
            // Writing to a string cannot fail.
            let _ = write!(shown, "{}", character.escape_unicode());
        } else {
            shown.push(character);
        }
    }
    shown
}

/// Without user name, query and fragment, where tokens travel, and with path parameters masked.
pub(super) fn url(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    let path: Vec<&str> = url.path().split('/').map(without_parameters).collect();
    let query = if url.query().is_some() { "?…" } else { "" };
    text(&format!("{}://{host}{port}{}{query}", url.scheme(), path.join("/")))
}

/// At most five of the items and how many more there are.
pub(super) fn list(items: &[String]) -> String {
    const SHOWN: usize = 5;
    let mut shown = items.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    if let Some(more) = items.len().checked_sub(SHOWN).filter(|more| *more > 0) {
        let _ = write!(shown, " and {more} more");
    }
    shown
}

/// `/shop;jsessionid=1` carries a session in its path.
fn without_parameters(segment: &str) -> &str {
    segment.split(';').next().unwrap_or_default()
}

/// Invisible characters and those that turn the direction of writing.
fn acts_on_layout(character: char) -> bool {
    matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

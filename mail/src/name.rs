use std::fmt;

/// Enough for a name, and too little for a message to somebody else's mailbox.
const MAX_CHARS: usize = 64;

/// A name as it may stand in a mail: one line of visible characters, not shown by `Debug`.
///
/// Whoever signs up or invites chooses it and somebody else reads it, so a text that a mail program
/// would make a link of is no name.
#[derive(Clone, PartialEq, Eq)]
pub struct Name(String);

impl Name {
    /// `None` where nothing is left to show. Longer names are cut.
    pub fn new(text: &str) -> Option<Self> {
        let spaced = text.chars().map(|c| if c.is_control() { ' ' } else { c });
        let visible: String = spaced.filter(|c| !is_invisible(*c)).collect();
        let words: Vec<_> = visible.split_whitespace().collect();
        let line: String = words.join(" ").chars().take(MAX_CHARS).collect();
        let line = line.trim_end().to_owned();
        (!line.is_empty() && !reads_as_link(&line)).then_some(Self(line))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Characters that change how others are shown, or are not seen themselves.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

fn reads_as_link(line: &str) -> bool {
    let lower = line.to_lowercase();
    lower.contains("://")
        || lower.contains("www.")
        || lower.split(' ').any(|word| word.contains('.') && word.contains(['/', '@']))
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<name>")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Option<String> {
        Name::new(text).map(|name| name.0)
    }

    #[test]
    fn a_name_becomes_one_visible_line() {
        assert_eq!(shown(" Zoë\r\nBcc: all \u{202e}Müller\t"), Some("Zoë Bcc: all Müller".into()));
        assert_eq!(shown("\u{200b}\n"), None);
        assert_eq!(shown(&"ä".repeat(500)).map(|name| name.chars().count()), Some(MAX_CHARS));
    }

    #[test]
    fn a_link_is_no_name() {
        assert_eq!(shown("Win now: https://evil.example"), None);
        assert_eq!(shown("see evil.example/win"), None);
        assert_eq!(shown("WWW.evil.example"), None);
        assert_eq!(shown("AC/DC Dr. Young"), Some("AC/DC Dr. Young".into()));
    }
}

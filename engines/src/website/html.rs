//! A tolerant reader of tags. It builds no tree, reads its input once, and takes anything.

const MAX_TAGS: usize = 20_000;
const MAX_ATTRIBUTES: usize = 64;

/// Elements whose content is text, in which tags have no meaning.
const RAW_TEXT: [&str; 4] = ["script", "style", "textarea", "title"];

/// A start tag; its name and those of its attributes are in lower case.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Tag {
    pub name: String,
    attributes: Vec<(String, String)>,
}

impl Tag {
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }
}

pub(super) fn tags(page: &str) -> Vec<Tag> {
    // Lower case of ASCII keeps every position.
    let lower = page.to_ascii_lowercase();
    let mut tags = Vec::new();
    let mut at = 0;
    while tags.len() < MAX_TAGS {
        let Some(open) = lower[at..].find('<') else { break };
        at += open;
        if lower[at..].starts_with("<!--") {
            let Some(end) = lower[at + 4..].find("-->") else { break };
            at += 4 + end + 3;
            continue;
        }
        at += 1;
        if !lower[at..].starts_with(|c: char| c.is_ascii_alphabetic()) {
            continue;
        }
        let (tag, length) = read_tag(&page[at..]);
        at += length;
        let raw = RAW_TEXT.iter().find(|name| **name == tag.name);
        tags.push(tag);
        if let Some(name) = raw {
            let Some(end) = lower[at..].find(&format!("</{name}")) else { break };
            at += end;
        }
    }
    tags
}

/// Reads from the name of a tag up to its `>`; also gives the bytes that took.
fn read_tag(text: &str) -> (Tag, usize) {
    let mut reader = Reader { rest: text };
    let name = reader.take_until(|c| c.is_ascii_whitespace() || c == '>' || c == '/');
    let mut tag = Tag { name: name.to_ascii_lowercase(), attributes: Vec::new() };
    loop {
        reader.skip(|c| c.is_ascii_whitespace() || c == '/');
        if reader.rest.is_empty() || reader.eat('>') {
            break;
        }
        let (name, value) = reader.attribute();
        if tag.attributes.len() < MAX_ATTRIBUTES {
            tag.attributes.push((name, value));
        }
    }
    (tag, text.len() - reader.rest.len())
}

struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    fn take_until(&mut self, is_end: impl Fn(char) -> bool) -> &'a str {
        let (taken, rest) = self.rest.split_at(self.rest.find(is_end).unwrap_or(self.rest.len()));
        self.rest = rest;
        taken
    }

    fn skip(&mut self, is_skipped: impl Fn(char) -> bool) {
        self.rest = self.rest.trim_start_matches(is_skipped);
    }

    fn eat(&mut self, character: char) -> bool {
        let rest = self.rest.strip_prefix(character);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    /// Always takes at least one character: the caller has seen one that begins a name.
    fn attribute(&mut self) -> (String, String) {
        // A stray `=` in front belongs to the name.
        let stray = if self.eat('=') { "=" } else { "" };
        let name = self.take_until(|c| c.is_ascii_whitespace() || matches!(c, '=' | '>' | '/'));
        let name = format!("{stray}{}", name.to_ascii_lowercase());
        self.skip(|c| c.is_ascii_whitespace());
        if !self.eat('=') {
            return (name, String::new());
        }
        self.skip(|c| c.is_ascii_whitespace());
        let value = if self.eat('"') {
            self.quoted('"')
        } else if self.eat('\'') {
            self.quoted('\'')
        } else {
            self.take_until(|c| c.is_ascii_whitespace() || c == '>')
        };
        (name, value.replace("&amp;", "&"))
    }

    fn quoted(&mut self, quote: char) -> &'a str {
        let value = self.take_until(|c| c == quote);
        self.eat(quote);
        value
    }
}

use std::io::{self, BufRead};

/// A longer line is cut: what follows is not kept.
const MAX_LINE: usize = 1024 * 1024;

/// Added lines are handed on at the latest when there are this many bytes of them.
const MAX_TEXT: usize = 4 * 1024 * 1024;

/// Reads the patches of `git log`, in bounded memory whatever is in them.
///
/// Every commit starts with a line of a NUL byte and its hash. Lines of a file are told from
/// headers by the counts in the header of their hunk, so no content can pass for a header.
pub struct Patches<R> {
    reader: R,
    line: Vec<u8>,
    /// The line has been looked at and waits to be read as a header.
    held: bool,
    bytes: u64,
    commits: u64,
    commit: String,
    path: Option<String>,
    hunk: Hunk,
    text: Vec<u8>,
    first_line: u64,
}

/// Consecutive lines that a commit added to a file.
#[derive(Debug, PartialEq, Eq)]
pub struct Added<'a> {
    pub commit: &'a str,
    pub path: &'a str,
    pub first_line: u64,
    pub text: &'a [u8],
}

#[derive(Default)]
struct Hunk {
    /// Columns before the content of a line: one for each parent.
    width: usize,
    /// Lines of the new file that are still to come.
    left: u64,
    /// The number of the next one.
    line: u64,
}

impl<R: BufRead> Patches<R> {
    pub fn new(reader: R) -> Self {
        Self {
            reader,
            line: Vec::new(),
            held: false,
            bytes: 0,
            commits: 0,
            commit: String::new(),
            path: None,
            hunk: Hunk::default(),
            text: Vec::new(),
            first_line: 0,
        }
    }

    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    pub fn commits(&self) -> u64 {
        self.commits
    }

    pub fn next_added(&mut self) -> io::Result<Option<Added<'_>>> {
        self.text.clear();
        while self.text.len() < MAX_TEXT {
            if !self.held && !self.read_line()? {
                break;
            }
            self.held = false;
            if self.is_added() {
                self.take_line();
            } else if self.text.is_empty() {
                self.read_header();
            } else {
                self.held = true;
                break;
            }
        }
        if self.text.is_empty() {
            return Ok(None);
        }
        Ok(Some(Added {
            commit: &self.commit,
            path: self.path.as_deref().unwrap_or_default(),
            first_line: self.first_line,
            text: &self.text,
        }))
    }

    /// New against every parent.
    fn is_added(&self) -> bool {
        self.hunk.left > 0
            && self.path.is_some()
            && self
                .line
                .get(..self.hunk.width)
                .is_some_and(|signs| signs.iter().all(|sign| *sign == b'+'))
    }

    fn take_line(&mut self) {
        if self.text.is_empty() {
            self.first_line = self.hunk.line;
        }
        self.text.extend_from_slice(&self.line[self.hunk.width..]);
        self.text.push(b'\n');
        self.hunk.advance();
    }

    fn read_header(&mut self) {
        let line = self.line.as_slice();
        if self.hunk.left > 0 {
            let signs = &line[..self.hunk.width.min(line.len())];
            if !line.starts_with(b"\\") && !signs.contains(&b'-') {
                self.hunk.advance();
            }
        } else if let Some(hash) = line.strip_prefix(b"\0") {
            self.commit = String::from_utf8_lossy(hash).into_owned();
            self.commits += 1;
            self.path = None;
        } else if line.starts_with(b"diff ") {
            self.path = None;
        } else if let Some(name) = line.strip_prefix(b"+++ ") {
            self.path = path(name);
        } else if line.starts_with(b"@@") {
            self.hunk = hunk(line).unwrap_or_default();
        }
    }

    /// False at the end.
    fn read_line(&mut self) -> io::Result<bool> {
        self.line.clear();
        let mut any = false;
        loop {
            let chunk = self.reader.fill_buf()?;
            if chunk.is_empty() {
                return Ok(any);
            }
            any = true;
            let end = chunk.iter().position(|byte| *byte == b'\n');
            let part = &chunk[..end.unwrap_or(chunk.len())];
            let room = MAX_LINE.saturating_sub(self.line.len());
            self.line.extend_from_slice(&part[..part.len().min(room)]);
            let used = end.map_or(chunk.len(), |end| end + 1);
            self.reader.consume(used);
            self.bytes += used as u64;
            if end.is_some() {
                return Ok(true);
            }
        }
    }
}

impl Hunk {
    fn advance(&mut self) {
        self.left -= 1;
        self.line += 1;
    }
}

/// `@@ -1 +1,2 @@`, with one more `@` and range for each further parent.
fn hunk(line: &[u8]) -> Option<Hunk> {
    let signs = line.iter().take_while(|byte| **byte == b'@').count();
    let text = std::str::from_utf8(&line[..line.len().min(1024)]).ok().or_else(|| {
        // What follows the ranges is a line of the file and need not be text.
        line.utf8_chunks().next().map(|chunk| chunk.valid())
    })?;
    let range = text.split(' ').nth(signs)?.strip_prefix('+')?;
    let (start, length) = range.split_once(',').unwrap_or((range, "1"));
    // No file has more lines, and counting on from one of these cannot overflow.
    let number = |text: &str| text.parse::<u32>().ok().map(u64::from);
    Some(Hunk { width: signs.checked_sub(1)?, left: number(length)?, line: number(start)? })
}

/// The path of a `+++` header; none when the file was deleted.
fn path(name: &[u8]) -> Option<String> {
    // Git ends a name with a space in it by a tab.
    let name = name.strip_suffix(b"\t").unwrap_or(name);
    let unquoted = match name.strip_prefix(b"\"").and_then(|name| name.strip_suffix(b"\"")) {
        Some(quoted) => unquote(quoted),
        None => name.to_vec(),
    };
    unquoted.strip_prefix(b"b/").map(crate::tree::show_name)
}

/// Git quotes names as C does.
fn unquote(quoted: &[u8]) -> Vec<u8> {
    let mut name = Vec::with_capacity(quoted.len());
    let mut bytes = quoted.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        if byte != b'\\' {
            name.push(byte);
            continue;
        }
        let Some(escape) = bytes.next() else { break };
        name.push(match escape {
            b'a' => 7,
            b'b' => 8,
            b't' => b'\t',
            b'n' => b'\n',
            b'v' => 11,
            b'f' => 12,
            b'r' => b'\r',
            b'0'..=b'7' => {
                let mut value = escape - b'0';
                for _ in 0..2 {
                    let Some(digit) = bytes.next_if(|byte| matches!(byte, b'0'..=b'7')) else {
                        break;
                    };
                    value = value.wrapping_mul(8).wrapping_add(digit - b'0');
                }
                value
            }
            other => other,
        });
    }
    name
}

//! Telling a secret from a text that merely has its place or shape.

/// Words that stand where a password should.
const WORDS: &[&str] = &[
    "password", "passwd", "pass", "pwd", "secret", "token", "test", "testing", "user", "username",
    "admin", "root", "postgres", "mysql", "guest", "foo", "bar", "baz", "foobar", "none", "null",
    "redacted", "hidden", "pw",
];

/// Parts of this length do not come about by chance in what was issued at random.
const TELLING: usize = 7;

/// Parts of texts that stand in for a secret.
const PARTS: &[&str] = &[
    "example",
    "changeme",
    "change-me",
    "change_me",
    "placeholder",
    "xxxx",
    "****",
    "....",
    "your-",
    "your_",
    "yourpassword",
    "dummy",
    "sample",
    "insert",
    "replace",
    "todo",
    "redacted",
    "not-a-",
    "not_a_",
    "notareal",
    "fake",
    "${",
    "{{",
    "}}",
    "$(",
    "%(",
    "<%",
    "process.env",
    "os.environ",
    "0123456789",
    "123456789",
    "abcdefgh",
    "qwerty",
];

/// Shannon entropy in bits per byte: 0 for one repeated byte, 8 at most.
pub fn entropy(value: &[u8]) -> f64 {
    let mut counts = [0_u32; 256];
    for byte in value {
        counts[usize::from(*byte)] += 1;
    }
    let length = value.len() as f64;
    counts
        .into_iter()
        .filter(|count| *count > 0)
        .map(|count| {
            let share = f64::from(count) / length;
            -share * share.log2()
        })
        .sum()
}

/// An example, a reference to a variable, or another stand-in. A value of a `known_shape` is random,
/// so short words in it mean nothing.
pub fn is_placeholder(value: &[u8], known_shape: bool) -> bool {
    let lower = value.to_ascii_lowercase();
    let text = String::from_utf8_lossy(&lower);
    let reference = matches!(lower.first(), Some(b'$' | b'<' | b'%' | b'{' | b'['));
    let repeated = lower.windows(2).all(|pair| pair[0] == pair[1]);
    reference
        || repeated
        || WORDS.contains(&text.as_ref())
        || PARTS
            .iter()
            .filter(|part| !known_shape || part.len() >= TELLING)
            .any(|part| text.contains(part))
}

/// What looks random but is a name: an identifier, a path, a version, a hash of public data.
pub fn is_ordinary(value: &[u8]) -> bool {
    let digits = value.iter().filter(|byte| byte.is_ascii_digit()).count();
    let letters = value.iter().filter(|byte| byte.is_ascii_alphabetic()).count();
    digits == 0
        || letters == 0
        || is_uuid(value)
        || is_words(value)
        || ["sha1-", "sha256-", "sha384-", "sha512-", "sha256:", "/"]
            .iter()
            .any(|start| value.starts_with(start.as_bytes()))
}

fn is_uuid(value: &[u8]) -> bool {
    value.len() == 36
        && value.iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// Words of one case with few digits, joined by `-`, `_`, `.` or `/`: `my-service-token-v2`.
fn is_words(value: &[u8]) -> bool {
    let mut parts = value.split(|byte| b"-_./".contains(byte)).filter(|part| !part.is_empty());
    parts.clone().count() > 1
        && parts.all(|part| {
            let digits = part.iter().filter(|byte| byte.is_ascii_digit()).count();
            let one_case = !part.iter().any(u8::is_ascii_uppercase)
                || !part[1..].iter().any(u8::is_ascii_uppercase)
                || !part.iter().any(u8::is_ascii_lowercase);
            one_case && (digits * 4 <= part.len() || digits == part.len() || part.len() <= 3)
        })
}

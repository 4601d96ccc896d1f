//! Damaged input for decoders, as strategies of proptest.

use proptest::{collection::vec, prelude::*, sample::Index, sample::select};
use serde_json::Value;

const MUTATIONS: usize = 6;
const LONG: usize = 5000;
/// What decoders have stumbled over before.
const TOKENS: [&str; 24] = [
    "\0",
    "\"",
    "\\",
    "\\u0000",
    "\\ud800",
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "@",
    "=",
    "-",
    "0",
    "-1",
    "1e999",
    "18446744073709551616",
    "\u{feff}",
    "\u{202e}",
    "\u{e9}",
    "\n",
    "\r\n",
    " ",
];

/// The configuration of a test: so many cases, or as many as `PROPTEST_CASES` says. Nothing is
/// written to disk; a failure shows its smallest input.
pub fn cases(cases: u32) -> ProptestConfig {
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|text| text.parse().ok());
    ProptestConfig {
        cases: asked.unwrap_or(cases),
        failure_persistence: None,
        max_shrink_iters: 500,
        ..ProptestConfig::default()
    }
}

/// One of the samples after a few changes of its bytes.
pub fn mutated(samples: Vec<Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    (select(samples), vec(mutation(), 0..=MUTATIONS)).prop_map(|(mut bytes, mutations)| {
        for mutation in mutations {
            mutation.apply(&mut bytes);
        }
        bytes
    })
}

/// One of the samples with some of its values replaced or left out: valid JSON of a wrong shape.
pub fn misshapen(samples: Vec<Value>) -> impl Strategy<Value = Value> {
    let changes = vec((any::<Index>(), proptest::option::of(odd_value())), 1..=3);
    (select(samples), changes).prop_map(|(mut value, changes)| {
        for (place, replacement) in changes {
            let mut left = place.index(size(&value));
            change(&mut value, &mut left, &replacement);
        }
        value
    })
}

/// A text of any characters, or of those that mean something to somebody.
pub fn odd_text() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => vec(select(TOKENS.to_vec()), 0..=4).prop_map(|tokens| tokens.concat()),
        3 => vec(any::<char>(), 0..=20).prop_map(String::from_iter),
        1 => Just("x".repeat(LONG)),
    ]
}

fn odd_value() -> impl Strategy<Value = Value> {
    let numbers = [0, -1, i64::MIN, i64::MAX, 1 << 53];
    prop_oneof![
        4 => odd_text().prop_map(Value::from),
        1 => select(vec![Value::Null, Value::Bool(true), Value::from(u64::MAX)]),
        2 => select(numbers.map(Value::from).to_vec()),
        1 => any::<f64>().prop_map(Value::from),
        1 => vec(odd_text().prop_map(Value::from), 0..=3).prop_map(Value::from),
        1 => Just(serde_json::json!({ "kind": {} })),
    ]
}

#[derive(Debug, Clone)]
enum Mutation {
    Flip(Index, u8),
    Insert(Index, Vec<u8>),
    Remove(Index, usize),
    Repeat(Index, usize, usize),
    Truncate(Index),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let token = prop_oneof![
        4 => select(TOKENS.to_vec()).prop_map(|token| token.as_bytes().to_vec()),
        1 => vec(any::<u8>(), 1..=4),
        1 => select(vec![b"[".to_vec(), b"{\"a\":".to_vec(), b"x".to_vec(), b" ".to_vec()])
            .prop_map(|piece| piece.repeat(LONG)),
    ];
    prop_oneof![
        3 => (any::<Index>(), 0..8_u8).prop_map(|(at, bit)| Mutation::Flip(at, 1 << bit)),
        4 => (any::<Index>(), token).prop_map(|(at, token)| Mutation::Insert(at, token)),
        2 => (any::<Index>(), 1..=40_usize).prop_map(|(at, bytes)| Mutation::Remove(at, bytes)),
        2 => (any::<Index>(), 1..=40_usize, 1..=100_usize)
            .prop_map(|(at, bytes, times)| Mutation::Repeat(at, bytes, times)),
        1 => any::<Index>().prop_map(Mutation::Truncate),
    ]
}

impl Mutation {
    fn apply(self, bytes: &mut Vec<u8>) {
        let place = |at: Index| at.index(bytes.len() + 1);
        match self {
            Self::Flip(at, mask) => {
                let at = place(at);
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= mask;
                }
            }
            Self::Insert(at, token) => {
                let at = place(at);
                bytes.splice(at..at, token);
            }
            Self::Remove(at, count) => {
                let at = place(at);
                let end = (at + count).min(bytes.len());
                bytes.drain(at..end);
            }
            Self::Repeat(at, count, times) => {
                let at = place(at);
                let piece = bytes[at..(at + count).min(bytes.len())].repeat(times);
                bytes.splice(at..at, piece);
            }
            Self::Truncate(at) => {
                let at = place(at);
                bytes.truncate(at);
            }
        }
    }
}

/// The value and all values within.
fn size(value: &Value) -> usize {
    1 + match value {
        Value::Array(items) => items.iter().map(size).sum::<usize>(),
        Value::Object(fields) => fields.values().map(size).sum(),
        _ => 0,
    }
}

/// Replaces the value that stands `left` places further on, or leaves it out of its object.
fn change(value: &mut Value, left: &mut usize, replacement: &Option<Value>) -> bool {
    if *left == 0 {
        *value = replacement.clone().unwrap_or(Value::Null);
        return true;
    }
    *left -= 1;
    match value {
        Value::Array(items) => items.iter_mut().any(|item| change(item, left, replacement)),
        Value::Object(fields) => {
            let names: Vec<_> = fields.keys().cloned().collect();
            names.iter().any(|name| {
                if *left == 0 && replacement.is_none() {
                    fields.remove(name);
                    return true;
                }
                fields.get_mut(name).is_some_and(|field| change(field, left, replacement))
            })
        }
        _ => false,
    }
}

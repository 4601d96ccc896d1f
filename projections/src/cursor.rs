//! Opaque cursors of lists: where the next page begins.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

/// Raised when the content of the cursors changes.
const FORMAT: u8 = 1;

/// Which list a cursor belongs to, so that it is refused by another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum List {
    Scans = 1,
    Findings = 2,
    Organizations = 3,
    DeadLetters = 4,
    ApiKeys = 5,
    Policies = 6,
    Members = 7,
    AddressBlocks = 8,
    Invitations = 20,
    Users = 30,
    // Numbers in between belong to lists of other areas.
    Audit = 40,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the cursor is not one that this list gave; start again without a cursor")]
pub struct BadCursor;

pub(crate) fn encode<const N: usize>(list: List, key: [i64; N]) -> String {
    let mut bytes = vec![FORMAT, list as u8];
    for part in key {
        bytes.extend_from_slice(&part.to_be_bytes());
    }
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(crate) fn decode<const N: usize>(list: List, text: &str) -> Result<[i64; N], BadCursor> {
    let length = 2 + 8 * N;
    if text.len() > length.div_ceil(3) * 4 {
        return Err(BadCursor);
    }
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| BadCursor)?;
    if bytes.len() != length || bytes[..2] != [FORMAT, list as u8] {
        return Err(BadCursor);
    }
    let mut key = [0; N];
    for (part, chunk) in key.iter_mut().zip(bytes[2..].chunks_exact(8)) {
        *part = i64::from_be_bytes(chunk.try_into().map_err(|_| BadCursor)?);
    }
    Ok(key)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_cursor_comes_back_as_it_was_given() {
        let key = [3, i64::MAX];
        assert_eq!(decode(List::Findings, &encode(List::Findings, key)), Ok(key));
    }

    #[test]
    fn a_cursor_of_another_list_or_a_made_up_one_is_refused() {
        let scans = encode(List::Scans, [7]);
        assert_eq!(decode::<1>(List::Findings, &scans), Err(BadCursor));
        assert_eq!(decode::<2>(List::Scans, &scans), Err(BadCursor));
        for made_up in ["", "%%%", "AQ", "AQEAAAAAAAAABw==", &"A".repeat(100_000)] {
            assert_eq!(decode::<1>(List::Scans, made_up), Err(BadCursor), "{made_up}");
        }
    }

    proptest! {
        #![proptest_config(testkit::cases(10_000))]

        #[test]
        fn any_key_comes_back(key in any::<[i64; 2]>()) {
            prop_assert_eq!(decode(List::Findings, &encode(List::Findings, key)), Ok(key));
        }

        /// One place has one cursor, so that nothing but what was given is taken.
        #[test]
        fn a_damaged_cursor_is_refused_or_is_that_of_another_place(
            text in testkit::mutated(vec![encode(List::Scans, [7]).into_bytes()]),
        ) {
            let text = String::from_utf8_lossy(&text);
            if let Ok(key) = decode::<1>(List::Scans, &text) {
                prop_assert_eq!(encode(List::Scans, key), text);
            }
        }
    }
}

use proptest::prelude::*;
use rand::{SeedableRng, rngs::StdRng};

use super::*;

const PLACE: Place<'static> = Place { subject: "user_ada", event: "event_1", field: "email" };

fn key(byte: u8) -> DataKey {
    DataKey::new(Key::from_slice(&[byte; 32]).unwrap())
}

fn sealed() -> String {
    key(1).seal(&PLACE, b"ada@example.org", &mut StdRng::seed_from_u64(7)).unwrap()
}

#[test]
fn a_sealed_value_opens_where_it_was_sealed() {
    let text = sealed();
    assert!(text.bytes().all(|b| b.is_ascii_alphanumeric() || b".-_".contains(&b)), "{text}");
    assert_eq!(key(1).open(&PLACE, &text).unwrap().as_slice(), b"ada@example.org");
}

#[test]
fn a_value_that_was_moved_is_refused() {
    let text = sealed();
    let elsewhere = [
        Place { subject: "user_bob", ..PLACE },
        Place { event: "event_2", ..PLACE },
        Place { field: "name", ..PLACE },
        Place { event: "event_1e", field: "mail", ..PLACE },
    ];
    for place in elsewhere {
        assert_eq!(key(1).open(&place, &text), Err(OpenError::Refused), "{place:?}");
    }
    assert_eq!(key(2).open(&PLACE, &text), Err(OpenError::Refused));
}

#[test]
fn every_changed_character_is_noticed() {
    let text = sealed();
    for at in 0..text.len() {
        let mut changed = text.clone().into_bytes();
        changed[at] = if changed[at] == b'B' { b'C' } else { b'B' };
        let changed = String::from_utf8(changed).unwrap();
        assert!(key(1).open(&PLACE, &changed).is_err(), "{at}");
    }
}

#[test]
fn an_erased_key_says_so_and_garbage_is_garbage_still() {
    assert_eq!(Access::Erased.open(&PLACE, &sealed()), Ok(Opened::Erased));
    assert_eq!(Access::Erased.open(&PLACE, "ada@example.org"), Err(OpenError::Malformed));
    let opened = Access::Key(key(1)).open(&PLACE, &sealed()).unwrap();
    assert_eq!(format!("{opened:?}"), "Plain(..)");
}

#[test]
fn a_value_has_a_longest_length() {
    let mut rng = StdRng::seed_from_u64(7);
    let longest = key(1).seal(&PLACE, &vec![b'x'; MAX_PLAIN], &mut rng).unwrap();
    assert_eq!(key(1).open(&PLACE, &longest).unwrap().len(), MAX_PLAIN);
    let refused = key(1).seal(&PLACE, &vec![b'x'; MAX_PLAIN + 1], &mut rng);
    assert_eq!(refused, Err(SealError::TooLong(MAX_PLAIN + 1)));
    let text = format!("{PREFIX}{}", "A".repeat(200_000));
    assert_eq!(key(1).open(&PLACE, &text), Err(OpenError::Malformed));
}

#[test]
fn what_was_sealed_by_the_first_version_still_opens() {
    assert_eq!(key(1).open(&PLACE, GOLDEN).unwrap().as_slice(), b"ada@example.org");
}

const GOLDEN: &str =
    "sealed1.vvuoaungwgeGX34k6DSdTs28iw9GMoQkaiHbIVwPakb4toAGjBZjhvGq2o-rswsUNRaXKSJzmg";

proptest! {
    #[test]
    fn any_value_comes_back(plain: Vec<u8>, seed: u64) {
        let text = key(1).seal(&PLACE, &plain, &mut StdRng::seed_from_u64(seed)).unwrap();
        prop_assert_eq!(key(1).open(&PLACE, &text).unwrap().to_vec(), plain);
    }

    #[test]
    fn any_text_is_refused(text in "(sealed1\\.)?\\PC*") {
        prop_assert!(key(1).open(&PLACE, &text).is_err());
    }
}

use proptest::prelude::*;
use rand::{SeedableRng, rngs::StdRng};

use super::*;

const ADA: Owner<'static> = Owner::Subject("user_ada");

fn key(byte: u8) -> Key {
    Key::from_slice(&[byte; 32]).unwrap()
}

fn ring(bytes: &[u8]) -> KeyRing {
    KeyRing::new(bytes.iter().copied().map(key)).unwrap()
}

fn rng() -> StdRng {
    StdRng::seed_from_u64(7)
}

#[test]
fn a_wrapped_key_comes_back_through_its_bytes() {
    let ring = ring(&[1]);
    let wrapped = ring.wrap(ADA, &key(9), &mut rng());
    let stored = Wrapped::from_bytes(&wrapped.to_bytes()).unwrap();
    assert_eq!(stored, wrapped);
    assert_eq!(ring.unwrap(ADA, &stored).unwrap().expose(), &[9; 32]);
}

#[test]
fn the_key_of_one_owner_is_refused_to_every_other() {
    let ring = ring(&[1]);
    let wrapped = ring.wrap(ADA, &key(9), &mut rng());
    for other in [Owner::Subject("user_bob"), Owner::Subject(""), Owner::Installation] {
        assert_eq!(ring.unwrap(other, &wrapped).unwrap_err(), UnwrapError::Refused);
    }
}

#[test]
fn a_changed_byte_anywhere_is_refused() {
    let ring = ring(&[1]);
    let bytes = ring.wrap(ADA, &key(9), &mut rng()).to_bytes();
    for at in 0..bytes.len() {
        let mut changed = bytes;
        changed[at] ^= 1;
        let opened = Wrapped::from_bytes(&changed).and_then(|wrapped| ring.unwrap(ADA, &wrapped));
        assert!(opened.is_err(), "byte {at}");
    }
}

#[test]
fn the_master_key_is_changed_without_losing_a_key() {
    let before = ring(&[1]).wrap(ADA, &key(9), &mut rng());
    let both = ring(&[2, 1]);
    assert_eq!(both.unwrap(ADA, &before).unwrap().expose(), &[9; 32]);

    let after = both.rewrap(ADA, &before, &mut rng()).unwrap().unwrap();
    assert_eq!(after.master(), both.current());
    assert_eq!(both.rewrap(ADA, &after, &mut rng()).unwrap(), None);

    let newest = ring(&[2]);
    assert_eq!(newest.unwrap(ADA, &after).unwrap().expose(), &[9; 32]);
    let error = newest.unwrap(ADA, &before).unwrap_err();
    assert_eq!(error, UnwrapError::UnknownMaster(ring(&[1]).current()));
    assert!(error.to_string().contains(&before.master().to_string()));
}

#[test]
fn the_same_key_is_never_wrapped_twice_in_the_same_way() {
    let (ring, mut rng) = (ring(&[1]), rng());
    assert_ne!(ring.wrap(ADA, &key(9), &mut rng), ring.wrap(ADA, &key(9), &mut rng));
}

#[test]
fn a_ring_has_at_least_one_key_each_once_and_a_bound() {
    assert_eq!(KeyRing::new([]).unwrap_err(), KeyRingError::Empty);
    let id = ring(&[1]).current();
    assert_eq!(KeyRing::new([key(1), key(2), key(1)]).unwrap_err(), KeyRingError::Twice(id));
    assert_eq!(KeyRing::new((0..17).map(key)).unwrap_err(), KeyRingError::TooMany);
    assert_eq!(ring(&[1, 2]).ids().count(), 2);
}

#[test]
fn what_was_wrapped_by_the_first_version_is_still_unwrapped() {
    let stored = GOLDEN
        .as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap());
    let wrapped = Wrapped::from_bytes(&stored.collect::<Vec<_>>()).unwrap();
    assert_eq!(ring(&[1]).unwrap(ADA, &wrapped).unwrap().expose(), &[9; 32]);
}

const GOLDEN: &str = "0143636bb83f687a42befba86ae9e0c207865f7e24e8349d4ecdbc8b0f46328424024cb368307e022281d3ec21ea6d0dfb0b90423a8f9837a2405de4e5d6b3ab7c8205f7adb4177b40d3d4ef94b8f33f80";

proptest! {
    #[test]
    fn any_bytes_are_read_as_a_wrapped_key_or_refused(bytes: Vec<u8>) {
        if let Ok(wrapped) = Wrapped::from_bytes(&bytes) {
            prop_assert_eq!(wrapped.to_bytes().to_vec(), bytes);
        }
    }
}

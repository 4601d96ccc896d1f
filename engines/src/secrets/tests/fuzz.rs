//! Texts and patches as nobody should have written them.

use std::sync::LazyLock;

use proptest::prelude::*;
use testkit::{cases, mutated};

use super::samples;
use crate::secrets::{
    detect::{Detector, line_around},
    patch::Patches,
};

const PATCH: &[u8] =
    b"\0c1\ndiff --git a/a b/a\n--- a/a\n+++ b/a\n@@ -1,2 +1,3 @@ fn x()\n one\n+two\n\
    +three\n-four\n\\ No newline at end of file\n\0c2\ndiff --cc b\n+++ \"b/\\303\\251\\t\"\n\
    @@@ -1,1 -1,1 +1,2 @@@\n++five\n +six\n";

const FAR_DOWN: &[u8] = b"\0c\ndiff \n+++ b/a\n@@ -1 +18446744073709551615,9 @@\n+a\n+b\n";

fn token() -> Vec<u8> {
    format!("x = \"gh{}_{}\"  # why\nnext\n", "p", samples::mixed(36, 7)).into_bytes()
}

proptest! {
    #![proptest_config(cases(3000))]

    #[test]
    fn a_damaged_patch_is_read_to_its_end(bytes in mutated(vec![PATCH.to_vec(), FAR_DOWN.to_vec()])) {
        let mut patches = Patches::new(&bytes[..]);
        while let Some(added) = patches.next_added().unwrap() {
            prop_assert!(added.text.len() <= bytes.len() + 1);
            prop_assert!(!added.path.chars().any(char::is_control));
        }
        prop_assert_eq!(patches.bytes(), bytes.len() as u64);
    }
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn hits_lie_within_the_text(bytes in mutated(vec![token(), token().repeat(3)])) {
        static DETECTOR: LazyLock<Detector> = LazyLock::new(|| Detector::new().unwrap());
        for hit in DETECTOR.find(&bytes, 10) {
            let line = line_around(&bytes, &hit);
            prop_assert!(hit.start <= hit.value.start && hit.value.end <= bytes.len());
            prop_assert!(line.start <= hit.start && line.end <= bytes.len());
        }
    }
}

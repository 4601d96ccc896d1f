use super::*;

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

fn secret(byte: u8) -> InstallationSecret {
    InstallationSecret::new(Key::from_slice(&[byte; 32]).unwrap())
}

#[test]
fn derivation_gives_the_first_block_of_the_test_cases_of_rfc_5869() {
    let first = hkdf_sha256(
        &bytes("000102030405060708090a0b0c"),
        &[0x0b; 22],
        &bytes("f0f1f2f3f4f5f6f7f8f9"),
    );
    let wanted = "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf";
    assert_eq!(first.to_vec(), bytes(wanted));

    let third = hkdf_sha256(b"", &[0x0b; 22], b"");
    let wanted = "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d";
    assert_eq!(third.to_vec(), bytes(wanted));
}

#[test]
fn authentication_gives_the_tag_of_test_case_1_of_rfc_4231() {
    let key = MacKey(hmac::Key::new(hmac::HMAC_SHA256, &[0x0b; 20]));
    let tag = bytes("b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    assert_eq!(key.sign(b"Hi There").to_vec(), tag);
    assert!(key.verify(b"Hi There", &tag));
    assert!(!key.verify(b"Hi there", &tag));
    assert!(!key.verify(b"Hi There", &tag[..31]));
}

#[test]
fn keys_differ_by_secret_by_purpose_and_by_label() {
    let tags = [
        secret(1).mac_key("cursor").sign(b"x"),
        secret(1).mac_key("state").sign(b"x"),
        secret(2).mac_key("cursor").sign(b"x"),
        tag(&secret(1).mac("cursor"), b"x"),
    ];
    for (at, tag) in tags.iter().enumerate() {
        assert!(!tags[at + 1..].contains(tag));
    }
    assert_eq!(secret(1).mac_key("cursor").sign(b"x"), tags[0]);
}

#[test]
fn a_key_shows_nothing_of_itself() {
    let shown = format!("{:?} {:?}", secret(7), secret(7).mac_key("cursor"));
    assert_eq!(shown, "InstallationSecret(Key(..)) MacKey(..)");
}

use ciborium::Value;
use proptest::prelude::*;
use serde_json::json;

use super::{
    authenticator::{Authenticator, BE, BS, UP, UV, attestation, pair},
    *,
};

const REQUIRED: UserVerificationRequirement = UserVerificationRequirement::Required;
const PREFERRED: UserVerificationRequirement = UserVerificationRequirement::Preferred;

fn answer(authenticator: &Authenticator) -> Result<CredentialRecord, CeremonyError> {
    let (options, state) = register(REQUIRED, 1);
    relying_party().finish_registration(state, &authenticator.create(&options.challenge), at(1))
}

fn lie(change: impl FnOnce(&mut Authenticator)) -> CeremonyError {
    let mut authenticator = Authenticator::p256();
    change(&mut authenticator);
    answer(&authenticator).unwrap_err()
}

#[test]
fn the_options_are_those_that_browsers_read() {
    let (options, _) = register(REQUIRED, 1);
    let wanted = json!({
        "rp": { "id": "mill.example", "name": "Mill" },
        "user": { "id": "dXNlcl9hZGE", "name": "ada@example.org", "displayName": "Ada" },
        "challenge": options.challenge,
        "pubKeyCredParams": [
            { "type": "public-key", "alg": -8 },
            { "type": "public-key", "alg": -7 },
            { "type": "public-key", "alg": -257 },
        ],
        "timeout": 300_000,
        "excludeCredentials": [],
        "authenticatorSelection": {
            "residentKey": "required", "requireResidentKey": true, "userVerification": "required",
        },
        "attestation": "none",
    });
    assert_eq!(json!(options), wanted);
    assert_eq!(options.challenge.0.len(), 32);
}

#[test]
fn passkeys_of_every_kind_are_registered() {
    for authenticator in [Authenticator::p256(), Authenticator::ed25519(), Authenticator::rsa()] {
        let record = answer(&authenticator).unwrap();
        assert_eq!(record.id.0, authenticator.id);
        assert_eq!(record.sign_count, 1);
        assert!(record.uv_initialized && !record.backup_eligible && !record.backup_state);
        assert_eq!(record.transports, ["internal", "hybrid"]);
        let stored = json!(record).to_string();
        assert_eq!(serde_json::from_str::<CredentialRecord>(&stored).unwrap(), record);
    }
}

#[test]
fn a_passkey_may_vouch_for_itself_with_its_own_key() {
    let mut authenticator = Authenticator::ed25519();
    authenticator.self_attestation = true;
    assert!(answer(&authenticator).is_ok());

    let (options, state) = register(REQUIRED, 1);
    let client_data = authenticator.client_data("webauthn.create", &options.challenge);
    let data = authenticator.creation_data(&authenticator.cose());
    let statement = vec![pair("alg", Value::from(-8)), pair("sig", Value::Bytes(vec![0; 64]))];
    let forged = authenticator.response(client_data, &attestation("packed", statement, data));
    let refused = relying_party().finish_registration(state, &forged, at(1)).unwrap_err();
    assert_eq!(refused, CeremonyError::Signature);
}

#[test]
fn an_answer_from_elsewhere_is_refused() {
    assert_eq!(lie(|a| a.origin = "https://evil.example".to_owned()), CeremonyError::Origin);
    assert_eq!(
        lie(|a| a.origin = "https://app.mill.example:444".to_owned()),
        CeremonyError::Origin
    );
    assert_eq!(lie(|a| a.rp_id = "evil.example".to_owned()), CeremonyError::RpIdHash);
    assert_eq!(
        lie(|a| a.extra_client_data = json!({ "crossOrigin": true })),
        CeremonyError::CrossOrigin
    );
    let framed = json!({ "topOrigin": "https://evil.example" });
    assert_eq!(lie(|a| a.extra_client_data = framed), CeremonyError::CrossOrigin);
    assert_eq!(
        lie(|a| a.extra_client_data = json!({ "type": "webauthn.get" })),
        CeremonyError::Type
    );
}

#[test]
fn flags_are_believed_only_where_they_fit() {
    assert_eq!(lie(|a| a.flags = UV), CeremonyError::UserPresent);
    assert_eq!(lie(|a| a.flags = UP), CeremonyError::UserVerified);
    assert_eq!(lie(|a| a.flags = UP | UV | BS), CeremonyError::Backup);
    let mut synced = Authenticator::p256();
    synced.flags = UP | UV | BE | BS;
    let record = answer(&synced).unwrap();
    assert!(record.backup_eligible && record.backup_state);

    let mut touched = Authenticator::p256();
    touched.flags = UP;
    let (options, state) = register(PREFERRED, 1);
    let response = touched.create(&options.challenge);
    let record = relying_party().finish_registration(state, &response, at(1)).unwrap();
    assert!(!record.uv_initialized);
}

#[test]
fn a_replayed_answer_is_refused() {
    let (options, _) = register(REQUIRED, 1);
    let old = Authenticator::p256().create(&options.challenge);
    let (_, state) = register(REQUIRED, 2);
    let refused = relying_party().finish_registration(state, &old, at(1)).unwrap_err();
    assert_eq!(refused, CeremonyError::Challenge);
}

#[test]
fn an_answer_that_comes_too_late_is_refused() {
    let (options, state) = register(REQUIRED, 1);
    let response = Authenticator::p256().create(&options.challenge);
    let refused = relying_party().finish_registration(state, &response, at(300)).unwrap_err();
    assert_eq!(refused, CeremonyError::TooLate);
}

#[test]
fn the_kind_of_a_key_and_its_algorithm_must_fit() {
    let authenticator = Authenticator::p256();
    let replaced = |label: i64, value: Value| {
        let Value::Map(mut key) = authenticator.cose() else { panic!("a key is a map") };
        key.retain(|(own, _)| *own != Value::from(label));
        key.push((Value::from(label), value));
        Value::Map(key)
    };
    let cases = [
        (replaced(3, Value::from(-8)), CeremonyError::Algorithm),
        (replaced(3, Value::from(-257)), CeremonyError::Algorithm),
        (replaced(3, Value::from(-35)), CeremonyError::Algorithm),
        (replaced(3, Value::from(5)), CeremonyError::Algorithm),
        (replaced(1, Value::from(1)), CeremonyError::Algorithm),
        (replaced(-1, Value::from(2)), CeremonyError::Algorithm),
        (replaced(-2, Value::Bytes(vec![1; 31])), CeremonyError::Malformed("the key")),
        (replaced(3, Value::Null), CeremonyError::Malformed("the key's algorithm")),
        (Value::Map(vec![]), CeremonyError::Malformed("the key's algorithm")),
        (Value::Null, CeremonyError::Malformed("the key")),
    ];
    for (key, wanted) in cases {
        let (options, state) = register(REQUIRED, 1);
        let client_data = authenticator.client_data("webauthn.create", &options.challenge);
        let object = attestation("none", vec![], authenticator.creation_data(&key));
        let response = authenticator.response(client_data, &object);
        let refused = relying_party().finish_registration(state, &response, at(1)).unwrap_err();
        assert_eq!(refused, wanted, "{key:?}");
    }
}

#[test]
fn attestation_of_other_kinds_is_refused() {
    let authenticator = Authenticator::p256();
    let certified = vec![pair("x5c", Value::Array(vec![])), pair("alg", Value::from(-7))];
    let stuffed = vec![pair("sig", Value::Bytes(vec![]))];
    for (format, statement) in
        [("fido-u2f", vec![]), ("packed", certified), ("packed", vec![]), ("none", stuffed)]
    {
        let (options, state) = register(REQUIRED, 1);
        let client_data = authenticator.client_data("webauthn.create", &options.challenge);
        let data = authenticator.creation_data(&authenticator.cose());
        let response = authenticator.response(client_data, &attestation(format, statement, data));
        let refused = relying_party().finish_registration(state, &response, at(1)).unwrap_err();
        assert_eq!(refused, CeremonyError::Attestation, "{format}");
    }
}

#[test]
fn an_answer_that_is_cut_or_goes_on_is_refused() {
    let authenticator = Authenticator::p256();
    let whole = register(REQUIRED, 1).0;
    let good = authenticator.create(&whole.challenge);
    let object = good.response.attestation_object.0.clone();
    let broken = (0..object.len()).map(|len| object[..len].to_vec());
    for bytes in broken.chain([[object.clone(), vec![0]].concat()]) {
        let mut response = good.clone();
        response.response.attestation_object = Base64Url(bytes);
        let (_, state) = register(REQUIRED, 1);
        assert!(relying_party().finish_registration(state, &response, at(1)).is_err());
    }
    let mut renamed = good;
    renamed.raw_id = Base64Url(vec![8; 16]);
    renamed.id = renamed.raw_id.to_string();
    let (_, state) = register(REQUIRED, 1);
    let refused = relying_party().finish_registration(state, &renamed, at(1)).unwrap_err();
    assert_eq!(refused, CeremonyError::Malformed("the ids of the passkey differ"));
}

#[test]
fn extensions_are_passed_over() {
    let mut authenticator = Authenticator::p256();
    authenticator.flags |= 128;
    assert!(answer(&authenticator).is_ok());
}

proptest! {
    #[test]
    fn any_bytes_are_refused(object: Vec<u8>, data: Vec<u8>) {
        let authenticator = Authenticator::ed25519();
        let (options, state) = register(REQUIRED, 1);
        let client_data = authenticator.client_data("webauthn.create", &options.challenge);
        let mut response = authenticator.response(client_data, &attestation("none", vec![], data));
        prop_assert!(relying_party().finish_registration(state, &response, at(1)).is_err());
        response.response.attestation_object = Base64Url(object);
        let (_, state) = register(REQUIRED, 1);
        prop_assert!(relying_party().finish_registration(state, &response, at(1)).is_err());
    }
}

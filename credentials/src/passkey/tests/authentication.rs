use serde_json::json;

use super::{
    authenticator::{Authenticator, BE, BS, UP, UV},
    *,
};

const REQUIRED: UserVerificationRequirement = UserVerificationRequirement::Required;
const ADA: &[u8] = b"user_ada";

fn record(authenticator: &Authenticator) -> CredentialRecord {
    let (options, state) = register(UserVerificationRequirement::Preferred, 1);
    let response = authenticator.create(&options.challenge);
    relying_party().finish_registration(state, &response, at(1)).unwrap()
}

/// Begins for a person who is known, or for anyone when `stored` is `None`.
fn begin(
    stored: Option<&CredentialRecord>,
    seed: u64,
) -> (PublicKeyCredentialRequestOptions, AuthenticationState) {
    let allowed = stored.into_iter().map(CredentialRecord::descriptor).collect();
    relying_party().start_authentication(allowed, REQUIRED, at(0), &mut StdRng::seed_from_u64(seed))
}

fn log_in(
    authenticator: &Authenticator,
    stored: &CredentialRecord,
) -> Result<Authenticated, CeremonyError> {
    let (options, state) = begin(Some(stored), 2);
    let response = authenticator.get(&options.challenge);
    relying_party().finish_authentication(state, &response, stored, ADA, at(1))
}

fn lie(change: impl FnOnce(&mut Authenticator)) -> CeremonyError {
    let mut authenticator = Authenticator::p256();
    let stored = record(&authenticator);
    authenticator.sign_count += 1;
    change(&mut authenticator);
    log_in(&authenticator, &stored).unwrap_err()
}

#[test]
fn the_holder_of_a_passkey_logs_in_with_every_kind_of_key() {
    for mut authenticator in [Authenticator::p256(), Authenticator::ed25519(), Authenticator::rsa()]
    {
        let stored = record(&authenticator);
        authenticator.sign_count = 2;
        let told = log_in(&authenticator, &stored).unwrap();
        assert_eq!(told, Authenticated { sign_count: 2, backup_state: false, user_verified: true });
    }
}

#[test]
fn a_passkey_logs_in_without_a_name_and_says_whose_it_is() {
    let mut authenticator = Authenticator::p256();
    let stored = record(&authenticator);
    authenticator.sign_count = 2;
    let finish = |authenticator: &Authenticator, owner: &[u8]| {
        let (options, state) = begin(None, 2);
        let response = authenticator.get(&options.challenge);
        relying_party().finish_authentication(state, &response, &stored, owner, at(1))
    };
    assert!(finish(&authenticator, ADA).is_ok());
    assert_eq!(finish(&authenticator, b"user_bob"), Err(CeremonyError::UserHandle));
    authenticator.user_handle = None;
    assert_eq!(finish(&authenticator, ADA), Err(CeremonyError::UserHandle));
    assert!(log_in(&authenticator, &stored).is_ok());
}

#[test]
fn the_options_are_those_that_browsers_read() {
    let stored = record(&Authenticator::p256());
    let (options, _) = begin(Some(&stored), 2);
    let wanted = json!({
        "challenge": options.challenge,
        "timeout": 300_000,
        "rpId": "mill.example",
        "allowCredentials": [
            { "type": "public-key", "id": stored.id, "transports": ["internal", "hybrid"] },
        ],
        "userVerification": "required",
    });
    assert_eq!(json!(options), wanted);
}

#[test]
fn the_state_can_be_kept_anywhere_between_the_two_steps() {
    let mut authenticator = Authenticator::p256();
    let stored = record(&authenticator);
    authenticator.sign_count = 2;
    let (options, state) = begin(Some(&stored), 2);
    let kept = serde_json::from_str(&json!(state).to_string()).unwrap();
    let sent = json!(authenticator.get(&options.challenge)).to_string();
    let response: AuthenticationResponse = serde_json::from_str(&sent).unwrap();
    assert!(relying_party().finish_authentication(kept, &response, &stored, ADA, at(1)).is_ok());
}

#[test]
fn an_answer_from_elsewhere_is_refused() {
    assert_eq!(lie(|a| a.origin = "https://evil.example".to_owned()), CeremonyError::Origin);
    assert_eq!(lie(|a| a.rp_id = "evil.example".to_owned()), CeremonyError::RpIdHash);
    assert_eq!(
        lie(|a| a.extra_client_data = json!({ "crossOrigin": true })),
        CeremonyError::CrossOrigin
    );
    assert_eq!(
        lie(|a| a.extra_client_data = json!({ "type": "webauthn.create" })),
        CeremonyError::Type
    );
    assert_eq!(lie(|a| a.user_handle = Some(b"user_bob".to_vec())), CeremonyError::UserHandle);
}

#[test]
fn flags_are_believed_only_where_they_fit() {
    assert_eq!(lie(|a| a.flags = UV), CeremonyError::UserPresent);
    assert_eq!(lie(|a| a.flags = UP), CeremonyError::UserVerified);
    assert_eq!(lie(|a| a.flags = UP | UV | BS), CeremonyError::Backup);
    assert_eq!(lie(|a| a.flags = UP | UV | BE), CeremonyError::Backup);
}

#[test]
fn a_counter_that_does_not_go_up_betrays_a_copy() {
    assert_eq!(lie(|a| a.sign_count = 1), CeremonyError::SignCount);
    assert_eq!(lie(|a| a.sign_count = 0), CeremonyError::SignCount);
    let mut without = Authenticator::p256();
    without.sign_count = 0;
    let stored = record(&without);
    assert!(log_in(&without, &stored).is_ok(), "some authenticators do not count");
}

#[test]
fn a_replayed_or_late_answer_is_refused() {
    let mut authenticator = Authenticator::p256();
    let stored = record(&authenticator);
    authenticator.sign_count = 2;
    let (options, state) = begin(Some(&stored), 2);
    let response = authenticator.get(&options.challenge);
    let finish = |state, seconds| {
        relying_party().finish_authentication(state, &response, &stored, ADA, at(seconds))
    };
    assert_eq!(finish(state, 300), Err(CeremonyError::TooLate));
    assert_eq!(finish(begin(Some(&stored), 3).1, 1), Err(CeremonyError::Challenge));
}

#[test]
fn another_passkey_than_the_ones_asked_for_is_refused() {
    let mut authenticator = Authenticator::p256();
    let stored = record(&authenticator);
    authenticator.id = vec![8; 16];
    let other = record(&authenticator);
    authenticator.sign_count = 2;
    let (options, state) = begin(Some(&stored), 2);
    let response = authenticator.get(&options.challenge);
    let refused = relying_party().finish_authentication(state, &response, &other, ADA, at(1));
    assert_eq!(refused, Err(CeremonyError::NotAllowed));
    assert_eq!(log_in(&authenticator, &stored), Err(CeremonyError::NotAllowed));
}

#[test]
fn only_the_key_that_was_registered_signs() {
    let stored = record(&Authenticator::p256());
    for mut other in [Authenticator::p256(), Authenticator::ed25519(), Authenticator::rsa()] {
        other.sign_count = 2;
        assert_eq!(log_in(&other, &stored), Err(CeremonyError::Signature));
    }
}

#[test]
fn every_changed_byte_is_noticed() {
    let mut authenticator = Authenticator::ed25519();
    let stored = record(&authenticator);
    authenticator.sign_count = 2;
    let (options, _) = begin(Some(&stored), 2);
    let good = authenticator.get(&options.challenge);
    let refused = |response: &AuthenticationResponse| {
        let state = begin(Some(&stored), 2).1;
        relying_party().finish_authentication(state, response, &stored, ADA, at(1)).is_err()
    };
    for at in 0..good.response.authenticator_data.0.len() {
        let mut changed = good.clone();
        changed.response.authenticator_data.0[at] ^= 2;
        assert!(refused(&changed), "authenticator data {at}");
    }
    for at in 0..good.response.signature.0.len() {
        let mut changed = good.clone();
        changed.response.signature.0[at] ^= 1;
        assert!(refused(&changed), "signature {at}");
    }
    for at in 0..good.response.client_data_json.0.len() {
        let mut changed = good.clone();
        changed.response.client_data_json.0[at] ^= 1;
        assert!(refused(&changed), "client data {at}");
    }
}

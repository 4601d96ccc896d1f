mod authentication;
mod authenticator;
mod registration;

use chrono::{DateTime, Utc};
use rand::{SeedableRng, rngs::StdRng};

use super::*;

fn options() -> RelyingPartyOptions {
    RelyingPartyOptions {
        id: "mill.example".to_owned(),
        name: "Mill".to_owned(),
        origins: vec![
            "https://app.mill.example".to_owned(),
            "https://mill.example:8443".to_owned(),
        ],
    }
}

fn relying_party() -> RelyingParty {
    RelyingParty::new(options()).unwrap()
}

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
}

fn register(
    verification: UserVerificationRequirement,
    seed: u64,
) -> (PublicKeyCredentialCreationOptions, RegistrationState) {
    let user = PublicKeyCredentialUserEntity {
        id: Base64Url(b"user_ada".to_vec()),
        name: "ada@example.org".to_owned(),
        display_name: "Ada".to_owned(),
    };
    let rng = &mut StdRng::seed_from_u64(seed);
    relying_party().start_registration(user, vec![], verification, at(0), rng)
}

#[test]
fn the_id_is_a_domain_and_origins_belong_to_it() {
    let refused = |change: &dyn Fn(&mut RelyingPartyOptions)| {
        let mut changed = options();
        change(&mut changed);
        RelyingParty::new(changed).unwrap_err()
    };
    for id in ["", "Mill.example", "https://mill.example", "127.0.0.1", "mill.example:80", "a b"] {
        let error = refused(&|options| options.id = id.to_owned());
        assert_eq!(error, RelyingPartyError::Id(id.to_owned()));
    }
    assert_eq!(refused(&|options| options.origins.clear()), RelyingPartyError::NoOrigin);
    let bad = [
        "",
        "app.mill.example",
        "https://app.mill.example/",
        "http://app.mill.example",
        "https://APP.mill.example",
        "https://app.mill.example/login",
    ];
    for origin in bad {
        let error = refused(&|options| options.origins = vec![origin.to_owned()]);
        assert_eq!(error, RelyingPartyError::Origin(origin.to_owned()));
    }
    for origin in ["https://example", "https://evilmill.example", "https://mill.example.evil"] {
        let error = refused(&|options| options.origins = vec![origin.to_owned()]);
        assert!(matches!(error, RelyingPartyError::Elsewhere { .. }), "{origin}");
    }
    let local = RelyingPartyOptions {
        id: "localhost".to_owned(),
        origins: vec!["http://localhost:3000".to_owned()],
        ..options()
    };
    assert!(RelyingParty::new(local).is_ok());
}

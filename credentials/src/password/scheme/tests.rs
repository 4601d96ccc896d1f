use proptest::prelude::*;

use super::*;

/// Costs low enough for tests.
fn cheap() -> PasswordOptions {
    PasswordOptions { memory_kib: 64, iterations: 1, ..PasswordOptions::default() }
}

fn scheme() -> Scheme {
    Scheme::new(&cheap()).unwrap()
}

fn secret(text: &str) -> SecretString {
    text.into()
}

#[test]
fn a_password_is_known_again_and_another_is_not() {
    let stored = scheme().hash(&secret("violet anchor"), [7; 16]).unwrap();
    assert!(stored.starts_with("$argon2id$v=19$m=64,t=1,p=1$"), "{stored}");
    assert_eq!(scheme().verify(&secret("violet anchor"), &stored), Ok(Verdict::Right));
    assert_eq!(scheme().verify(&secret("violet ancho"), &stored), Ok(Verdict::Wrong));
    assert_eq!(scheme().verify(&secret(""), &stored), Ok(Verdict::Wrong));
}

#[test]
fn the_default_costs_are_those_of_owasp() {
    let stored = Scheme::new(&PasswordOptions::default()).unwrap();
    let stored = stored.hash(&secret("x"), [7; 16]).unwrap();
    assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
    assert_eq!(Scheme::check(&stored), Ok(()));
}

#[test]
fn a_hash_with_other_costs_is_right_and_outdated() {
    let older = Scheme::new(&PasswordOptions { memory_kib: 32, ..cheap() }).unwrap();
    let stored = older.hash(&secret("violet anchor"), [7; 16]).unwrap();
    assert_eq!(scheme().verify(&secret("violet anchor"), &stored), Ok(Verdict::Outdated));
    assert_eq!(scheme().verify(&secret("other"), &stored), Ok(Verdict::Wrong));
}

/// Hashes of other programs, in the three spellings of the same algorithm.
#[test]
fn bcrypt_hashes_are_verified_and_outdated() {
    let hash = bcrypt::hash_with_salt("violet anchor", 4, [7; 16]).unwrap();
    for version in [bcrypt::Version::TwoA, bcrypt::Version::TwoB, bcrypt::Version::TwoY] {
        let stored = hash.format_for_version(version);
        assert_eq!(scheme().verify(&secret("violet anchor"), &stored), Ok(Verdict::Outdated));
        assert_eq!(scheme().verify(&secret("other"), &stored), Ok(Verdict::Wrong));
    }
    let known = "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";
    assert_eq!(scheme().verify(&secret("U*U"), known), Ok(Verdict::Outdated));
    assert_eq!(Scheme::check(known), Ok(()));
}

#[test]
fn a_stored_hash_cannot_demand_endless_work() {
    let demanding = [
        "$argon2id$v=19$m=4194304,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
        "$argon2id$v=19$m=64,t=4000000,p=1$c29tZXNhbHRzb21lc2FsdA$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
        "$2b$31$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
    ];
    for stored in demanding {
        assert_eq!(scheme().verify(&secret("x"), stored), Err(SchemeError::TooCostly), "{stored}");
        assert_eq!(Scheme::check(stored), Err(SchemeError::TooCostly), "{stored}");
    }
}

#[test]
fn what_is_no_hash_is_said_to_be_none() {
    let bad = [
        "",
        "violet anchor",
        "$argon2i$v=19$m=64,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
        "$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHRzb21lc2FsdA",
        "$2b$12$short",
        "$2x$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
    ];
    for stored in bad {
        assert_eq!(scheme().verify(&secret("x"), stored), Err(SchemeError::Unreadable), "{stored}");
        assert_eq!(Scheme::check(stored), Err(SchemeError::Unreadable), "{stored}");
    }
}

#[test]
fn a_password_that_is_too_long_costs_nothing() {
    let long = secret(&"x".repeat(MAX_BYTES + 1));
    let stored = scheme().hash(&secret("x"), [7; 16]).unwrap();
    assert_eq!(scheme().verify(&long, &stored), Err(SchemeError::TooLong));
    assert_eq!(scheme().verify_absent(&long), Err(SchemeError::TooLong));
    assert_eq!(scheme().hash(&long, [7; 16]), Err(SchemeError::TooLong));
}

/// Times differ from run to run, so the work is compared: it is that of a hash made now.
#[test]
fn an_absent_account_costs_the_work_of_one_that_is_there() {
    let scheme = scheme();
    assert_eq!(scheme.verify(&secret(""), &scheme.absent), Ok(Verdict::Right));
    for guess in ["", "violet anchor"] {
        assert_eq!(scheme.verify_absent(&secret(guess)), Ok(Verdict::Wrong));
    }
}

#[test]
fn options_that_cannot_be_are_refused() {
    let refused = |options| Scheme::new(&options).unwrap_err();
    assert_eq!(refused(PasswordOptions { memory_kib: 7, ..cheap() }), OptionsError::Memory);
    assert_eq!(refused(PasswordOptions { memory_kib: u32::MAX, ..cheap() }), OptionsError::Memory);
    assert_eq!(refused(PasswordOptions { iterations: 0, ..cheap() }), OptionsError::Iterations);
    assert_eq!(refused(PasswordOptions { parallelism: 99, ..cheap() }), OptionsError::Parallelism);
}

proptest! {
    #[test]
    fn any_stored_text_is_read_or_refused(stored in "(\\$argon2id\\$v=19\\$|\\$2b\\$04\\$)?\\PC{0,80}") {
        prop_assert_ne!(scheme().verify(&secret("x"), &stored), Ok(Verdict::Right));
    }
}

use crate::secrets::rule::Rule;

const NAMES: &[&str] = &["secret", "token", "key", "passw", "pwd", "credential"];

/// Values that only their name and their randomness give away.
pub const RULES: &[Rule] = &[
    Rule::new(
        "assigned-secret",
        "Secret written into a file",
        NAMES,
        r#"(?i)(?:secret|token|api[_-]?key|access[_-]?key|auth[_-]?key|private[_-]?key|signing[_-]?key|encryption[_-]?key|passw(?:or)?d|pwd|credential)[a-z0-9_-]{0,20}["'`]?\]?[ \t]{0,3}(?::=|=>|=|:)[ \t]{0,3}["'`]([A-Za-z0-9+/=_.~!@#$%^&*-]{16,200})["'`]"#,
    )
    .by_name(),
    Rule::new(
        "environment-secret",
        "Secret of an environment file",
        NAMES,
        r"(?m)^[ \t]{0,8}(?:export |set |ENV )?[A-Z0-9_]{0,40}(?:SECRET|TOKEN|API_?KEY|ACCESS_KEY|AUTH_KEY|PRIVATE_KEY|SIGNING_KEY|ENCRYPTION_KEY|PASSWORD|PASSWD|CREDENTIAL)[A-Z0-9_]{0,20}[ \t]{0,3}=[ \t]{0,3}([A-Za-z0-9+/=_.~!@#%^&*-]{16,200})[ \t\r]*$",
    )
    .by_name(),
];

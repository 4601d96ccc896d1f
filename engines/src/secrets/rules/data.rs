use domain::scans::Severity::{Critical, Medium};

use crate::secrets::rule::Rule;

/// Keys, tokens and addresses that belong to no single service.
pub const RULES: &[Rule] = &[
    Rule::new(
        "private-key",
        "Private key",
        &["private key"],
        r"-----BEGIN (?:(?:RSA|EC|DSA|OPENSSH|PGP) )?PRIVATE KEY(?: BLOCK)?-----(?:\s|\\[nr])*(?:(?:Proc-Type|DEK-Info|Version|Comment|Hash):[^\r\n]{0,200}\s+)*([A-Za-z0-9+/=\s\\]{60,})",
    )
    .severity(Critical)
    .revoke("by replacing the key everywhere its public half is trusted"),
    Rule::new(
        "encrypted-private-key",
        "Encrypted private key",
        &["encrypted private key"],
        r"-----BEGIN ENCRYPTED PRIVATE KEY-----(?:\s|\\[nr])*([A-Za-z0-9+/=\s\\]{60,})",
    )
    .severity(Medium)
    .revoke("by replacing the key everywhere its public half is trusted"),
    Rule::new(
        "age-secret-key",
        "age secret key",
        &["age-secret-key-1"],
        r"\b(AGE-SECRET-KEY-1[QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L]{58})\b",
    )
    .severity(Critical)
    .revoke("by encrypting the files anew for another key"),
    Rule::new(
        "wireguard-private-key",
        "WireGuard private key",
        &["privatekey"],
        r"(?m)^[ \t]{0,8}PrivateKey[ \t]{0,3}=[ \t]{0,3}([A-Za-z0-9+/]{43}=)",
    )
    .min_entropy(4.0),
    Rule::new(
        "json-web-token",
        "JSON Web Token",
        &["eyj"],
        r"\b(eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{16,})",
    )
    .severity(Medium)
    .revoke("by letting its issuer end the session or change the signing key"),
    Rule::new(
        "database-url",
        "Database address with its password",
        &["postgres", "mysql", "mariadb", "mongodb", "redis", "amqp", "mssql", "sqlserver", "clickhouse"],
        r#"(?i)\b(?:postgres(?:ql)?|mysql|mariadb|mongodb|rediss?|amqps?|mssql|sqlserver|clickhouse)(?:\+[a-z0-9]{1,20})?://[^\s:/@"'<>`]{0,100}:([^\s@/"'<>`]{3,200})@[a-z0-9_.\[-]"#,
    )
    .guessable()
    .revoke("by changing the password of the database user"),
    Rule::new(
        "url-password",
        "Address with a password",
        &["://"],
        r#"(?i)\b(?:https?|ftps?|sftp|ssh|git|smtps?|ldaps?|imaps?|nats|tls|wss?)://[^\s:/@"'<>`]{1,100}:([^\s@/"'<>`]{3,200})@[a-z0-9_.\[-]"#,
    )
    .guessable()
    .revoke("by changing the password"),
    Rule::new(
        "netrc-password",
        "Password of a netrc file",
        &["machine"],
        r"(?m)^[ \t]{0,8}machine[ \t]+\S{1,200}\s+login[ \t]+\S{1,200}\s+password[ \t]+(\S{3,200})",
    )
    .guessable()
    .revoke("by changing the password"),
];

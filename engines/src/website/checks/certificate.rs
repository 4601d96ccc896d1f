//! The certificate, judged as a browser would, but with all its faults and not only the first.

use std::time::Duration;

use chrono::DateTime;
use domain::scans::{Finding, Severity};
use rustls::{
    Error, RootCertStore,
    client::{verify_server_cert_signed_by_trust_anchor, verify_server_name},
    crypto::ring,
    pki_types::UnixTime,
    server::ParsedCertificate,
};
use url::Url;
use x509_parser::{certificate::X509Certificate, prelude::FromDer, public_key::PublicKey};

use crate::website::{connect::Tls, rule::Rule};

const SOON: Duration = Duration::from_secs(30 * 24 * 60 * 60);
const MIN_RSA_BITS: usize = 2048;
const MIN_EC_BITS: usize = 224;

const EXPIRED: Rule = Rule {
    id: "website.certificate-expired",
    title: "The certificate has expired",
    description: "Browsers warn visitors away, and those who click through learn to ignore such warnings.",
    severity: Severity::High,
    cwe: &[298, 295],
    fix: "Renew the certificate, and renew it automatically from now on.",
    references: &[
        "https://cheatsheetseries.owasp.org/cheatsheets/Transport_Layer_Security_Cheat_Sheet.html",
        "https://www.rfc-editor.org/rfc/rfc5280#section-4.1.2.5",
    ],
};

const NOT_YET_VALID: Rule = Rule {
    id: "website.certificate-not-yet-valid",
    title: "The certificate is not valid yet",
    description: "Browsers refuse the site until the certificate begins to be valid.",
    fix: "Install a certificate that is valid now, and check the clock of the machine that made it.",
    ..EXPIRED
};

const EXPIRES_SOON: Rule = Rule {
    id: "website.certificate-expires-soon",
    title: "The certificate expires within 30 days",
    description: "Unless it is renewed in time, browsers will refuse the site.",
    severity: Severity::Low,
    ..EXPIRED
};

const WRONG_HOST: Rule = Rule {
    id: "website.certificate-wrong-host",
    title: "The certificate is for another host",
    description: "The name of the site is not in the certificate, so a visitor cannot tell the site from an impostor.",
    severity: Severity::High,
    cwe: &[297, 295],
    fix: "Install a certificate that holds the name of the site as a subject alternative name.",
    references: &["https://www.rfc-editor.org/rfc/rfc9525"],
};

const SELF_SIGNED: Rule = Rule {
    id: "website.certificate-self-signed",
    title: "The certificate is signed by itself",
    description: "Nobody but the certificate itself vouches for it, so a visitor cannot tell the site from an impostor.",
    severity: Severity::High,
    cwe: &[295, 296],
    fix: "Install a certificate of an authority that browsers trust.",
    references: EXPIRED.references,
};

const UNTRUSTED: Rule = Rule {
    id: "website.certificate-untrusted",
    title: "The certificate leads to no trusted authority",
    description: "The issuer is not one that browsers trust, or a certificate between it and the site was not sent.",
    fix: "Install a certificate of an authority that browsers trust, together with its intermediate certificates.",
    ..SELF_SIGNED
};

const WEAK_SIGNATURE: Rule = Rule {
    id: "website.certificate-weak-signature",
    title: "The certificate is signed with a broken hash",
    description: "Signatures with MD5 or SHA-1 can be forged.",
    severity: Severity::High,
    cwe: &[327, 328],
    fix: "Have the certificate issued again with SHA-256 or better.",
    references: EXPIRED.references,
};

const WEAK_KEY: Rule = Rule {
    id: "website.certificate-weak-key",
    title: "The key of the certificate is too short",
    description: "Keys this short can be broken, after which the connection can be read and the site be imitated.",
    severity: Severity::High,
    cwe: &[326],
    fix: "Make a new key: RSA with 2048 bits or more, or an elliptic curve such as P-256.",
    references: EXPIRED.references,
};

const UNREADABLE: Rule = Rule {
    id: "website.certificate-unreadable",
    title: "The certificate cannot be read",
    description: "What the server shows is not a certificate of the usual form; browsers refuse it.",
    fix: "Install a certificate of version 3.",
    ..SELF_SIGNED
};

pub(in crate::website) fn check(url: &Url, tls: &Tls, roots: &RootCertStore) -> Vec<Finding> {
    let found = |(rule, evidence): (&Rule, String)| rule.found(url, "certificate", &evidence);
    let Ok((_, certificate)) = X509Certificate::from_der(&tls.certificate) else {
        return vec![found((&UNREADABLE, "the DER encoding is invalid".to_owned()))];
    };
    let mut faults = Vec::new();
    faults.extend(validity(&certificate, tls.now));
    match ParsedCertificate::try_from(&tls.certificate) {
        Err(error) => faults.push((&UNREADABLE, error.to_string())),
        Ok(parsed) => {
            if verify_server_name(&parsed, &tls.name).is_err() {
                faults.push((&WRONG_HOST, names(&certificate, url)));
            }
            faults.extend(trust(&certificate, &parsed, tls, roots));
        }
    }
    faults.extend(weak_signature(&certificate));
    faults.extend(weak_key(&certificate));
    faults.into_iter().map(found).collect()
}

fn validity(certificate: &X509Certificate, now: UnixTime) -> Option<(&'static Rule, String)> {
    let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    let (start, end) = period(certificate);
    if now < start {
        Some((&NOT_YET_VALID, format!("valid from {}", time(start))))
    } else if now > end {
        Some((&EXPIRED, format!("valid until {}", time(end))))
    } else if end - now < SOON.as_secs() as i64 {
        Some((&EXPIRES_SOON, format!("valid until {}", time(end))))
    } else {
        None
    }
}

/// First and last second, counted from 1970.
fn period(certificate: &X509Certificate) -> (i64, i64) {
    let validity = certificate.validity();
    (validity.not_before.timestamp(), validity.not_after.timestamp())
}

fn time(seconds: i64) -> String {
    DateTime::from_timestamp(seconds, 0).map_or_else(
        || "an impossible time".to_owned(),
        |time| time.format("%Y-%m-%d %H:%M UTC").to_string(),
    )
}

fn trust(
    certificate: &X509Certificate,
    parsed: &ParsedCertificate<'_>,
    tls: &Tls,
    roots: &RootCertStore,
) -> Option<(&'static Rule, String)> {
    // That the certificate itself is out of date is a fault of its own and must not hide others.
    let (start, end) = period(certificate);
    let now = i64::try_from(tls.now.as_secs()).unwrap_or(i64::MAX).min(end).max(start);
    let at = UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(now).unwrap_or(0)));
    let algorithms = ring::default_provider().signature_verification_algorithms.all;
    let error = verify_server_cert_signed_by_trust_anchor(
        parsed,
        roots,
        &tls.intermediates,
        at,
        algorithms,
    )
    .err()?;
    let evidence = format!(
        "issuer: {}; {} further certificates were sent; {}",
        certificate.issuer(),
        tls.intermediates.len(),
        reason(&error),
    );
    let is_own_issuer = certificate.issuer().as_raw() == certificate.subject().as_raw();
    Some((if is_own_issuer { &SELF_SIGNED } else { &UNTRUSTED }, evidence))
}

fn reason(error: &Error) -> String {
    match error {
        Error::InvalidCertificate(fault) => fault.to_string(),
        other => other.to_string(),
    }
}

fn names(certificate: &X509Certificate, url: &Url) -> String {
    let alternatives = certificate.subject_alternative_name().ok().flatten();
    let names: Vec<String> = alternatives
        .iter()
        .flat_map(|extension| &extension.value.general_names)
        .map(|name| name.to_string())
        .collect();
    let host = url.host_str().unwrap_or_default();
    match names.as_slice() {
        [] => format!("the certificate names no host, {host} was asked for"),
        names => format!("{host} is not among {}", crate::website::show::list(names)),
    }
}

fn weak_signature(certificate: &X509Certificate) -> Option<(&'static Rule, String)> {
    let algorithm = match certificate.signature_algorithm.algorithm.to_id_string().as_str() {
        "1.2.840.113549.1.1.2" | "1.2.840.113549.1.1.3" => "MD2 or MD4 with RSA",
        "1.2.840.113549.1.1.4" => "MD5 with RSA",
        "1.2.840.113549.1.1.5" | "1.3.14.3.2.29" => "SHA-1 with RSA",
        "1.2.840.10045.4.1" => "SHA-1 with ECDSA",
        "1.2.840.10040.4.3" => "SHA-1 with DSA",
        _ => return None,
    };
    // Nobody relies on the signature of a root or of a certificate that vouches for itself.
    let is_own_issuer = certificate.issuer().as_raw() == certificate.subject().as_raw();
    (!is_own_issuer).then(|| (&WEAK_SIGNATURE, format!("signed with {algorithm}")))
}

fn weak_key(certificate: &X509Certificate) -> Option<(&'static Rule, String)> {
    let (kind, bits, least) = match certificate.public_key().parsed().ok()? {
        PublicKey::RSA(key) => {
            let zeros = key.modulus.iter().take_while(|byte| **byte == 0).count();
            ("RSA", (key.modulus.len() - zeros) * 8, MIN_RSA_BITS)
        }
        PublicKey::EC(point) => ("elliptic curve", point.key_size(), MIN_EC_BITS),
        PublicKey::DSA(_) => return Some((&WEAK_KEY, "the key is one of DSA".to_owned())),
        _ => return None,
    };
    (bits < least).then(|| (&WEAK_KEY, format!("{kind} with {bits} bits")))
}

use std::time::Duration;

use domain::scans::EngineOutcome;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair,
    date_time_ymd,
};
use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime},
};
use url::Url;

use super::{
    Scan, scan,
    server::{Identity, Server, not_found},
};
use crate::website::{checks::certificate, connect::Tls};

/// An authority of the test's own.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
}

impl Authority {
    pub fn new() -> Self {
        let mut params = names(&[]);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name = common_name("Authority of the tests");
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap().der().clone();
        Self { issuer: Issuer::new(params, key), certificate }
    }

    pub fn issue(&self, params: CertificateParams) -> Identity {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        Identity { chain: vec![certificate.der().clone()], key }
    }

    pub fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).unwrap();
        roots
    }
}

pub fn names(names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.distinguished_name = common_name("localhost");
    params
}

fn common_name(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    distinguished
}

fn period(mut params: CertificateParams, from: i32, until: i32) -> CertificateParams {
    params.not_before = date_time_ymd(from, 1, 1);
    params.not_after = date_time_ymd(until, 1, 1);
    params
}

/// The rules that a certificate breaks at a day, given in days since 1970.
fn judged(certificate: CertificateDer<'static>, roots: &RootCertStore, day: u64) -> Vec<String> {
    let tls = Tls {
        name: ServerName::try_from("localhost").unwrap(),
        certificate,
        intermediates: Vec::new(),
        now: UnixTime::since_unix_epoch(Duration::from_secs(day * 24 * 60 * 60)),
    };
    let url = Url::parse("https://localhost/").unwrap();
    let findings = certificate::check(&url, &tls, roots);
    findings.into_iter().map(|f| f.rule_id.replace("website.certificate-", "")).collect()
}

const DAY_IN_2025: u64 = 20_089;
/// 2030-01-01.
const LAST_DAY: u64 = 21_915;

#[test]
fn a_certificate_is_judged_by_the_day() {
    let authority = Authority::new();
    let roots = authority.roots();
    let identity = authority.issue(period(names(&["localhost"]), 2020, 2030));
    let on = |day| judged(identity.chain[0].clone(), &roots, day);
    assert_eq!(on(DAY_IN_2025), Vec::<String>::new());
    assert_eq!(on(LAST_DAY - 10), ["expires-soon"]);
    assert_eq!(on(LAST_DAY + 1), ["expired"]);
    assert_eq!(on(10_000), ["not-yet-valid"]);
}

#[test]
fn all_faults_of_a_certificate_are_told_and_not_only_the_first() {
    let identity = Identity::self_signed(period(names(&["other.example"]), 2020, 2021));
    let faults = judged(identity.chain[0].clone(), &RootCertStore::empty(), DAY_IN_2025);
    assert_eq!(faults, ["expired", "wrong-host", "self-signed"]);
    let identity = Authority::new().issue(names(&["localhost"]));
    let faults = judged(identity.chain[0].clone(), &RootCertStore::empty(), DAY_IN_2025);
    assert_eq!(faults, ["untrusted"]);
}

#[test]
fn short_keys_and_broken_hashes_are_seen() {
    let weak = CertificateDer::from(include_bytes!("weak-certificate.der").to_vec());
    let faults = judged(weak, &RootCertStore::empty(), DAY_IN_2025);
    assert!(faults.contains(&"weak-key".to_owned()), "{faults:?}");
    assert!(faults.contains(&"weak-signature".to_owned()), "{faults:?}");
}

#[test]
fn what_is_no_certificate_is_a_finding() {
    let none = RootCertStore::empty();
    assert_eq!(
        judged(CertificateDer::from(b"\x30\x82\xff\xffx".to_vec()), &none, 1),
        ["unreadable"]
    );
    assert_eq!(judged(CertificateDer::from(Vec::new()), &none, 1), ["unreadable"]);
}

#[test]
fn a_faulty_certificate_does_not_stop_the_scan() {
    let identity = Identity::self_signed(period(names(&["other.example"]), 2020, 2021));
    let server = Server::https(&identity, |_, stream| not_found(stream));
    let report = scan(&server.url("https", "localhost"));
    for rule in ["certificate-expired", "certificate-wrong-host", "certificate-self-signed"] {
        assert!(report.rules().contains(&rule), "{:?}", report.rules());
    }
    let evidence = report.finding("certificate-expired").evidence.as_deref();
    assert_eq!(evidence, Some("valid until 2021-01-01 00:00 UTC"));
    assert!(!report.rules().contains(&"tls-old-version"));
}

#[test]
fn a_server_that_only_speaks_a_withdrawn_version_is_reported() {
    use std::io::{Read, Write};
    let server = Server::raw(|mut stream| {
        let mut hello = [0; 11];
        if stream.read_exact(&mut hello).is_err() {
            return;
        }
        // The greeting names its highest version after the two lengths.
        let highest = hello[10];
        let answer: &[u8] = match highest {
            1 | 2 => &[22, 3, highest, 0, 50, 2, 0, 0, 46, 3, highest, 1, 2, 3],
            _ => &[21, 3, 1, 0, 2, 2, 70],
        };
        let _ = stream.write_all(answer);
        let _ = stream.read(&mut [0; 1024]);
    });
    let report = Scan::impatient().run(&server.url("https", "127.0.0.1"));
    assert_eq!(report.outcome(), EngineOutcome::Failed);
    assert_eq!(report.warnings()[0].0, "unreachable");
    assert_eq!(report.findings().count(), 2);
    assert_eq!(report.rules(), ["tls-old-version"]);
}

#[test]
fn plain_http_behind_an_https_address_is_unreachable() {
    let server = Server::http(|_, stream| not_found(stream));
    let report = Scan { roots: RootCertStore::empty(), ..Scan::impatient() }
        .run(&server.url("https", "127.0.0.1"));
    assert_eq!(report.outcome(), EngineOutcome::Failed);
    assert!(report.warnings()[0].1.contains("TLS"), "{:?}", report.warnings());
}

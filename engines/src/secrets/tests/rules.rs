use std::{collections::BTreeSet, fs};

use domain::scans::Severity;

use super::{assert_hidden, findings, quick, samples};
use crate::secrets::{detect::Detector, rules, value};

#[test]
fn every_rule_finds_its_kind_of_credential_and_masks_it() {
    let root = tempfile::tempdir().unwrap();
    let samples = samples::all();
    for (number, (_, text, _)) in samples.iter().enumerate() {
        fs::write(root.path().join(format!("{number:03}")), format!("# a line\n{text}\n")).unwrap();
    }
    let messages = quick(root.path());
    let found: Vec<_> = findings(&messages).iter().map(|f| f.rule_id.clone()).collect();
    let expected: Vec<_> = samples.iter().map(|(rule, ..)| format!("secrets.{rule}")).collect();
    assert_eq!(found, expected);
    for (_, _, value) in &samples {
        assert_hidden(&messages, value);
    }
}

#[test]
fn every_rule_has_a_sample_and_a_name_of_its_own() {
    let sampled: BTreeSet<_> = samples::all().iter().map(|(rule, ..)| *rule).collect();
    let rules: Vec<_> = rules::all().map(|rule| rule.id).collect();
    assert!(rules.len() >= 35);
    assert_eq!(rules.iter().copied().collect::<BTreeSet<_>>(), sampled);
    assert_eq!(sampled.len(), rules.len());
}

#[test]
fn keywords_are_lower_case() {
    for rule in rules::all() {
        assert!(!rule.keywords.is_empty(), "{}", rule.id);
        assert!(rule.keywords.iter().all(|word| *word == word.to_lowercase()), "{}", rule.id);
    }
}

#[test]
fn at_most_a_quarter_of_a_value_is_shown() {
    let root = tempfile::tempdir().unwrap();
    for (number, (_, text, _)) in samples::all().iter().enumerate() {
        fs::write(root.path().join(format!("{number:03}")), text).unwrap();
    }
    for (finding, (rule, _, value)) in findings(&quick(root.path())).iter().zip(samples::all()) {
        let evidence = finding.evidence.as_deref().unwrap();
        let shown = evidence.trim_end_matches('*');
        assert!(shown.len() <= 4 && shown.len() * 4 <= value.len(), "{rule}: {evidence}");
        assert!(finding.severity >= Severity::Medium);
        assert_eq!(finding.fingerprint.len(), 32);
    }
}

#[test]
fn stand_ins_and_ordinary_values_are_no_credentials() {
    let detector = Detector::new().unwrap();
    let texts = [
        format!("aws: AK{}IOSFODNN7EXAMPLE", "IA"),
        format!("aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCY{}", "EXAMPLEKEY"),
        "postgres://user:password@localhost/db".to_owned(),
        "postgres://user:${DB_PASSWORD}@localhost/db".to_owned(),
        "https://user:xxxxxxxx@host/".to_owned(),
        "https://user:<password>@host/".to_owned(),
        "api_key = \"your-api-key-goes-here-1\"".to_owned(),
        "token: \"changeme-changeme-1234\"".to_owned(),
        "secret = \"${SECRET_FROM_ENVIRONMENT_1}\"".to_owned(),
        "token_id: \"123e4567-e89b-12d3-a456-426614174000\"".to_owned(),
        "secret_name = \"projects/my-app/secrets/db-v2\"".to_owned(),
        "API_KEY=XXXXXXXXXXXXXXXXXXXXXXXX".to_owned(),
        format!("token = \"{}\"", "a1".repeat(12)),
        format!("gh{}_{}", "p", "a".repeat(36)),
        "let token = next_token(input, position_2);".to_owned(),
        "integrity_token: \"sha512-Zm9vYmFyYmF6cXV4MTIzNDU2Nzg5MA==\"".to_owned(),
    ];
    for text in texts {
        let hits = detector.find(text.as_bytes(), 10);
        assert!(hits.is_empty(), "{text}: {hits:?}");
    }
}

#[test]
fn the_more_telling_rule_wins_where_two_match() {
    let detector = Detector::new().unwrap();
    let text = format!("API_TOKEN = \"gh{}_{}\"", "p", samples::mixed(36, 1));
    let rules: Vec<_> = detector.find(text.as_bytes(), 10).iter().map(|hit| hit.rule.id).collect();
    assert_eq!(rules, ["github-token"]);
}

#[test]
fn entropy_is_that_of_shannon() {
    assert_eq!(value::entropy(b"aaaa"), 0.0);
    assert_eq!(value::entropy(b"abab"), 1.0);
    assert_eq!(value::entropy(b"abcdefgh"), 3.0);
    assert_eq!(value::entropy(b""), 0.0);
}

use std::collections::BTreeSet;
use std::fs;

use regex::Regex;

use crate::sources::sources;

fn described() -> BTreeSet<String> {
    millrace::telemetry::metrics::names().map(str::to_owned).collect()
}

fn found(pattern: &str, text: &str) -> BTreeSet<String> {
    let pattern = Regex::new(pattern).unwrap();
    pattern.captures_iter(text).map(|found| found[1].to_owned()).collect()
}

#[test]
fn every_metric_is_described_and_every_description_is_of_a_metric() {
    let emitted: BTreeSet<_> = sources(&["rs"])
        .into_iter()
        .filter(|(path, _)| !path.starts_with("src/telemetry") && !path.starts_with("tests"))
        .flat_map(|(_, text)| found(r#"\b(?:counter|gauge|histogram)!\(\s*"([a-z_]+)""#, &text))
        .collect();
    assert_eq!(emitted, described());
}

#[test]
fn alerts_and_dashboard_ask_for_metrics_there_are() {
    for file in ["ops/prometheus/rules.yml", "ops/grafana/dashboards/millrace.json"] {
        let text = fs::read_to_string(file).unwrap();
        let asked = found(
            r"\b([a-z]+(?:_[a-z]+)*_(?:total|seconds|requests|depth|positions|state|letters|backlog|running|clients|connections))(?:_bucket|_count|_sum)?\b",
            &text,
        );
        assert!(asked.len() > 5, "{file} asks for {asked:?}");
        let unknown: Vec<_> = asked.difference(&described()).cloned().collect();
        assert_eq!(unknown, Vec::<String>::new(), "in {file}");
    }
}

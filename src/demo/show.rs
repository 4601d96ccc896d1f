//! What the demo prints.

use std::{net::SocketAddr, time::Duration};

use serde_json::Value;

use super::{account::Account, client::Watched};

const TITLE_CHARS: usize = 60;
const PLACE_CHARS: usize = 44;

pub fn account(account: &Account) {
    let Account { email, slug, mail, .. } = account;
    println!("signed up as {email}; the link was in {}", mail.display());
    println!("made the organisation {slug} and a key that scans in it\n");
}

pub fn began(target: &Value, id: &str) {
    let what = target["path"].as_str().or(target["url"].as_str()).unwrap_or_default();
    println!("scanning the {} {what}", text(&target["kind"]));
    println!("  {id}");
}

pub fn event(event: &Value) {
    let data = &event["data"];
    let engine = text(&data["engine"]);
    let told = match text(&event["type"]) {
        "scan.requested" => "requested".to_owned(),
        "scan.attempt_started" => {
            format!("attempt {} runs on {}", data["attempt"], text(&data["worker"]))
        }
        "scan.engine_started" => format!("{engine}: looking"),
        "scan.findings_recorded" => {
            let count = data["findings"].as_array().map_or(0, Vec::len);
            format!("{engine}: {count} findings")
        }
        "scan.engine_finished" => {
            format!("{engine}: {}, {}", text(&data["outcome"]), text(&data["summary"]))
        }
        "scan.completed" => "completed".to_owned(),
        "scan.failed" => format!("failed: {}", text(&data["reason"])),
        other => other.to_owned(),
    };
    println!("  #{:<5} {told}", event["position"]);
}

pub fn scan(watched: &Watched) {
    for warning in watched.scan["warnings"].as_array().into_iter().flatten() {
        println!("  note, {}: {}", text(&warning["engine"]), text(&warning["message"]));
    }
    println!();
    println!("  {:<9} {:<PLACE_CHARS$} WHAT", "SEVERITY", "WHERE");
    for finding in &watched.findings {
        let place = place(&finding["location"]);
        let place = cut_front(&place, PLACE_CHARS);
        let title = cut(text(&finding["title"]), TITLE_CHARS);
        println!("  {:<9} {place:<PLACE_CHARS$} {title}", text(&finding["severity"]));
    }
    let all = watched.scan["findings"].as_u64().unwrap_or_default();
    let shown = watched.findings.len() as u64;
    if all > shown {
        println!("  .. and {} more", all - shown);
    }
    println!();
}

pub fn timings(scans: &[Watched]) {
    let ms = |duration: Duration| duration.as_secs_f64() * 1000.0;
    for watched in scans {
        println!(
            "{:<10} command answered in {:.1} ms, visible to a read after {:.1} ms, ended after {:.1} s",
            text(&watched.scan["target"]["kind"]),
            ms(watched.accepted),
            ms(watched.visible),
            watched.ended.as_secs_f64()
        );
    }
}

pub fn links(address: SocketAddr, key: &str, scans: &[Watched], exit: bool) {
    println!();
    println!("API browser  http://{address}/docs");
    println!("metrics      http://{address}/metrics");
    for watched in scans {
        println!("scan         http://{address}/v1/scans/{}", text(&watched.scan["id"]));
    }
    println!("API key      {key}");
    println!("try          curl -H 'X-API-Key: {key}' http://{address}/v1/scans");
    if !exit {
        println!("\nCtrl-C ends it.");
    }
}

fn place(location: &Value) -> String {
    match text(&location["kind"]) {
        "file" => match location["line"].as_u64() {
            Some(line) => format!("{}:{line}", text(&location["path"])),
            None => text(&location["path"]).to_owned(),
        },
        _ => match location["part"].as_str() {
            Some(part) => format!("{} {part}", text(&location["url"])),
            None => text(&location["url"]).to_owned(),
        },
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn cut(text: &str, chars: usize) -> String {
    if text.chars().count() <= chars {
        return text.to_owned();
    }
    text.chars().take(chars - 2).chain("..".chars()).collect()
}

/// The end of a path tells more than its beginning.
fn cut_front(text: &str, chars: usize) -> String {
    let count = text.chars().count();
    if count <= chars {
        return text.to_owned();
    }
    "..".chars().chain(text.chars().skip(count - chars + 2)).collect()
}

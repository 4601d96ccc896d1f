use domain::scans::EngineOutcome;
use journal::{
    Clock, SystemClock,
    logs::{LogLine, LogSource},
};
use reqwest::Method;

use crate::{events::Reader, support::Server};

fn line(text: &str) -> LogLine {
    LogLine { at: SystemClock.now(), stream: LogSource::Out, text: text.to_owned() }
}

#[tokio::test]
async fn the_output_of_a_running_scan_is_followed_and_resumed() {
    let server = Server::start().await;
    let (id, _) = server.running(&server.owner).await;
    server.fresh(&format!("/v1/scans/{id}")).await.json();
    let (org, job) = (server.owner.org, id.to_string());
    let open = || server.request(Method::GET, &format!("/v1/scans/{id}/logs"));
    server.logs.publish(org, &job, &line("one")).await;
    let mut reader = Reader::open(open()).await;
    let first = reader.event().await.unwrap();
    assert_eq!((first.event.as_str(), &first.data["text"]), ("out", &"one".into()));
    drop(reader);
    server.logs.publish(org, &job, &line("</two>\r\nline")).await;
    let mut reader = Reader::open(open().header("last-event-id", first.id)).await;
    assert_eq!(reader.event().await.unwrap().data["text"], "</two>\r\nline");
    server.logs.end(org, &job).await;
    assert_eq!(reader.event().await.unwrap().event, "end");
    assert_eq!(reader.block().await, None);
}

#[tokio::test]
async fn the_output_of_an_ended_scan_comes_from_the_archive() {
    let server = Server::start().await;
    let id = server.completed(&server.owner, vec![], EngineOutcome::Completed, vec![]).await;
    server.fresh(&format!("/v1/scans/{id}")).await.json();
    let lines = [line("one"), line("two")];
    server.archive.write(server.owner.org, &id.to_string(), 1, &lines).await.unwrap();
    let open = || server.request(Method::GET, &format!("/v1/scans/{id}/logs"));
    let mut reader = Reader::open(open()).await;
    for (number, text) in [(1, "one"), (2, "two")] {
        let sent = reader.event().await.unwrap();
        assert_eq!((sent.id, &sent.data["text"]), (number, &text.into()));
    }
    assert_eq!(reader.event().await.unwrap().event, "end");
    let mut reader = Reader::open(open().header("last-event-id", 1)).await;
    assert_eq!(reader.event().await.unwrap().data["text"], "two");
}

use std::time::Duration;

use mail::{Error, Mailer, Sent, SmtpOptions};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;

use crate::support::{SECRET, mail_to, mailer, options, sender};
use testkit::MailSink as Sink;

fn tells_nothing(error: &Error) {
    let text = format!("{error} {error:?}").to_lowercase();
    for secret in ["hjalmar", "example.org", "zoë", &SECRET.to_lowercase()] {
        assert!(!text.contains(secret), "{secret} is in: {text}");
    }
}

#[tokio::test]
async fn a_refusal_is_final_and_tells_no_address() {
    let mut sink = Sink::plain().await;
    let mailer = mailer(sink.port);
    let error = mailer.send(&mail_to("550hjalmar@example.org")).await.unwrap_err();
    assert!(matches!(error, Error::Fail(_)), "{error}");
    assert!(error.to_string().contains("550 5.1.1 *** says no, see ***"), "{error}");
    tells_nothing(&error);

    assert_eq!(mailer.send(&mail_to("hjalmar@example.org")).await, Ok(Sent::Accepted));
    assert_eq!(sink.next().await.to, ["hjalmar@example.org"]);
}

#[tokio::test]
async fn a_greylisted_mail_may_go_later() {
    let sink = Sink::plain().await;
    let error = mailer(sink.port).send(&mail_to("451hjalmar@example.org")).await.unwrap_err();
    assert!(matches!(error, Error::Retry(_)), "{error}");
    assert!(error.to_string().contains("451"), "{error}");
    tells_nothing(&error);
}

#[tokio::test]
async fn a_server_that_wants_a_login_is_for_the_operator_to_mend() {
    let sink = Sink::start("none", Some(["user", "password"])).await;
    let error = mailer(sink.port).send(&mail_to("hjalmar@example.org")).await.unwrap_err();
    assert!(matches!(error, Error::Retry(_)), "{error}");
    assert!(error.to_string().contains("530"), "{error}");
}

#[tokio::test]
async fn a_server_that_is_not_there_may_be_there_later() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let error = mailer(port).send(&mail_to("hjalmar@example.org")).await.unwrap_err();
    assert!(matches!(error, Error::Retry(_)), "{error}");
    let expected = format!("127.0.0.1:{port} cannot be used: Connection refused");
    assert!(error.to_string().contains(&expected), "{error}");
}

#[tokio::test]
async fn a_server_that_never_answers_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("smtp://{}", listener.local_addr().unwrap());
    let timeout = Duration::from_millis(200);
    let mailer = Mailer::smtp(SmtpOptions { timeout, ..options(&url) }, sender()).unwrap();
    let error = mailer.send(&mail_to("hjalmar@example.org")).await.unwrap_err();
    assert!(matches!(error, Error::Retry(_)), "{error}");
    assert!(error.to_string().contains("did not answer within 200ms"), "{error}");
}

/// Answers the first commands and goes in the middle of the mail.
async fn leave_midway(listener: TcpListener, last_words: &'static str) {
    let (stream, _) = listener.accept().await.unwrap();
    let mut stream = BufReader::new(stream);
    stream.write_all(b"220 here\r\n").await.unwrap();
    for answer in ["250 hello", "250 sender", "250 recipient", "354 go on"] {
        let mut command = String::new();
        stream.read_line(&mut command).await.unwrap();
        stream.write_all(format!("{answer}\r\n").as_bytes()).await.unwrap();
    }
    let mut line = String::new();
    stream.read_line(&mut line).await.unwrap();
    stream.write_all(last_words.as_bytes()).await.unwrap();
}

async fn after(last_words: &'static str) -> Error {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mailer = mailer(listener.local_addr().unwrap().port());
    let server = tokio::spawn(leave_midway(listener, last_words));
    let error = mailer.send(&mail_to("hjalmar@example.org")).await.unwrap_err();
    server.await.unwrap();
    error
}

#[tokio::test]
async fn a_server_that_leaves_in_the_middle_may_be_back_later() {
    let error = after("").await;
    assert!(matches!(error, Error::Retry(_)), "{error}");
    tells_nothing(&error);
}

#[tokio::test]
async fn an_answer_that_is_none_may_be_one_later() {
    let error = after("what is hjalmar@example.org about?\r\n").await;
    assert!(matches!(error, Error::Retry(_)), "{error}");
    tells_nothing(&error);
}

#[tokio::test]
async fn a_filter_that_repeats_the_link_does_not_get_it_into_the_error() {
    let error = after(concat!(
        "554-5.7.1 HJALMAR@EXAMPLE.ORG may not be sent\r\n",
        "554 5.7.1 https://mill.example/reset?token=Zm9ydHktdHdvLWNoYXJhY3RlcnMtb2YtcmFuZG9tbmVzcw or ",
        "Zm9ydHktdHdvLWNoYXJhY3RlcnMtb2YtcmFuZG9tbmVzcw\r\n",
    ))
    .await;
    assert!(matches!(error, Error::Fail(_)), "{error}");
    assert!(error.to_string().contains("554 5.7.1 *** may not be sent"), "{error}");
    tells_nothing(&error);
}

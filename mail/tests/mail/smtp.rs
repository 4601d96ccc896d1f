use mail::{Error, Mailer, Sent, SmtpOptions, StartTls};

use crate::support::{ID, mail_to, mailer, options, sender};
use testkit::MailSink as Sink;

const LOGIN: Option<[&str; 2]> = Some(["post@mill.example", "p:w"]);

fn secure(sink: &Sink, url: &str, starttls: StartTls) -> Mailer {
    let url = url.replace("PORT", &sink.port.to_string());
    let options = SmtpOptions { starttls, extra_roots: sink.roots.clone(), ..options(&url) };
    Mailer::smtp(options, sender()).unwrap()
}

fn retry(result: Result<Sent, Error>) -> String {
    match result {
        Err(Error::Retry(reason)) => reason,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_server_takes_a_mail() {
    let mut sink = Sink::plain().await;
    let mailer = mailer(sink.port);
    assert_eq!(mailer.send(&mail_to("ann@example.org")).await, Ok(Sent::Accepted));

    let arrived = sink.next().await;
    assert_eq!(arrived.from, "no-reply@mill.example");
    assert_eq!(arrived.to, ["ann@example.org"]);
    assert_eq!(arrived.hello, "mill.example");
    assert!(!arrived.tls);
    for header in [
        &format!("Message-ID: <{ID}@mill.example>"),
        "Date: Sun, 01 Mar 2026 12:00:00 +0000",
        "Auto-Submitted: auto-generated",
        "From: =?utf-8?b?TWlsbCwgcmFjZQ==?= <no-reply@mill.example>",
        "To: =?utf-8?b?Wm/Dqw==?= <ann@example.org>",
        "Subject: Choose a new password for Mill, race",
    ] {
        assert!(
            arrived.content.contains(&format!("{header}\r\n")),
            "{header}: {}",
            arrived.content
        );
    }
}

#[tokio::test]
async fn many_mails_at_once_all_arrive() {
    let mut sink = Sink::plain().await;
    let mailer = std::sync::Arc::new(mailer(sink.port));
    let sending: Vec<_> = (0..20)
        .map(|number| {
            let mailer = mailer.clone();
            tokio::spawn(
                async move { mailer.send(&mail_to(&format!("n{number}@x.example"))).await },
            )
        })
        .collect();
    let mut arrived = std::collections::BTreeSet::new();
    for _ in 0..20 {
        arrived.extend(sink.next().await.to);
    }
    for sending in sending {
        assert_eq!(sending.await.unwrap(), Ok(Sent::Accepted));
    }
    assert_eq!(arrived.len(), 20);
}

#[tokio::test]
async fn a_login_travels_over_starttls() {
    let mut sink = Sink::start("starttls", LOGIN).await;
    let url = "smtp://post%40mill.example:p%3Aw@localhost:PORT";
    let mailer = secure(&sink, url, StartTls::Required);
    assert_eq!(mailer.send(&mail_to("ann@example.org")).await, Ok(Sent::Accepted));
    let arrived = sink.next().await;
    assert!(arrived.tls);
    assert_eq!(arrived.user.as_deref(), Some("post@mill.example"));
}

#[tokio::test]
async fn tls_from_the_start_works_too() {
    let mut sink = Sink::start("at_once", None).await;
    let mailer = secure(&sink, "smtps://localhost:PORT", StartTls::Required);
    assert_eq!(mailer.send(&mail_to("ann@example.org")).await, Ok(Sent::Accepted));
    assert!(sink.next().await.tls);
}

#[tokio::test]
async fn starttls_is_used_where_it_is_offered() {
    let mut sink = Sink::start("starttls", None).await;
    let mailer = secure(&sink, "smtp://localhost:PORT", StartTls::Optional);
    assert_eq!(mailer.send(&mail_to("ann@example.org")).await, Ok(Sent::Accepted));
    assert!(sink.next().await.tls);
}

#[tokio::test]
async fn a_server_without_starttls_gets_nothing_when_it_is_required() {
    let sink = Sink::plain().await;
    let mailer = secure(&sink, "smtp://localhost:PORT", StartTls::Required);
    let reason = retry(mailer.send(&mail_to("ann@example.org")).await);
    assert!(reason.contains("STARTTLS is not supported"), "{reason}");
}

#[tokio::test]
async fn a_certificate_nobody_vouches_for_is_refused() {
    let sink = Sink::start("starttls", None).await;
    let url = format!("smtp://localhost:{}", sink.port);
    let mailer = Mailer::smtp(options(&url), sender()).unwrap();
    let reason = retry(mailer.send(&mail_to("ann@example.org")).await);
    assert!(reason.contains("certificate"), "{reason}");
}

#[tokio::test]
async fn a_wrong_password_costs_no_mail_and_is_not_shown() {
    let sink = Sink::start("starttls", LOGIN).await;
    let url = "smtp://post%40mill.example:hunter2@localhost:PORT";
    let mailer = secure(&sink, url, StartTls::Required);
    let reason = retry(mailer.send(&mail_to("ann@example.org")).await);
    assert!(reason.contains("535 5.7.8"), "{reason}");
    assert!(!format!("{reason} {mailer:?}").contains("hunter2"), "{reason} {mailer:?}");
}

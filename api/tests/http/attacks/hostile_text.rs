use super::{Callers, is_stream, with_body};
use crate::{
    accounts::server,
    operations::{Operation, with_text},
    support::{Answer, send},
};

/// Escaped for a URL, and as it is.
const TEXTS: [(&str, &str); 6] = [
    ("a%0D%0AX-Injected:%20yes%0D%0A%0D%0Ab", "a\r\nX-Injected: yes\r\n\r\nb"),
    ("%00", "\0"),
    ("..%2F..%2Fetc%2Fpasswd", "../../etc/passwd"),
    ("%27%3B%20DROP%20TABLE%20events%3B--", "'; DROP TABLE events;--"),
    ("%3Cscript%3Ealert(1)%3C%2Fscript%3E", "<script>alert(1)</script>"),
    ("%E2%80%AE%F0%9F%92%A3%EF%BF%BF", "\u{202e}\u{1f4a3}\u{ffff}"),
];

fn check(what: &str, answer: &Answer) {
    let status = answer.status;
    assert!(!status.is_server_error(), "{what}: {status} {}", answer.text);
    assert!(answer.headers.get("x-injected").is_none(), "{what}: {:?}", answer.headers);
    if status.is_client_error() {
        assert_ne!(answer.code(), "", "{what}");
    }
    let is_page = answer.header("content-type").starts_with("text/html");
    assert!(!is_page || !answer.text.contains("<script>alert(1)"), "{what}: {}", answer.text);
}

#[tokio::test]
async fn no_operation_trips_over_hostile_text_or_lets_it_into_a_header() {
    let server = server().await;
    let callers = Callers::of(&server).await;
    let own = callers.made.org.to_string();
    for operation in Operation::all() {
        let (id, body) = (&operation.id, operation.body.as_ref());
        for (escaped, text) in TEXTS {
            for place in 0..operation.places() {
                let mut values = vec![own.as_str(); operation.places()];
                values[place] = escaped;
                let request = callers.request(&server, &operation, &operation.at(&values));
                let answer = send(with_body(request, body)).await;
                check(&format!("{id}, {text:?} in place {place}"), &answer);
            }
            for name in operation.query.iter().filter(|_| !is_stream(&operation)) {
                let path = format!("{}?{name}={escaped}", callers.own(&operation));
                let request = callers.request(&server, &operation, &path);
                let answer = send(with_body(request, body)).await;
                check(&format!("{id}, {text:?} as {name}"), &answer);
            }
            for body in body.map(|body| with_text(body, text)).unwrap_or_default() {
                let request = callers.request(&server, &operation, &callers.own(&operation));
                let answer = send(with_body(request, Some(&body))).await;
                check(&format!("{id} with {body}"), &answer);
            }
        }
    }
}

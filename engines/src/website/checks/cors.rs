//! Which other sites may read the answers of this one.

use domain::scans::Severity;
use url::Url;

use crate::website::{
    client::Request,
    response::Response,
    rule::Rule,
    session::{Session, Stop},
};

const MAX_BODY_BYTES: usize = 4 * 1024;
/// A name that nobody can register.
const FOREIGN_ORIGIN: &str = "https://millrace-probe.example";
const PART: &str = "header:access-control-allow-origin";

const REFLECTED: Rule = Rule {
    id: "website.cors-any-origin",
    title: "Any site may read the answers of this one",
    description: "The server names whatever origin asks as allowed. With credentials, any site that a visitor opens can read what the visitor may see here.",
    severity: Severity::Medium,
    cwe: &[942, 346],
    fix: "Answer `Access-Control-Allow-Origin` only for origins of an exact list.",
    references: &[
        "https://developer.mozilla.org/en-US/docs/Web/HTTP/Guides/CORS",
        "https://owasp.org/www-community/attacks/CORS_OriginHeaderScrutiny",
    ],
};

const NULL: Rule = Rule {
    id: "website.cors-null-origin",
    title: "The origin `null` may read the answers of this site",
    description: "Every site can send requests with the origin `null` from a sandboxed frame, so allowing it allows everybody.",
    fix: "Take `null` from the list of allowed origins.",
    ..REFLECTED
};

const WILDCARD_CREDENTIALS: Rule = Rule {
    id: "website.cors-wildcard-credentials",
    title: "All origins are allowed together with credentials",
    description: "Browsers refuse `*` together with credentials; that it is configured shows that access was meant to be open to everybody.",
    fix: "Name the allowed origins, or leave `Access-Control-Allow-Credentials` out.",
    ..REFLECTED
};

pub(in crate::website) async fn check(session: &mut Session<'_>, site: &Url) -> Result<(), Stop> {
    let Some(answer) = ask(session, site, FOREIGN_ORIGIN).await? else { return Ok(()) };
    let allowed = allowed_origin(&answer);
    if allowed == "*" && allows_credentials(&answer) {
        let evidence = "Access-Control-Allow-Origin: * with Access-Control-Allow-Credentials: true";
        return session.report(WILDCARD_CREDENTIALS.found(site, PART, evidence));
    }
    if allowed == FOREIGN_ORIGIN {
        return report(session, &REFLECTED, &answer, FOREIGN_ORIGIN);
    }
    // A check for the beginning of the name lets a longer name pass.
    let longer = format!("{}.millrace-probe.example", site.origin().ascii_serialization());
    for (origin, rule) in [("null", &NULL), (longer.as_str(), &REFLECTED)] {
        let Some(answer) = ask(session, site, origin).await? else { return Ok(()) };
        if allowed_origin(&answer) == origin {
            report(session, rule, &answer, origin)?;
        }
    }
    Ok(())
}

async fn ask(
    session: &mut Session<'_>,
    site: &Url,
    origin: &str,
) -> Result<Option<Response>, Stop> {
    let request =
        Request { header: Some(("origin", origin)), ..Request::get(site, MAX_BODY_BYTES) };
    session.ask(&request).await
}

fn report(
    session: &mut Session<'_>,
    rule: &Rule,
    answer: &Response,
    origin: &str,
) -> Result<(), Stop> {
    let (severity, with) = if allows_credentials(answer) {
        (Severity::High, "with credentials")
    } else {
        (Severity::Medium, "without credentials")
    };
    let evidence = format!("a request with `Origin: {origin}` is allowed {with}");
    session.report(rule.found_as(severity, &answer.url, PART, &evidence))
}

fn allowed_origin(answer: &Response) -> String {
    answer.header("access-control-allow-origin").unwrap_or_default()
}

fn allows_credentials(answer: &Response) -> bool {
    answer.header("access-control-allow-credentials").is_some_and(|value| value == "true")
}

use domain::scans::Severity;
use hyper::Method;
use url::Url;

use crate::website::{
    client::Request,
    rule::Rule,
    session::{Session, Stop},
};

const MAX_BODY_BYTES: usize = 4 * 1024;
const MARKER: &str = "echo-of-the-scanner";

const TRACE: Rule = Rule {
    id: "website.method-trace",
    title: "The method TRACE is answered",
    description: "The server sends requests back as they came, with headers that were added on the way or that scripts should not see.",
    severity: Severity::Low,
    cwe: &[693, 200],
    fix: "Switch TRACE off in the server, for example with `TraceEnable off`.",
    references: &[
        "https://owasp.org/www-community/attacks/Cross_Site_Tracing",
        "https://www.rfc-editor.org/rfc/rfc9110#section-9.3.8",
    ],
};

const WRITING: Rule = Rule {
    id: "website.method-writing",
    title: "Methods that change content are offered",
    description: "The server says that it takes PUT or DELETE here. Where nobody uses them, they are a way to place or remove files.",
    severity: Severity::Low,
    cwe: &[650],
    fix: "Allow only the methods that the site uses, and demand authorisation for those that write.",
    references: &[
        "https://owasp.org/www-project-web-security-testing-guide/latest/4-Web_Application_Security_Testing/02-Configuration_and_Deployment_Management_Testing/06-Test_HTTP_Methods",
    ],
};

pub(in crate::website) async fn check(session: &mut Session<'_>, site: &Url) -> Result<(), Stop> {
    let mut options = Request::get(site, MAX_BODY_BYTES);
    options.method = Method::OPTIONS;
    if let Some(answer) = session.ask(&options).await? {
        let allowed = answer.header("allow").unwrap_or_default();
        let writes = |method: &str| matches!(method.trim(), "PUT" | "DELETE");
        if allowed.split(',').any(writes) {
            session.report(WRITING.found(site, "header:allow", &format!("Allow: {allowed}")))?;
        }
    }
    let mut trace = Request::get(site, MAX_BODY_BYTES);
    trace.method = Method::TRACE;
    trace.header = Some(("x-millrace-trace", MARKER));
    if let Some(answer) = session.ask(&trace).await? {
        let text = answer.text();
        if answer.status.is_success() && text.starts_with("TRACE ") && text.contains(MARKER) {
            session.report(TRACE.found(
                site,
                "method:TRACE",
                "the request came back as the answer",
            ))?;
        }
    }
    Ok(())
}

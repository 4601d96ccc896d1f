//! Whether visitors who begin with plain HTTP end up at HTTPS.

use domain::scans::Severity;
use url::Url;

use crate::website::{
    failure::Failure,
    landing::{self, Landing, NoPage},
    rule::Rule,
    session::{Session, Stop},
    show,
};

const NO_HTTPS: Rule = Rule {
    id: "website.no-https",
    title: "The site is served over plain HTTP",
    description: "Everything between the visitor and the site can be read and changed on the way.",
    severity: Severity::High,
    cwe: &[319],
    fix: "Serve the site over HTTPS and redirect plain HTTP to it.",
    references: &[
        "https://cheatsheetseries.owasp.org/cheatsheets/Transport_Layer_Security_Cheat_Sheet.html",
    ],
};

const NO_REDIRECT: Rule = Rule {
    id: "website.http-not-redirected",
    title: "Plain HTTP is answered without a redirect to HTTPS",
    description: "The site can be had over HTTPS, but who asks for it over plain HTTP stays there.",
    severity: Severity::Medium,
    fix: "Answer every plain request with a permanent redirect to HTTPS.",
    ..NO_HTTPS
};

pub(in crate::website) async fn check(
    session: &mut Session<'_>,
    landing: &Landing,
) -> Result<(), Stop> {
    let site = &landing.site;
    if is_https(site) {
        return check_plain(session, landing).await;
    }
    // A plain redirect to HTTPS elsewhere is no content over plain HTTP.
    if is_https(&landing.page.url) {
        return Ok(());
    }
    // On other ports nothing says where its HTTPS would be.
    let ends_at_https = match counterpart(site, "https") {
        Some(other) => ends_at_https(session, &other).await?,
        None => None,
    };
    let (rule, evidence) = match ends_at_https {
        Some(true) => (&NO_REDIRECT, "the same site also answers over HTTPS"),
        Some(false) | None => (&NO_HTTPS, "no HTTPS was found"),
    };
    let evidence = format!("{} is served over plain HTTP; {evidence}", show::url(site));
    session.report(rule.found(site, "transport", &evidence))
}

async fn check_plain(session: &mut Session<'_>, landing: &Landing) -> Result<(), Stop> {
    let began_plain = landing.hops.iter().any(|hop| hop.url.scheme() == "http");
    let plain = counterpart(&landing.site, "http").filter(|_| !began_plain);
    let Some(plain) = plain else { return Ok(()) };
    // Where nothing listens for plain HTTP, nothing is wrong.
    if ends_at_https(session, &plain).await? == Some(false) {
        let evidence = format!("{} is not redirected to HTTPS", show::url(&plain));
        session.report(NO_REDIRECT.found(&landing.site, "transport", &evidence))?;
    }
    Ok(())
}

/// `None` when there is no answer.
async fn ends_at_https(session: &mut Session<'_>, url: &Url) -> Result<Option<bool>, Stop> {
    match landing::reach(session, url).await {
        Ok(reached) => Ok(Some(is_https(&reached.page.url))),
        Err(NoPage::Failed { failure: Failure::TimeUp, .. }) => Err(Stop::Time),
        Err(NoPage::Failed { failure: Failure::BytesUp, .. }) => Err(Stop::Bytes),
        Err(_) => Ok(None),
    }
}

fn is_https(url: &Url) -> bool {
    url.scheme() == "https"
}

/// The same address in the other scheme, when both use their usual ports.
fn counterpart(site: &Url, scheme: &str) -> Option<Url> {
    if site.port().is_some() {
        return None;
    }
    let mut other = site.clone();
    other.set_scheme(scheme).ok()?;
    Some(other)
}

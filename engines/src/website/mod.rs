//! The engine that looks at a website from outside, as a visitor could.
//!
//! It follows the way to the first page, judges what it sees there, and asks the site a bounded
//! number of further questions, one at a time. It sends nothing that changes anything.

mod checks;
mod client;
mod connect;
mod document;
mod failure;
mod html;
mod landing;
mod response;
mod rule;
mod session;
mod show;
#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Duration};

use domain::scans::Profile;
use outbound::AddressPolicy;
use url::Url;

use self::{
    checks::{
        certificate, content, cookies, cors, exposed, headers, leaks, methods, tls_versions,
        transport, wellknown,
    },
    client::{Client, Settings},
    document::Document,
    failure::Failure,
    landing::{Landing, NoPage},
    response::End,
    session::{Ended, Session, Stop},
};
use crate::{Limits, NetworkPolicy, Output, RunError};

/// Examines the site of the URL. It always ends with `Done`, whatever the site does, and within
/// the time of the limits; only an unusable task or a gone reader is an error.
pub fn run(
    url: &str,
    network: &NetworkPolicy,
    profile: Profile,
    limits: &Limits,
    out: &mut dyn Output,
) -> Result<(), RunError> {
    let roots = webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect();
    let settings = Settings {
        roots: Arc::new(roots),
        request_timeout: Duration::from_secs(10),
        pace: Duration::from_millis(100),
    };
    run_with(url, network, profile, limits, settings, out)
}

fn run_with(
    url: &str,
    network: &NetworkPolicy,
    profile: Profile,
    limits: &Limits,
    settings: Settings,
    out: &mut dyn Output,
) -> Result<(), RunError> {
    let target = |error: &dyn std::error::Error| RunError::Target(error.to_string());
    let start = Url::parse(url).map_err(|error| target(&error))?;
    let policy = AddressPolicy::new(&network.allowed_ranges).map_err(|error| target(&error))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let result = runtime.block_on(async {
        let mut session = Session::new(Client::new(policy, settings, limits), out, limits);
        let result = examine(&mut session, &start, profile).await;
        session.finish(result)
    });
    // A name that is still being resolved must not hold up the end.
    runtime.shutdown_background();
    Ok(result?)
}

async fn examine(session: &mut Session<'_>, start: &Url, profile: Profile) -> Result<Ended, Stop> {
    session.progress(format!("asking for {}", show::url(start)))?;
    let landing = match landing::reach(session, start).await {
        Ok(landing) => landing,
        Err(reason) => {
            session.note(reason.code(), reason.to_string())?;
            if let NoPage::Failed { url, failure: Failure::Tls(_) } = &reason {
                tls_versions::check(session, url).await?;
            }
            return Ok(Ended::Unreachable);
        }
    };
    session.scheme = landing.page.url.scheme().to_owned();
    landing.judge(session)?;
    session.progress(format!("the first page is {}", show::url(&landing.page.url)))?;
    let document = Document::of(&landing.page);
    look_at(session, &landing, document.as_ref())?;

    let site = &landing.site;
    session.progress("asking about transport and certificates")?;
    transport::check(session, &landing).await?;
    if site.scheme() == "https" {
        tls_versions::check(session, site).await?;
    }
    session.progress("asking as another site, and with other methods")?;
    cors::check(session, site).await?;
    methods::check(session, site).await?;
    if let Ok(root) = site.join("/") {
        wellknown::check(session, &root).await?;
        session.progress("looking for files that should not be there")?;
        let own_document = document.as_ref().filter(|_| !landing.leads_away());
        let folders = exposed::folders(own_document, &root);
        exposed::check(session, &root, profile, &folders).await?;
    }
    Ok(Ended::Examined)
}

/// What can be told from the answers that led to the first page.
fn look_at(
    session: &mut Session<'_>,
    landing: &Landing,
    document: Option<&Document>,
) -> Result<(), Stop> {
    let page = &landing.page;
    for answer in landing.hops.iter().chain([page]) {
        if let Some(tls) = &answer.tls {
            let faults = certificate::check(&answer.url, tls, &session.client.settings.roots);
            session.report_all(faults)?;
        }
    }
    for answer in landing.own_answers() {
        session.report_all(cookies::check(answer))?;
    }
    session.report_all(headers::check(page, document))?;
    session.report_all(leaks::check(page, document))?;
    session.report_all(leaks::error_details(page).into_iter().collect())?;
    if page.is_encoded() {
        let message = "the first page is compressed although that was not asked for, so its content was not examined";
        return Ok(session.warn("compressed-page", message.to_owned())?);
    }
    let shortened = match page.end {
        End::Whole => None,
        End::CutAtBound => Some(("page-too-large", "is larger than what is read of a page")),
        End::TimedOut => Some(("page-too-slow", "did not end in time")),
        End::Broken => Some(("page-broken", "broke off or was sent in an invalid encoding")),
    };
    if let Some((code, why)) = shortened {
        session.warn(code, format!("the first page {why}; only its beginning was examined"))?;
    }
    if let Some(document) = document {
        session.report_all(content::check(page, document))?;
        session.report_all(exposed::check_listing(page).into_iter().collect())?;
    }
    Ok(())
}

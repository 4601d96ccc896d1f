//! Files that should not be on a web server. A file counts only by what it holds: a site may
//! answer 200 to everything.

mod files;
mod listing;
mod signature;
#[cfg(test)]
mod tests;

use domain::scans::Profile;
use hyper::StatusCode;
use sha2::{Digest, Sha256};
use url::Url;

use self::files::{FILES, File};
pub(in crate::website) use self::listing::{check_page as check_listing, folders};
use super::leaks;
use crate::website::{
    client::Request,
    response::Response,
    session::{Session, Stop},
};

const MAX_BODY_BYTES: usize = 4 * 1024;

pub(in crate::website) async fn check(
    session: &mut Session<'_>,
    root: &Url,
    profile: Profile,
    folders: &[Url],
) -> Result<(), Stop> {
    let Some(nothing) = missing_page(session, root).await? else { return Ok(()) };
    session.report_all(leaks::error_details(&nothing).into_iter().collect())?;
    let is_asked = |file: &&File| profile == Profile::Full || file.is_quick;
    for file in FILES.iter().filter(is_asked) {
        let Ok(url) = root.join(file.path) else { continue };
        let Some(answer) = session.ask(&Request::get(&url, MAX_BODY_BYTES)).await? else {
            continue;
        };
        if let Some(evidence) = evidence(file, &answer, &nothing) {
            let part = format!("path:{}", file.path);
            session.report(file.rule.found(&url, &part, &evidence))?;
        }
    }
    if profile == Profile::Full {
        listing::check_folders(session, folders, &nothing).await?;
    }
    Ok(())
}

/// What the site answers for a file that cannot be there.
async fn missing_page(session: &mut Session<'_>, root: &Url) -> Result<Option<Response>, Stop> {
    let digest = Sha256::digest(root.as_str());
    let name: String = digest[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    let Ok(url) = root.join(&format!("/millrace-{name}.txt")) else { return Ok(None) };
    session.ask(&Request::get(&url, MAX_BODY_BYTES)).await
}

fn evidence(file: &File, answer: &Response, nothing: &Response) -> Option<String> {
    if answer.status != StatusCode::OK || answer.is_encoded() || answer.body == nothing.body {
        return None;
    }
    let shown = file.signature.describe(&answer.body)?;
    // The page for missing files looks the same: it only quotes such a file.
    if nothing.status == StatusCode::OK && file.signature.describe(&nothing.body).is_some() {
        return None;
    }
    Some(format!("GET {} is answered with {shown}", file.path))
}

use domain::scans::{self, Engine, Profile, ScanEvent, Target};
use journal::Filter;

use crate::runtime::{JobContext, JobError};

/// What was asked for.
pub(super) struct Request {
    pub target: Target,
    pub engines: Vec<Engine>,
    pub profile: Profile,
}

/// Reads the first event of the scan.
pub(super) async fn load(job: &JobContext) -> Result<Request, JobError> {
    let first = Filter { aggregate: Some((scans::TYPE, job.job.clone())), ..Filter::default() };
    let page = job.journal().read(0, &first, 1).await;
    let page = page.map_err(|error| JobError::retry(crate::chain(&error)))?;
    let Some(recorded) = page.into_iter().find(|event| event.org == job.org) else {
        return Err(JobError::fail("the request of the scan is not in the log"));
    };
    let events = recorded.decode_as::<ScanEvent>();
    let events = events.map_err(|error| JobError::fail(crate::chain(&error)))?;
    for event in events {
        if let ScanEvent::Requested { target, engines, profile, .. } = event {
            return Ok(Request { target, engines, profile });
        }
    }
    Err(JobError::fail("the scan does not begin with its request"))
}

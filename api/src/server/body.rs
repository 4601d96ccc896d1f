use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use tokio::time::timeout;

use super::places::Place;

/// A request that is refused is read so far, since closing on unread bytes may cost the answer.
const REST: usize = 64 * 1024;
const REST_WITHIN: Duration = Duration::from_millis(500);

/// Why a body is not read further.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BodyError {
    #[error("the body is larger than the {limit} bytes that are taken")]
    TooLarge { limit: u64 },
    #[error("the body did not arrive within {} seconds", .within.as_secs_f32())]
    TooSlow { within: Duration },
    #[error("the body ended before it was complete")]
    Broken,
    #[error("others wait, and the body did not arrive")]
    GaveWay,
}

/// Bounds of a body.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub bytes: u64,
    pub within: Duration,
}

impl Limits {
    /// The whole body, within the limits and for as long as nobody else needs the room.
    pub async fn read(self, body: &mut Incoming, place: &Place) -> Result<Bytes, BodyError> {
        if body.is_end_stream() {
            return Ok(Bytes::new());
        }
        if body.size_hint().lower() > self.bytes {
            return Err(BodyError::TooLarge { limit: self.bytes });
        }
        place.receives();
        let read = tokio::select! {
            biased;
            read = timeout(self.within, self.gather(body, place)) => read,
            () = place.turned_out() => return Err(BodyError::GaveWay),
        };
        read.unwrap_or(Err(BodyError::TooSlow { within: self.within }))
    }

    async fn gather(self, body: &mut Incoming, place: &Place) -> Result<Bytes, BodyError> {
        let mut whole = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_gone| BodyError::Broken)?;
            let Ok(bytes) = frame.into_data() else { continue };
            if (whole.len() + bytes.len()) as u64 > self.bytes {
                return Err(BodyError::TooLarge { limit: self.bytes });
            }
            place.holds(bytes.len());
            whole.extend_from_slice(&bytes);
        }
        Ok(whole.freeze())
    }
}

/// Reads what little there may be of the body of a request that is refused.
pub(super) async fn pass_over(body: &mut Incoming, place: &Place) {
    if body.is_end_stream() {
        return;
    }
    place.receives();
    let read = async {
        let mut bytes = 0;
        while bytes < REST
            && let Some(Ok(frame)) = body.frame().await
        {
            bytes += frame.data_ref().map_or(0, Bytes::len);
        }
    };
    tokio::select! {
        _ = timeout(REST_WITHIN, read) => {}
        () = place.turned_out() => {}
    }
}

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures::{Stream, stream::BoxStream};
use poem::{Body, Request, http::header::CONTENT_LENGTH};
use tokio::time::Sleep;

/// Why a body is not read further.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BodyError {
    #[error("the body is larger than the {limit} bytes that are taken")]
    TooLarge { limit: u64 },
    #[error("the body did not arrive within {} seconds", .within.as_secs_f32())]
    TooSlow { within: Duration },
}

/// Replaces the body by one that counts what arrives and gives up in time.
pub(crate) fn limit(request: &mut Request, limit: u64, within: Duration) -> Result<(), BodyError> {
    let announced = request.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    if announced.and_then(|text| text.parse::<u64>().ok()).is_some_and(|bytes| bytes > limit) {
        return Err(BodyError::TooLarge { limit });
    }
    let body = request.take_body();
    if body.is_empty() {
        request.set_body(body);
        return Ok(());
    }
    request.set_body(Body::from_bytes_stream(Limited {
        inner: Box::pin(body.into_bytes_stream()),
        deadline: Box::pin(tokio::time::sleep(within)),
        left: limit,
        limit,
        within,
    }));
    Ok(())
}

struct Limited {
    inner: BoxStream<'static, io::Result<Bytes>>,
    deadline: Pin<Box<Sleep>>,
    left: u64,
    limit: u64,
    within: Duration,
}

impl Stream for Limited {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Poll::Ready(item) = self.inner.as_mut().poll_next(context) else {
            return match self.deadline.as_mut().poll(context) {
                Poll::Pending => Poll::Pending,
                Poll::Ready(()) => {
                    let within = self.within;
                    Poll::Ready(Some(Err(io::Error::other(BodyError::TooSlow { within }))))
                }
            };
        };
        if let Some(Ok(bytes)) = &item {
            match self.left.checked_sub(bytes.len() as u64) {
                Some(left) => self.left = left,
                None => {
                    let limit = self.limit;
                    return Poll::Ready(Some(Err(io::Error::other(BodyError::TooLarge { limit }))));
                }
            }
        }
        Poll::Ready(item)
    }
}

#[cfg(test)]
mod tests {
    use futures::StreamExt;

    use super::*;

    fn limited(chunks: Vec<&'static [u8]>, limit: u64) -> Limited {
        let stream = futures::stream::iter(chunks.into_iter().map(|c| Ok(Bytes::from_static(c))));
        Limited {
            inner: stream.boxed(),
            deadline: Box::pin(tokio::time::sleep(Duration::from_secs(1))),
            left: limit,
            limit,
            within: Duration::from_secs(1),
        }
    }

    #[tokio::test]
    async fn what_arrives_is_counted_whatever_was_announced() {
        let items: Vec<_> = limited(vec![b"four", b"four"], 8).collect().await;
        assert!(items.iter().all(Result::is_ok));

        let items: Vec<_> = limited(vec![b"four", b"fives"], 8).collect().await;
        assert!(items[0].is_ok() && items[1].is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_stops_arriving_is_given_up() {
        let mut stream = limited(vec![], 8);
        stream.inner = futures::stream::pending().boxed();
        let error = stream.next().await.unwrap().unwrap_err();
        assert_eq!(error.to_string(), "the body did not arrive within 1 seconds");
    }
}

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Buf, Bytes};
use hyper::body::{Body, Frame, SizeHint};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::Sleep,
};

use super::{places::Place, unread::Unread};

/// The stream of one connection, and with it its place: what has become a WebSocket keeps it too.
///
/// A write that makes no progress fails in time, so that a peer that stops reading cannot hold a
/// connection for ever.
pub(super) struct Wire<S> {
    stream: S,
    timeout: Duration,
    /// Runs while a write waits.
    waiting: Option<Pin<Box<Sleep>>>,
    place: Arc<Place>,
    unread: Unread,
    /// What is left to write instead of hyper's own answer.
    instead: Option<Bytes>,
}

impl<S> Wire<S> {
    pub fn new(stream: S, timeout: Duration, place: Arc<Place>, unread: Unread) -> Self {
        Self { stream, timeout, waiting: None, place, unread, instead: None }
    }

    fn watch<T>(
        &mut self,
        context: &mut Context<'_>,
        polled: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            self.waiting = None;
            return polled;
        }
        let timeout = self.timeout;
        let waiting = self.waiting.get_or_insert_with(|| Box::pin(tokio::time::sleep(timeout)));
        match waiting.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<S: AsyncWrite + Unpin> Wire<S> {
    /// Nothing was asked, so `own` is hyper's answer to a head it cannot read.
    fn poll_write_instead(
        &mut self,
        context: &mut Context<'_>,
        own: &[u8],
    ) -> Poll<io::Result<()>> {
        let mut left = self.instead.take().unwrap_or_else(|| (self.unread)(own));
        while !left.is_empty() {
            let polled = Pin::new(&mut self.stream).poll_write(context, &left);
            match self.watch(context, polled) {
                Poll::Ready(written) => left.advance(written?),
                Poll::Pending => {
                    self.instead = Some(left);
                    return Poll::Pending;
                }
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Wire<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Wire<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.place.is_unasked() {
            return self.poll_write_instead(context, bytes).map_ok(|()| bytes.len());
        }
        let polled = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.watch(context, polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.place.is_unasked() {
            let own: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).collect();
            return self.poll_write_instead(context, &own).map_ok(|()| own.len());
        }
        let polled = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.watch(context, polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_flush(context);
        ready!(self.watch(context, polled))?;
        self.place.is_flushed();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_shutdown(context);
        self.watch(context, polled)
    }
}

/// The body of an answer. Its end is told to the place, which learns from the stream when all of
/// it is written.
pub(super) struct Answer<B> {
    pub body: B,
    pub place: Option<Arc<Place>>,
}

impl<B: Body + Unpin> Body for Answer<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl<B> Drop for Answer<B> {
    fn drop(&mut self) {
        if let Some(place) = &self.place {
            place.has_answered();
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::{super::places::Places, *};

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_stops_reading_is_given_up_and_a_slow_one_is_not() {
        let (near, mut far) = tokio::io::duplex(4);
        let place = Places::new(1, 1).enter();
        place.asked().await;
        let unread = Arc::new(|_: &[u8]| Bytes::new());
        let mut wire = Wire::new(near, Duration::from_secs(60), place, unread);
        let reading = tokio::spawn(async move {
            let mut buffer = [0; 4];
            for _ in 0..3 {
                tokio::time::sleep(Duration::from_secs(50)).await;
                far.read_exact(&mut buffer).await.unwrap();
            }
            far
        });
        wire.write_all(&[0; 16]).await.unwrap();
        let _far = reading.await.unwrap();
        let error = wire.write_all(&[0; 16]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}

//! Reading from a connection, within the time that its phase allows.
//!
//! hyper has one timeout for both: a slow head and an idle connection between two requests. The first must be short, for it
//! costs a place; the second must be longer than that of the balancer in front, which else sends a request into a connection
//! that is being closed. The timer is allocated when the connection first waits.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep_until},
};

use super::activity::{Activity, Phase};

/// How long a connection may wait.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// For the whole head of a request.
    pub(super) head: Duration,
    /// For the next request.
    pub(super) idle: Duration,
}

/// A stream whose reads fail when the connection waits too long.
pub(super) struct Paced<Stream> {
    inner: Stream,
    activity: Arc<Activity>,
    pace: Pace,
    timer: Option<Pin<Box<Sleep>>>,
}

impl<Stream> Paced<Stream> {
    pub(super) fn new(inner: Stream, activity: Arc<Activity>, pace: Pace) -> Self {
        Self { inner, activity, pace, timer: None }
    }

    fn deadline(&self) -> Option<Instant> {
        match self.activity.phase() {
            Phase::New(since) | Phase::Head(since) => Some(since + self.pace.head),
            Phase::Idle(since) => Some(since + self.pace.idle),
            Phase::Body | Phase::Busy | Phase::Socket(_) | Phase::Evicted => None,
        }
    }

    /// Ready when the connection has waited too long.
    fn poll_overdue(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let Some(deadline) = self.deadline() else {
            if matches!(self.activity.phase(), Phase::Socket(_)) {
                // There will be no further request.
                self.timer = None;
            }
            return Poll::Pending;
        };
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if timer.deadline() != deadline {
            timer.as_mut().reset(deadline);
        }
        timer.as_mut().poll(context)
    }
}

impl<Stream: AsyncRead + Unpin> AsyncRead for Paced<Stream> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let filled = buffer.filled().len();
        let polled = Pin::new(&mut self.inner).poll_read(context, buffer);
        if polled.is_ready() {
            if buffer.filled().len() > filled {
                self.activity.begin_head();
            }
            return polled;
        }
        match self.poll_overdue(context) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<Stream: AsyncWrite + Unpin> AsyncWrite for Paced<Stream> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

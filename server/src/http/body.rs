//! Reading a request's body under a limit and a deadline.
//!
//! The invariant: no more than the limit is ever held, however much is sent.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum::body::{Body, Bytes, HttpBody};
use http_body_util::BodyExt as _;
use hyper::body::{Frame, Incoming, SizeHint};
use tokio::time::timeout;

use super::{activity::Activity, settings::BodySettings};

/// How many times the limit is read of a body that is too large, and thrown away, so that a peer which is still sending
/// receives the refusal instead of a reset connection.
const DISCARDED_LIMITS: usize = 16;
/// How long such a peer may pause: one that sends nothing waits for the refusal.
const DISCARDED_PAUSE: Duration = Duration::from_millis(100);
/// How long such a body is read.
const DISCARDED_TIME: Duration = Duration::from_secs(1);

/// A body that makes its connection busy when all of it has arrived.
pub(super) struct Arriving {
    body: Incoming,
    activity: Arc<Activity>,
}

impl Arriving {
    pub(super) fn new(body: Incoming, activity: Arc<Activity>) -> Self {
        Self { body, activity }
    }
}

impl HttpBody for Arriving {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if matches!(polled, Poll::Ready(None)) || self.body.is_end_stream() {
            self.activity.end_body();
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Why a body could not be had.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(super) enum BodyError {
    /// It is larger than the limit.
    #[error("the body is too large")]
    TooLarge,
    /// It did not arrive in time.
    #[error("the body took too long")]
    TooSlow,
    /// The peer hung up, or sent what is not HTTP.
    #[error("the body broke off")]
    Broken,
}

/// The whole body. One that is too large is refused as soon as that is known, before it has arrived.
pub(super) async fn read(mut body: Body, settings: BodySettings) -> Result<Bytes, BodyError> {
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    let read = if announced > settings.limit_bytes {
        Err(BodyError::TooLarge)
    } else {
        let within = read_within(&mut body, announced, settings.limit_bytes);
        timeout(settings.read_timeout, within).await.unwrap_or(Err(BodyError::TooSlow))
    };
    if read == Err(BodyError::TooLarge) {
        let _time_is_up = timeout(DISCARDED_TIME, discard(&mut body, settings.limit_bytes)).await;
    }
    read
}

async fn read_within(body: &mut Body, announced: usize, limit: usize) -> Result<Bytes, BodyError> {
    let mut whole = Vec::with_capacity(announced);
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| BodyError::Broken)?.into_data() else {
            continue;
        };
        if whole.len().saturating_add(data.len()) > limit {
            return Err(BodyError::TooLarge);
        }
        whole.extend_from_slice(&data);
    }
    Ok(whole.into())
}

/// Throws away what the peer sends without a pause, some times the limit at most.
async fn discard(body: &mut Body, limit: usize) {
    let mut left = limit.saturating_mul(DISCARDED_LIMITS);
    while let Ok(Some(Ok(frame))) = timeout(DISCARDED_PAUSE, body.frame()).await {
        left = left.saturating_sub(frame.data_ref().map_or(0, Bytes::len));
        if left == 0 {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        convert::Infallible,
        pin::Pin,
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
        task::{Context, Poll},
        time::Duration,
    };

    use axum::body::{Body, Bytes, HttpBody};
    use futures_util::{StreamExt as _, stream};
    use hyper::body::{Frame, SizeHint};
    use tokio::time::Instant;

    use super::{BodyError, read};
    use crate::http::settings::BodySettings;

    const SETTINGS: BodySettings = BodySettings { limit_bytes: 8, read_timeout: Duration::from_secs(20) };

    fn chunks(count: usize) -> Body {
        let chunk = Ok::<_, Infallible>(Bytes::from_static(b"four"));
        Body::from_stream(stream::iter(std::iter::repeat_n(chunk, count)))
    }

    #[tokio::test]
    async fn a_body_of_just_the_limit_is_read_whole() {
        assert_eq!(read(chunks(2), SETTINGS).await.unwrap(), "fourfour");
        assert_eq!(read(Body::from("fourfour"), SETTINGS).await.unwrap(), "fourfour");
        assert_eq!(read(Body::empty(), SETTINGS).await.unwrap(), "");
    }

    #[tokio::test]
    async fn a_larger_body_is_refused_announced_or_not() {
        assert_eq!(read(chunks(3), SETTINGS).await, Err(BodyError::TooLarge));
        assert_eq!(read(Body::from("fourfour+"), SETTINGS).await, Err(BodyError::TooLarge));
    }

    #[tokio::test]
    async fn a_body_somewhat_past_the_limit_is_read_to_its_end_so_that_the_refusal_is_heard() {
        let read_chunks = Arc::new(AtomicUsize::new(0));
        let counted = read_chunks.clone();
        let body = Body::from_stream(stream::iter(0..20).map(move |_| {
            counted.fetch_add(1, Ordering::Relaxed);
            Ok::<_, Infallible>("four")
        }));
        assert_eq!(read(body, SETTINGS).await, Err(BodyError::TooLarge));
        assert_eq!(read_chunks.load(Ordering::Relaxed), 20);
    }

    #[tokio::test]
    async fn an_endless_body_is_not_read_to_its_end() {
        let chunk = Ok::<_, Infallible>(Bytes::from_static(b"four"));
        let endless = Body::from_stream(stream::iter(std::iter::repeat(chunk)));
        assert_eq!(read(endless, SETTINGS).await, Err(BodyError::TooLarge));
    }

    /// A body that announces so many bytes, and sends none.
    struct Announced(u64);

    impl HttpBody for Announced {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            Poll::Pending
        }

        fn size_hint(&self) -> SizeHint {
            SizeHint::with_exact(self.0)
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_is_too_large_is_refused_before_it_arrives() {
        let begun = Instant::now();
        assert_eq!(read(Body::new(Announced(9)), SETTINGS).await, Err(BodyError::TooLarge));
        let stuck = stream::iter([Ok::<_, Infallible>("four"); 3]).chain(stream::pending());
        assert_eq!(read(Body::from_stream(stuck), SETTINGS).await, Err(BodyError::TooLarge));
        assert!(begun.elapsed() < Duration::from_secs(1));
        assert_eq!(read(Body::new(Announced(8)), SETTINGS).await, Err(BodyError::TooSlow));
    }

    #[tokio::test]
    async fn a_body_that_never_comes_is_given_up() {
        let silent = Body::from_stream(stream::pending::<Result<Bytes, Infallible>>());
        let settings = BodySettings { read_timeout: Duration::from_millis(1), ..SETTINGS };
        assert_eq!(read(silent, settings).await, Err(BodyError::TooSlow));
    }
}

//! Reading a request's body under a limit and a deadline.
//!
//! The invariant: no more than the limit is ever held, however much is sent.

use axum::body::{Body, Bytes, HttpBody as _};
use http_body_util::BodyExt as _;

use super::settings::BodySettings;

/// How many times the limit is read, and thrown away, so that a peer which is still sending hears the refusal
/// instead of a reset connection.
const DISCARDED_LIMITS: usize = 16;

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

/// The whole body.
pub(super) async fn read(body: Body, settings: BodySettings) -> Result<Bytes, BodyError> {
    tokio::time::timeout(settings.read_timeout, read_within(body, settings.limit_bytes))
        .await
        .unwrap_or(Err(BodyError::TooSlow))
}

async fn read_within(mut body: Body, limit: usize) -> Result<Bytes, BodyError> {
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    let mut whole = Vec::with_capacity(if announced > limit { 0 } else { announced });
    let mut seen = 0_usize;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| BodyError::Broken)?.into_data() else {
            continue;
        };
        seen = seen.saturating_add(data.len());
        if seen <= limit && announced <= limit {
            whole.extend_from_slice(&data);
        } else if seen > limit.saturating_mul(DISCARDED_LIMITS) {
            break;
        } else {
            whole = Vec::new();
        }
    }
    if seen > limit || announced > limit { Err(BodyError::TooLarge) } else { Ok(whole.into()) }
}

#[cfg(test)]
mod tests {
    use std::{
        convert::Infallible,
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
        time::Duration,
    };

    use axum::body::{Body, Bytes};
    use futures_util::{StreamExt as _, stream};

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

    #[tokio::test]
    async fn a_body_that_never_comes_is_given_up() {
        let silent = Body::from_stream(stream::pending::<Result<Bytes, Infallible>>());
        let settings = BodySettings { read_timeout: Duration::from_millis(1), ..SETTINGS };
        assert_eq!(read(silent, settings).await, Err(BodyError::TooSlow));
    }
}

//! Who is asking: from a bearer to whoever it stands for.
//!
//! Sessions themselves are looked up behind [`Authenticator`]. The invariant: an unknown, expired or malformed
//! bearer is nobody and never an error, over HTTP and in `connection_init` alike.

use std::any::Any;

use async_graphql::Data;
use async_trait::async_trait;
use axum::http::{HeaderMap, header};
use futures_util::future::{self, BoxFuture, FutureExt as _};

/// Looks up whom a bearer token stands for.
#[async_trait]
pub trait Authenticator: Send + Sync + 'static {
    /// The session that a bearer token opens; `None`: nobody (unknown, expired, malformed).
    async fn authenticate(&self, bearer: &str) -> Result<Option<Authenticated>, Unavailable>;
}

/// Sessions cannot be looked up just now; the peer may try again.
#[derive(Debug, thiserror::Error)]
#[error("sessions cannot be looked up just now")]
pub struct Unavailable;

/// What a bearer stands for while it lasts.
pub struct Authenticated {
    insert: Box<dyn FnOnce(&mut Data) + Send>,
    session: LiveSession,
}

/// The session of a request or a socket.
pub(super) struct LiveSession {
    on_use: Box<dyn Fn() + Send + Sync>,
    /// Completes when the session ends.
    pub(super) ended: BoxFuture<'static, ()>,
}

impl Authenticated {
    /// `requester` is what resolvers find in their context by its type. `on_use` is called for each request and each operation of a
    /// socket. `ended` completes when the session ends, revoked anywhere or expired; it is awaited by sockets only and dropped
    /// unpolled over HTTP.
    pub fn new<Requester>(
        requester: Requester,
        on_use: impl Fn() + Send + Sync + 'static,
        ended: impl Future<Output = ()> + Send + 'static,
    ) -> Self
    where
        Requester: Any + Send + Sync,
    {
        let session = LiveSession { on_use: Box::new(on_use), ended: ended.boxed() };
        Self { insert: Box::new(move |data| data.insert(requester)), session }
    }

    /// Puts the requester where resolvers find it, and returns its session.
    pub(super) fn insert_into(self, data: &mut Data) -> LiveSession {
        (self.insert)(data);
        self.session
    }
}

impl LiveSession {
    /// The session of a socket without one: it never ends.
    pub(super) fn none() -> Self {
        Self { on_use: Box::new(|| ()), ended: future::pending().boxed() }
    }

    /// Reports that it was used.
    pub(super) fn record_use(&self) {
        (self.on_use)();
    }
}

/// Whether a bearer is sent, be it a good one or not. Other schemes are between the client and a proxy.
pub(super) fn sends_bearer(headers: &HeaderMap) -> bool {
    headers.get_all(header::AUTHORIZATION).iter().any(|credentials| {
        let scheme = credentials.as_bytes().split(|byte| *byte == b' ').next().unwrap_or_default();
        scheme.eq_ignore_ascii_case(b"Bearer")
    })
}

/// The bearer of a request's one `Authorization` header.
pub(super) fn bearer_of_headers(headers: &HeaderMap) -> Option<&str> {
    let mut all = headers.get_all(header::AUTHORIZATION).iter();
    match (all.next(), all.next()) {
        (Some(only), None) => only.to_str().ok().and_then(bearer),
        _ => None,
    }
}

/// The bearer of `connection_init`'s payload; its keys are compared as header names are.
pub(super) fn bearer_of_payload(payload: &serde_json::Map<String, serde_json::Value>) -> Option<&str> {
    payload
        .iter()
        .find(|(key, _)| key.eq_ignore_ascii_case(header::AUTHORIZATION.as_str()))
        .and_then(|(_, credentials)| credentials.as_str())
        .and_then(bearer)
}

/// The token in `Bearer <token>` (RFC 6750 §2.1); the scheme in any case (RFC 9110 §11.1).
fn bearer(credentials: &str) -> Option<&str> {
    let (scheme, token) = credentials.split_once(' ')?;
    let token = token.trim_matches(' ');
    let is_token = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
    (scheme.eq_ignore_ascii_case("Bearer") && is_token).then_some(token)
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderValue, header::AUTHORIZATION};
    use serde_json::json;

    use super::{bearer, bearer_of_headers, bearer_of_payload, sends_bearer};

    #[test]
    fn a_bearer_is_one_printable_word_after_its_scheme() {
        assert_eq!(bearer("Bearer abc"), Some("abc"));
        assert_eq!(bearer("bEARER  abc "), Some("abc"));
        for malformed in ["", "abc", "Bearer", "Bearer ", "Bearer a b", "Basic abc", "Bearerabc", "Bearer ä"]
        {
            assert_eq!(bearer(malformed), None, "{malformed}");
        }
    }

    #[test]
    fn only_the_scheme_bearer_says_that_a_bearer_is_sent() {
        for (credentials, is_sent) in [
            ("Bearer abc", true),
            ("bearer abc", true),
            ("Bearer", true),
            ("Bearer a b", true),
            ("Basic dXNlcjpwYXNz", false),
            ("Bearerabc", false),
            ("Digest username=\"Bearer\"", false),
            ("", false),
        ] {
            let headers = HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::from_static(credentials))]);
            assert_eq!(sends_bearer(&headers), is_sent, "{credentials}");
        }
    }

    #[test]
    fn two_authorization_headers_are_nobody() {
        let mut headers = HeaderMap::new();
        headers.append(AUTHORIZATION, HeaderValue::from_static("Bearer first"));
        assert_eq!(bearer_of_headers(&headers), Some("first"));
        headers.append(AUTHORIZATION, HeaderValue::from_static("Bearer second"));
        assert_eq!(bearer_of_headers(&headers), None);
    }

    #[test]
    fn the_key_in_a_payload_is_found_in_any_case() {
        for key in ["authorization", "Authorization", "AUTHORIZATION"] {
            let payload = json!({ key: "Bearer abc" });
            assert_eq!(payload.as_object().and_then(bearer_of_payload), Some("abc"));
        }
        let payload = json!({ "authorization": 7 });
        assert_eq!(payload.as_object().and_then(bearer_of_payload), None);
    }
}

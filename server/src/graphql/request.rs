//! What resolvers are told of the request that they answer, by whoever carried it, and what they hand back beside the answer.

use std::{
    fmt,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

use crate::model::DeliveryMethod;
pub use crate::model::SessionToken;

/// What an operation came over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// `POST /graphql`.
    Post,
    /// `GET /graphql`: its arguments may stand in logs and histories. Queries only.
    Get,
    /// A WebSocket.
    Socket,
}

/// Where the token of a session can go that an answer opens. The request that starts a login fixes where it does go
/// ([`DeliveryMethod`]). Nothing in a request's data is [`Self::InAnswer`].
#[derive(Clone, Debug, Default)]
pub enum TokenDelivery {
    /// Into the answer, for a program that presents it as a bearer.
    #[default]
    InAnswer,
    /// Into the browser's cookie, by whoever carries the answer.
    InCookie(CookieSlot),
    /// Nowhere: a socket sets no cookies. The page asks again by HTTP.
    Withheld,
}

impl TokenDelivery {
    /// How the session of a login is delivered that a request like this starts.
    pub(super) fn method(&self) -> DeliveryMethod {
        match self {
            Self::InAnswer => DeliveryMethod::Bearer,
            Self::InCookie(_) | Self::Withheld => DeliveryMethod::Cookie,
        }
    }
}

/// Where an answer leaves what is to become of the browser's session cookie.
#[derive(Clone, Debug, Default)]
pub struct CookieSlot(Arc<Mutex<Option<CookieChange>>>);

/// What is to become of the browser's session cookie.
#[derive(Debug)]
pub enum CookieChange {
    /// It holds this token, for so many seconds.
    Set {
        /// The token of the session.
        token: SessionToken,
        /// How long the session lasts from now on, in seconds.
        max_age_seconds: i64,
    },
    /// It goes.
    Remove,
}

impl CookieSlot {
    /// Says what is to become of the cookie; the last word counts.
    pub fn put(&self, change: CookieChange) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(change);
    }

    /// What is to become of the cookie; nothing, where nobody has said anything.
    #[must_use]
    pub fn take(&self) -> Option<CookieChange> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// The address of the client: of the peer itself, or what trusted proxies before it say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientAddress(pub IpAddr);

/// The browser and system that a client names in its `User-Agent`, such as `Firefox on Linux`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientBrowser(pub Box<str>);

/// The id of a request, or of the upgrade that a socket began with: in its span, in its answer's `x-request-id`, and in
/// what a client is told of a fault of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestId(Arc<str>);

impl RequestId {
    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for RequestId {
    fn from(id: String) -> Self {
        Self(id.into())
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

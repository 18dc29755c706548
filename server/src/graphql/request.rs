//! What resolvers are told of the request that they answer, by whoever carried it.

use std::{fmt, net::IpAddr, sync::Arc};

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

/// The address of the client: of the peer itself, or what trusted proxies before it say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientAddress(pub IpAddr);

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

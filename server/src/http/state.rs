//! What every handler is given: the parts of the service that the wire calls, behind narrow traits.
//!
//! A plain struct, which whoever assembles the service fills in, and a handle to it that is cheap to clone: each layer of
//! each request, and each socket, has one.

use std::{ops::Deref, sync::Arc};

use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    admission::Admission, callback_request::Callbacks, document::Documents, execution::ExecutableSchema,
    health::ReadinessProbe, per_address::PerAddress, requester::Authenticator, settings::HttpSettings,
};

/// The service as the wire sees it. Clones share it.
#[derive(Clone)]
pub(super) struct HttpState(Arc<HttpParts>);

/// What the service is for the wire.
pub struct HttpParts {
    /// The schema that `/graphql` executes.
    pub schema: Arc<dyn ExecutableSchema>,
    /// Who a bearer is.
    pub authenticator: Arc<dyn Authenticator>,
    /// Who hears the provider's callbacks.
    pub callbacks: Arc<dyn Callbacks>,
    /// Whether the service can serve.
    pub readiness: ReadinessProbe,
    /// GraphQL documents that were parsed before.
    pub documents: Documents,
    /// Limits and timeouts.
    pub settings: HttpSettings,
    /// How much each network asks for.
    pub admission: Arc<Admission>,
    /// How many sockets each address has open.
    pub sockets: Arc<PerAddress>,
    /// How many bytes the operations on the sockets of each address keep.
    pub socket_memory: Arc<PerAddress>,
    /// Operations and callbacks run here, so that a peer that hangs up does not stop them half-way. Whoever
    /// shuts the server down waits for these after the listener.
    pub tasks: TaskTracker,
    /// Cancelled when the server shuts down: sockets are then closed with 1001.
    pub shutdown: CancellationToken,
    /// Cancelled some time before that: the server still serves, and says that it will not for long.
    pub leaving: CancellationToken,
    /// Makes the id of a request.
    pub request_id: fn() -> String,
}

impl From<HttpParts> for HttpState {
    fn from(parts: HttpParts) -> Self {
        Self(Arc::new(parts))
    }
}

impl Deref for HttpState {
    type Target = HttpParts;

    fn deref(&self) -> &HttpParts {
        &self.0
    }
}

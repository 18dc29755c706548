//! What every handler is given: the parts of the service that the wire calls, behind narrow traits.
//!
//! A plain struct that is cheap to clone; whoever assembles the service fills it in.

use std::sync::Arc;

use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    callback::Callbacks, document::Documents, execution::ExecutableSchema, health::Readiness,
    per_address::PerAddress, requester::Authenticator, settings::HttpSettings,
};

/// The service as the wire sees it.
#[derive(Clone)]
pub struct HttpState {
    /// The schema that `/graphql` executes.
    pub schema: Arc<dyn ExecutableSchema>,
    /// Who a bearer is.
    pub authenticator: Arc<dyn Authenticator>,
    /// Who hears the provider's callbacks.
    pub callbacks: Arc<dyn Callbacks>,
    /// Whether the service can serve.
    pub readiness: Arc<dyn Readiness>,
    /// GraphQL documents that were parsed before.
    pub documents: Arc<Documents>,
    /// Limits and timeouts.
    pub settings: Arc<HttpSettings>,
    /// How many sockets each address has open.
    pub sockets: Arc<PerAddress>,
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

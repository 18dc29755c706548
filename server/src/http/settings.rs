//! Every limit and timeout of the wire, with its default.
//!
//! Plain values: reading them from flags and variables is the configuration's work. Each field is a bound
//! that the code of this folder enforces; nothing here is a wish.

use std::time::Duration;

/// All settings of the wire.
#[derive(Clone, Debug, Default)]
pub struct HttpSettings {
    /// Connections, before any request is understood.
    pub listener: ListenerSettings,
    /// Bodies of requests, GraphQL's and the provider's callbacks alike.
    pub body: BodySettings,
    /// GraphQL, over whichever transport.
    pub graphql: GraphqlSettings,
    /// Sockets that speak `graphql-transport-ws`.
    pub websocket: WebSocketSettings,
}

/// Settings of the accept loop and its connections.
#[derive(Clone, Debug)]
pub struct ListenerSettings {
    /// How long a peer may take to send the head of a request; also how long a kept-alive connection may idle.
    pub header_read_timeout: Duration,
    /// The largest head of a request, in bytes (past it: 431). hyper takes no less than 8,192.
    pub head_limit_bytes: usize,
    /// How many connections may be open at once, sockets included; further ones wait in the system's backlog.
    pub max_connections: usize,
    /// How long open connections may take to finish once the server shuts down.
    pub drain_timeout: Duration,
}

impl Default for ListenerSettings {
    fn default() -> Self {
        Self {
            header_read_timeout: Duration::from_secs(10),
            head_limit_bytes: 32 * 1024,
            max_connections: 20_000,
            drain_timeout: Duration::from_secs(10),
        }
    }
}

/// Settings of reading a request's body.
#[derive(Clone, Copy, Debug)]
pub struct BodySettings {
    /// The largest body, in bytes.
    pub limit_bytes: usize,
    /// How long the whole body may take to arrive.
    pub read_timeout: Duration,
}

impl Default for BodySettings {
    fn default() -> Self {
        Self { limit_bytes: 64 * 1024, read_timeout: Duration::from_secs(10) }
    }
}

/// Settings of GraphQL.
#[derive(Clone, Debug, Default)]
pub struct GraphqlSettings {
    /// How much a document may hold.
    pub document: DocumentLimits,
    /// Whether a browser that opens `/graphql` gets GraphiQL.
    pub graphiql: bool,
}

/// How much a document may hold, its fragments expanded. Spent before validation, which expands them.
#[derive(Clone, Copy, Debug)]
pub struct DocumentLimits {
    /// Fields, spreads and inline fragments, each as often as it would be visited.
    pub max_selections: usize,
    /// How deep selections nest, through fragments too.
    pub max_depth: usize,
}

impl Default for DocumentLimits {
    /// Room for three of GraphiQL's introspection queries (about 300 selections, 20 deep).
    fn default() -> Self {
        Self { max_selections: 1_000, max_depth: 32 }
    }
}

/// Settings of one socket.
#[derive(Clone, Debug)]
pub struct WebSocketSettings {
    /// The largest message, in bytes (past it: 4400).
    pub message_limit_bytes: usize,
    /// The buffer that an idle socket holds for reading, in bytes.
    pub read_buffer_bytes: usize,
    /// How many bytes of messages may gather before they are written out.
    pub write_buffer_bytes: usize,
    /// How long after the upgrade `connection_init` may take (past it: 4408).
    pub init_timeout: Duration,
    /// How often the server pings. A peer that is silent for a whole round is closed.
    pub ping_interval: Duration,
    /// How many operations may run on one socket at once, mutations that were hung up on included.
    pub max_operations: usize,
    /// How long a closing socket waits for its running mutations, and again for the peer's farewell.
    pub closing_timeout: Duration,
}

impl Default for WebSocketSettings {
    fn default() -> Self {
        Self {
            message_limit_bytes: 64 * 1024,
            read_buffer_bytes: 4 * 1024,
            write_buffer_bytes: 4 * 1024,
            init_timeout: Duration::from_secs(10),
            ping_interval: Duration::from_secs(20),
            max_operations: 16,
            closing_timeout: Duration::from_secs(2),
        }
    }
}

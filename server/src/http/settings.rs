//! Every limit and timeout of the wire, with its default.
//!
//! Plain values: reading them from flags and variables is the configuration's work. Each field is a bound
//! that the code of this folder enforces; nothing here is a wish.

use std::time::Duration;

use ipnet::IpNet;

use crate::graphql::RootField;

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
    /// Which pages may talk to the service.
    pub origins: Origins,
    /// How sessions travel.
    pub sessions: SessionTransport,
    /// The port in the name of the session cookie. For `dev`: browsers send cookies to every port of a host, and several may run.
    pub session_cookie_port: Option<u16>,
    /// Whether a browser that opens `/` gets the login pages.
    pub pages: bool,
    /// Where the phone of a sandbox is, to which the login pages then lead.
    pub phone: Option<String>,
    /// Whose word counts on where a request comes from.
    pub trusted_proxies: TrustedProxies,
    /// Whether browsers are told to come by https only: where they find the service there.
    pub strict_transport: Option<StrictTransport>,
    /// Names by which the operator's listener is reached, beside addresses and private names.
    pub metrics_hosts: Vec<String>,
}

/// Where browsers are told to come by https only (RFC 6797).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StrictTransport {
    /// To the host of the service.
    Host,
    /// To all hosts below it as well.
    WithSubdomains,
}

/// Which pages may talk to the service.
#[derive(Clone, Debug, Default)]
pub struct Origins {
    /// The service's own, as browsers write it (RFC 6454 §6.2): `https://login.example.com`. Without, it is the one that they
    /// ask for.
    pub own: Option<String>,
    /// These others.
    pub listed: Vec<String>,
    /// And any on this machine. For `dev`.
    pub any_on_loopback: bool,
}

/// How sessions travel between the service and whoever is signed in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SessionTransport {
    /// The token is told, and comes as a bearer. For programs, and pages that keep it themselves.
    #[default]
    Bearer,
    /// The token is in a cookie and is told to nobody. For pages.
    Cookie,
    /// In a cookie for the service's own pages, and as a bearer for everybody else.
    Both,
}

/// The networks of the proxies before the service.
#[derive(Clone, Debug, Default)]
pub struct TrustedProxies(pub Vec<IpNet>);

/// Settings of the accept loop and its connections.
#[derive(Clone, Debug)]
pub struct ListenerSettings {
    /// How long a peer may take to send the head of a request; for the first one, from when it connects.
    pub header_read_timeout: Duration,
    /// How long a connection is kept open for the next request.
    pub idle_timeout: Duration,
    /// The largest head of a request, in bytes (past it: 431). hyper takes no less than 8,192.
    pub head_limit_bytes: usize,
    /// How many connections may be open at once, sockets included; past it, one that is not busy gives way.
    pub max_connections: usize,
    /// How many connections from this machine are served beside these, so that its operator can look at a full service.
    pub reserved_connections: usize,
    /// How many of them one address may have open, trusted proxies aside; further ones are hung up on.
    pub max_connections_per_address: usize,
    /// How long a peer may take nothing of what is written to it.
    pub write_timeout: Duration,
    /// How long open connections may take to finish once the server shuts down.
    pub drain_timeout: Duration,
}

impl Default for ListenerSettings {
    fn default() -> Self {
        Self {
            header_read_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(75),
            head_limit_bytes: 32 * 1024,
            max_connections: 20_000,
            reserved_connections: 8,
            max_connections_per_address: 1_024,
            write_timeout: Duration::from_secs(20),
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
    /// Whether tools may ask what the schema is.
    pub introspection: bool,
    /// Whether a browser that opens `/graphql` gets GraphiQL.
    pub graphiql: bool,
    /// The fields at the roots of the schema, with their rules.
    pub root_fields: &'static [RootField],
    /// How much one address may ask for.
    pub admission: AdmissionSettings,
}

/// How much one address may ask for (of IPv6 a /64), by each instance's own count.
#[derive(Clone, Copy, Debug)]
pub struct AdmissionSettings {
    /// Operations with a field that needs no session.
    pub operations: OperationRate,
    /// Operations that run statements at once; further ones wait, for five seconds at most. Eight times as many may hash
    /// or ask the provider.
    pub statements: usize,
}

/// So many at once, and as many again, evenly, in each such time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OperationRate {
    /// How many; one at least.
    pub count: u32,
    /// In which time.
    pub per: Duration,
}

impl Default for AdmissionSettings {
    /// Ten clients that poll each second, all the time, and a crowd at nine in the morning.
    fn default() -> Self {
        Self { operations: OperationRate { count: 600, per: Duration::from_mins(1) }, statements: 8 }
    }
}

/// How much a document may hold. Spent before validation, which expands fragments.
#[derive(Clone, Copy, Debug)]
pub struct DocumentLimits {
    /// Names, numbers, strings and punctuation. Spent before the document is parsed.
    pub max_tokens: usize,
    /// How deep brackets of all kinds nest; those of arguments too, which the parser bounds by nothing but its stack.
    pub max_nesting: usize,
    /// Fields, spreads and inline fragments, each as often as it would be visited.
    pub max_selections: usize,
    /// How deep selections nest, through fragments too.
    pub max_depth: usize,
    /// Aliases, each as often as it would be visited.
    pub max_aliases: usize,
    /// Directives, each as often as it would be visited.
    pub max_directives: usize,
}

impl Default for DocumentLimits {
    /// Room for three of GraphiQL's introspection queries (about 500 tokens, 300 selections, 20 deep).
    fn default() -> Self {
        Self {
            max_tokens: 2_000,
            max_nesting: 64,
            max_selections: 1_000,
            max_depth: 32,
            max_aliases: 50,
            max_directives: 50,
        }
    }
}

/// Settings of one socket.
#[derive(Clone, Debug)]
pub struct WebSocketSettings {
    /// The largest message, in bytes (past it: 4400).
    pub message_limit_bytes: usize,
    /// The buffer that an idle socket holds for reading, in bytes. The library below fills it with zeros before each read.
    pub read_buffer_bytes: usize,
    /// How many bytes of messages may gather before they are written out.
    pub write_buffer_bytes: usize,
    /// How long after the upgrade `connection_init` may take (past it: 4408).
    pub init_timeout: Duration,
    /// How long a socket may be open before its first operation. Looked at with each ping.
    pub first_operation_timeout: Duration,
    /// How long a socket may be open after its last operation has ended. Looked at with each ping.
    pub idle_timeout: Duration,
    /// How often the server pings. A peer that is silent for a whole round is closed.
    pub ping_interval: Duration,
    /// How many operations may run on one socket at once, mutations that were hung up on included.
    pub max_operations: usize,
    /// How many sockets one address may have open (past it: 429).
    pub max_per_address: usize,
    /// How much memory the operations of one socket may keep, in bytes: documents, variables and ids.
    pub max_bytes: usize,
    /// How much memory the operations on all sockets of one address may keep, in bytes.
    pub max_bytes_per_address: usize,
    /// How long a closing socket waits for its running mutations, and again for the peer's farewell.
    pub closing_timeout: Duration,
}

impl WebSocketSettings {
    /// The memory that the operations of a socket keep that watches one login, in bytes, rounded up. Clients that send all their
    /// operations in each document, as those of `graphql_client` do, need 54 KiB.
    pub const USUAL_BYTES: usize = 64 * 1024;
}

impl Default for WebSocketSettings {
    fn default() -> Self {
        Self {
            message_limit_bytes: 64 * 1024,
            read_buffer_bytes: 1024,
            write_buffer_bytes: 4 * 1024,
            init_timeout: Duration::from_secs(10),
            first_operation_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_mins(5),
            ping_interval: Duration::from_secs(20),
            max_operations: 16,
            max_per_address: 256,
            max_bytes: 256 * 1024,
            max_bytes_per_address: 256 * WebSocketSettings::USUAL_BYTES,
            closing_timeout: Duration::from_secs(2),
        }
    }
}

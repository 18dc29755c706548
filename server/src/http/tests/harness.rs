//! A server that really listens, and clients to it.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Once},
    time::Duration,
};

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::{net::TcpStream, task::JoinHandle};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Message, client::IntoClientRequest as _, http::HeaderValue, protocol::CloseFrame},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::schema::{Parts, Probes, Provider, Sessions, toy};
use crate::http::{
    Admission, Documents, HttpParts, HttpSettings, InputTypes, Listener, PerAddress, ReadinessProbe, router,
};

/// Turns a hang into a failure; no test depends on how long anything takes.
pub(super) async fn in_time<T>(event: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), event).await.expect("nothing happened")
}

pub(super) struct Server {
    pub(super) address: SocketAddr,
    pub(super) probes: Arc<Probes>,
    pub(super) shutdown: CancellationToken,
    pub(super) tasks: TaskTracker,
    pub(super) serving: JoinHandle<()>,
}

impl Server {
    pub(super) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    pub(super) async fn with(adjust: impl FnOnce(&mut HttpSettings)) -> Self {
        let mut settings = HttpSettings::default();
        settings.graphql.introspection = true;
        adjust(&mut settings);
        let probes = Arc::<Probes>::default();
        let schema = toy(&probes);
        let shutdown = CancellationToken::new();
        let tasks = TaskTracker::new();
        let listener = Listener::bind((Ipv4Addr::LOCALHOST, 0).into(), &settings).await.unwrap();
        let address = listener.local_address();
        let router = router(HttpParts {
            documents: Documents::new(settings.graphql.document, InputTypes::of(&schema.sdl())),
            schema: Arc::new(schema),
            authenticator: Arc::new(Sessions(probes.clone())),
            callbacks: Arc::new(Provider),
            readiness: ReadinessProbe::new(Arc::new(Parts(probes.clone())), tasks.clone()),
            admission: Admission::new(settings.graphql.admission),
            sockets: PerAddress::new(settings.websocket.max_per_address),
            socket_memory: PerAddress::new(settings.websocket.max_bytes_per_address),
            settings,
            tasks: tasks.clone(),
            shutdown: shutdown.clone(),
            leaving: CancellationToken::new(),
            request_id: || "request-1".to_owned(),
        });
        let serving = TaskTracker::new().spawn(listener.serve(router, shutdown.clone()));
        Self { address, probes, shutdown, tasks, serving }
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// `POST /graphql` with a body of JSON.
    pub(super) async fn post(&self, body: &Value) -> reqwest::Response {
        let request = client().post(self.url("/graphql")).json(body);
        in_time(request.send()).await.unwrap()
    }

    pub(super) async fn get(&self, path: &str) -> reqwest::Response {
        in_time(client().get(self.url(path)).send()).await.unwrap()
    }

    /// A socket on which nothing has been said.
    pub(super) async fn socket(&self) -> Socket {
        self.socket_at("/graphql", Some("graphql-transport-ws")).await.unwrap()
    }

    /// A socket whose `connection_init` was acknowledged.
    pub(super) async fn ready_socket(&self, payload: Value) -> Socket {
        let mut socket = self.socket().await;
        socket.say(json!({"type": "connection_init", "payload": payload})).await;
        assert_eq!(socket.hear().await, json!({"type": "connection_ack"}));
        socket
    }

    /// A socket, or the status with which it was refused.
    pub(super) async fn socket_at(&self, path: &str, protocol: Option<&str>) -> Result<Socket, u16> {
        let headers = protocol.map(|protocol| ("sec-websocket-protocol", protocol));
        self.upgrade(path, headers.as_slice()).await
    }

    /// A socket whose upgrade request has these headers, or the status with which it was refused.
    pub(super) async fn upgrade(&self, path: &str, headers: &[(&'static str, &str)]) -> Result<Socket, u16> {
        let mut request = format!("ws://{}{path}", self.address).into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, HeaderValue::from_str(value).unwrap());
        }
        match in_time(Box::pin(connect_async(request))).await {
            Ok((stream, response)) => {
                assert_eq!(response.headers()["sec-websocket-protocol"], "graphql-transport-ws");
                Ok(Socket(stream))
            }
            Err(tokio_tungstenite::tungstenite::Error::Http(response)) => Err(response.status().as_u16()),
            Err(other) => panic!("{other}"),
        }
    }
}

/// A client that pools nothing: each request has its own connection.
pub(super) fn client() -> reqwest::Client {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| {
        rustls::crypto::ring::default_provider().install_default().ok();
    });
    reqwest::Client::builder()
        .no_proxy()
        .pool_max_idle_per_host(0)
        .timeout(Duration::from_secs(20))
        .build()
        .unwrap()
}

/// A client's end of a socket, without any library of the protocol.
pub(super) struct Socket(pub(super) WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Socket {
    pub(super) async fn say(&mut self, message: Value) {
        self.send(Message::text(message.to_string())).await;
    }

    pub(super) async fn send(&mut self, message: Message) {
        in_time(self.0.send(message)).await.unwrap();
    }

    pub(super) async fn subscribe(&mut self, id: &str, query: &str) {
        self.say(json!({"type": "subscribe", "id": id, "payload": {"query": query}})).await;
    }

    /// The next message of the protocol.
    pub(super) async fn hear(&mut self) -> Value {
        loop {
            match in_time(self.0.next()).await {
                Some(Ok(Message::Text(text))) => return serde_json::from_str(&text).unwrap(),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// The code and the reason with which the server closes, whatever it says before.
    pub(super) async fn closing(&mut self) -> (u16, String) {
        loop {
            match in_time(self.0.next()).await {
                Some(Ok(Message::Close(Some(CloseFrame { code, reason })))) => {
                    return (code.into(), reason.to_string());
                }
                Some(Ok(_)) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// The code and the reason with which the server closes, without another word of the protocol before.
    pub(super) async fn hear_closing(&mut self) -> (u16, String) {
        match in_time(self.0.next()).await {
            Some(Ok(Message::Close(Some(CloseFrame { code, reason })))) => (code.into(), reason.to_string()),
            other => panic!("{other:?}"),
        }
    }

    /// That nothing was said so far: what is said now is answered next.
    pub(super) async fn assert_silence(&mut self) {
        self.say(json!({"type": "ping", "payload": {"silence": true}})).await;
        assert_eq!(self.hear().await, json!({"type": "pong", "payload": {"silence": true}}));
    }
}

//! Somebody who waits: one socket, and on it the subscription of the client library, with its own document.

use anyhow::{Context, bail};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{Message, client::IntoClientRequest, http::HeaderValue, protocol::WebSocketConfig},
};

/// What the client library sends: the whole file, and the operation's name.
const DOCUMENT: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../client-example/client/watch.graphql"));

/// One who waits on one login.
pub(crate) struct Subscriber {
    socket: WebSocketStream<TcpStream>,
}

impl Subscriber {
    /// Connects to `http://host:port`, subscribes, and returns when it was told how the login stands.
    pub(crate) async fn of(address: &str, login_token: &str) -> anyhow::Result<(Self, Value)> {
        let host = address.strip_prefix("http://").context("an address without its scheme")?;
        let mut request = format!("ws://{host}/graphql").into_client_request()?;
        let protocol = HeaderValue::from_static("graphql-transport-ws");
        request.headers_mut().insert("sec-websocket-protocol", protocol);
        let stream = TcpStream::connect(host).await?;
        stream.set_nodelay(true)?;
        // There are many of them in one process.
        let small = WebSocketConfig::default().read_buffer_size(2_048).write_buffer_size(0);
        let (socket, _) = client_async_with_config(request, stream, Some(small)).await?;
        let mut subscriber = Self { socket };
        subscriber.say(&json!({ "type": "connection_init" })).await?;
        let payload = json!({
            "query": DOCUMENT,
            "operationName": "WatchLogin",
            "variables": { "loginToken": login_token },
        });
        subscriber.say(&json!({ "type": "subscribe", "id": "1", "payload": payload })).await?;
        let status = subscriber.next().await?.context("the subscription ended at once")?;
        Ok((subscriber, status))
    }

    async fn say(&mut self, message: &Value) -> anyhow::Result<()> {
        Ok(self.socket.send(Message::text(message.to_string())).await?)
    }

    /// The next status; none where the subscription has ended.
    pub(crate) async fn next(&mut self) -> anyhow::Result<Option<Value>> {
        while let Some(message) = self.socket.next().await {
            let Message::Text(text) = message? else { continue };
            let mut message: Value = serde_json::from_str(&text)?;
            match message["type"].as_str() {
                Some("next") => return Ok(Some(message["payload"]["data"]["loginStatus"].take())),
                Some("complete") => return Ok(None),
                Some("connection_ack") => {}
                _ => bail!("an unexpected message: {text}"),
            }
        }
        bail!("the socket was closed")
    }
}

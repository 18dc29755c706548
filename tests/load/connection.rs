//! One kept-alive connection over which the same request is asked again and again, at as little cost as possible: what
//! is measured is the server.

use anyhow::{Context, ensure};
use http_body_util::{BodyExt, Full};
use hyper::{
    Method, Request,
    body::Bytes,
    client::conn::http1::{self, SendRequest},
    header::{AUTHORIZATION, CONTENT_TYPE, HOST},
};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, task::JoinSet};

/// A request that can be sent many times.
#[derive(Clone, Debug)]
pub(crate) struct Prepared {
    path: &'static str,
    headers: Vec<(String, String)>,
    body: Bytes,
}

/// An open connection.
pub(crate) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    host: String,
    /// Moves the bytes for as long as somebody asks.
    _moving: JoinSet<()>,
}

impl Prepared {
    /// A GraphQL request, by nobody in particular or with a bearer.
    pub(crate) fn graphql(body: &serde_json::Value, bearer: Option<&str>) -> Self {
        let bearer = bearer.map(|bearer| (AUTHORIZATION.to_string(), format!("Bearer {bearer}")));
        Self { path: "/graphql", headers: bearer.into_iter().collect(), body: Bytes::from(body.to_string()) }
    }

    /// A provider's callback.
    pub(crate) fn callback(callback: &harness::Callback) -> Self {
        let headers = [
            ("x-authy-signature".to_owned(), callback.signature()),
            ("x-authy-signature-nonce".to_owned(), callback.nonce.clone()),
        ];
        Self { path: "/authy/callback", headers: headers.into(), body: Bytes::from(callback.body.clone()) }
    }

    fn request(&self, host: &str) -> anyhow::Result<Request<Full<Bytes>>> {
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(self.path)
            .header(HOST, host)
            .header(CONTENT_TYPE, "application/json");
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        Ok(request.body(Full::new(self.body.clone()))?)
    }
}

impl Connection {
    /// Connects to `http://host:port`.
    pub(crate) async fn open(address: &str) -> anyhow::Result<Self> {
        let host = address.strip_prefix("http://").context("an address without its scheme")?.to_owned();
        let stream = TcpStream::connect(&host).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let mut moving = JoinSet::new();
        moving.spawn(async move {
            // Whoever asks next is told.
            let _ = connection.await;
        });
        Ok(Self { sender, host, _moving: moving })
    }

    /// Asks, and reads the whole answer, which must have the status 200.
    pub(crate) async fn ask(&mut self, prepared: &Prepared) -> anyhow::Result<Bytes> {
        self.sender.ready().await?;
        let response = self.sender.send_request(prepared.request(&self.host)?).await?;
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        ensure!(status == 200, "status {status}: {}", String::from_utf8_lossy(&body));
        Ok(body)
    }
}

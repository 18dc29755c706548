//! The calls to Authy over real HTTP, against a server that answers what a test wants.
//!
//! Not Authy's own behaviour; the sandbox emulates that. Each call is tried for success, refusal, failure, nonsense, a
//! cut-off body and silence.

use std::{
    future::pending,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Router, body::Body, extract::Request, response::Response};
use futures_util::{StreamExt, stream};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinSet};
use url::Url;
use uuid::Uuid;

use super::*;
use crate::{
    model::{Code, CountryCode},
    outgoing::OutgoingProxy,
};

mod calls;
mod failures;

const KEY: &str = "planted-api-key";
const UUID: &str = "dda2c400-bc43-0135-d7be-1285ca17e122";

/// What the server does with every request.
#[derive(Clone)]
enum Answer {
    Json(u16, Value),
    Text(u16, &'static str),
    /// With this header.
    Header(u16, &'static str, &'static str),
    /// The beginning of a longer body, then the connection breaks.
    Cut,
    /// More than anybody wants to read.
    Endless,
    /// The beginning of a body, then nothing.
    Stalled,
    Silence,
}

#[derive(Clone, Debug)]
struct Seen {
    line: String,
    headers: http::HeaderMap,
    body: Vec<u8>,
}

/// A server for one test; gone when dropped.
struct Server {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    _tasks: JoinSet<()>,
}

impl Server {
    async fn answering(answer: Answer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&seen);
        let router = Router::new()
            .fallback(move |request: Request| respond(request, answer.clone(), Arc::clone(&log)));
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, seen, _tasks: tasks }
    }

    fn authy(&self) -> Authy {
        authy(&format!("http://{}", self.address), Duration::from_secs(10))
    }

    fn only_seen(&self) -> Seen {
        let seen = self.seen.lock().unwrap();
        assert_eq!(seen.len(), 1, "one request");
        seen[0].clone()
    }
}

async fn respond(request: Request, answer: Answer, log: Arc<Mutex<Vec<Seen>>>) -> Response {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes().to_vec();
    log.lock().unwrap().push(Seen {
        line: format!("{} {}", parts.method, parts.uri),
        headers: parts.headers,
        body,
    });
    let beginning = || stream::once(async { Ok::<_, std::io::Error>("{\"success\":true,") });
    let response = Response::builder();
    match answer {
        Answer::Json(status, body) => response.status(status).body(Body::from(body.to_string())),
        Answer::Text(status, text) => response.status(status).body(Body::from(text)),
        Answer::Header(status, name, value) => {
            response.status(status).header(name, value).body(Body::from("{}"))
        }
        Answer::Cut => {
            let broken = stream::once(async { Err(std::io::Error::other("cut")) });
            response.body(Body::from_stream(beginning().chain(broken)))
        }
        Answer::Endless => {
            response.body(Body::from_stream(beginning().chain(stream::repeat_with(|| Ok("\"x\":1,")))))
        }
        Answer::Stalled => response.body(Body::from_stream(beginning().chain(stream::pending()))),
        Answer::Silence => pending().await,
    }
    .unwrap()
}

fn config(api_url: &str, timeout: Duration) -> AuthyConfig {
    AuthyConfig {
        api_key: ApiKey::parse(KEY).unwrap(),
        api_url: Url::parse(api_url).unwrap(),
        callback_url: "https://login.example.com/authy/callback".to_owned(),
        timeout,
        proxy: OutgoingProxy::default(),
        logos: vec![Logo { res: "default".to_owned(), url: "https://example.com/logo.png".to_owned() }],
        enroll_new: true,
        bind_codes: true,
    }
}

fn authy(api_url: &str, timeout: Duration) -> Authy {
    let _ = rustls::crypto::ring::default_provider().install_default();
    Authy::new(config(api_url, timeout)).unwrap()
}

/// One of each call, for what all of them have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Each {
    Enroll,
    RequestPush,
    FindPush,
    SendCode,
    CheckCode,
}

const EACH: [Each; 5] = [Each::Enroll, Each::RequestPush, Each::FindPush, Each::SendCode, Each::CheckCode];

impl Each {
    async fn call(self, authy: &Authy) -> Result<String, ProviderError> {
        let user = ProviderUserId::new("1000");
        match self {
            Self::Enroll => authy.enroll(&email(), &phone()).await.map(|id| format!("{id:?}")),
            Self::RequestPush => authy.request(&approval(&user)).await.map(|id| format!("{id:?}")),
            Self::FindPush => authy.find(&PushHandle::new(UUID)).await.map(|found| format!("{found:?}")),
            Self::SendCode => {
                let sent = send(authy, &user, Sending::Preferred).await;
                sent.map(|sent| format!("{sent:?}"))
            }
            Self::CheckCode => check(authy, "1000:bound").await.map(|judged| format!("{judged:?}")),
        }
    }

    /// The error's name, when the server answers so.
    async fn error(self, answer: Answer) -> String {
        let server = Server::answering(answer).await;
        let error = self.call(&server.authy()).await.expect_err("an error");
        server.only_seen();
        name_of(&error)
    }
}

fn name_of(error: &ProviderError) -> String {
    let text = format!("{error:?} {error}");
    for planted in [KEY, "http:", "7654321", "planted", "2025550123", "verify"] {
        assert!(!text.contains(planted), "{text} shows {planted}");
    }
    text.split([' ', '(', '{']).next().unwrap_or_default().to_owned()
}

fn email() -> Email {
    Email::parse("planted@example.com").unwrap()
}

fn phone() -> Phone {
    Phone::parse(&CountryCode::parse("1").unwrap(), "202 555 0123").unwrap()
}

fn code() -> Code {
    Code::parse("765 4321").unwrap()
}

fn approval_id() -> ApprovalId {
    ApprovalId::new(Uuid::from_u128(7))
}

async fn send(authy: &Authy, user: &ProviderUserId, sending: Sending) -> Result<SentCode, ProviderError> {
    let (phone, user) = (&phone(), Some(user));
    authy.send(&CodeMessage { phone, user, approval_id: approval_id(), sending }).await
}

/// Checks a code with this handle.
async fn check(authy: &Authy, handle: &str) -> Result<CodeJudgement, ProviderError> {
    let (handle, code) = (&CodeHandle::new(handle), &code());
    authy.check(&CodeCheck { handle, approval_id: approval_id(), code }).await
}

fn approval(user: &ProviderUserId) -> PushRequest<'_> {
    PushRequest {
        user,
        approval_id: approval_id(),
        message: "Log in?",
        details: &[],
        expires_in: Duration::from_mins(10),
    }
}

async fn seen_of(each: Each) -> Seen {
    let server = Server::answering(Answer::Json(200, json!({}))).await;
    let _ = each.call(&server.authy()).await;
    server.only_seen()
}

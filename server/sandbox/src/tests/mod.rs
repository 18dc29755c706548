//! Tests that speak HTTP with a sandbox on a port of its own. What is pure is tested beside its code; these
//! are about what a caller sees. Each test has its own sandbox, and a clock that moves only when told.

mod approvals;
mod callbacks;
mod faults;
mod guards;
mod page;
mod persistence;
mod tokens;
mod users;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{Clock, Sandbox, SandboxConfig};

const KEY: &str = "c67fd44d6e1b4f9bb2e3a8a0c9d1e5f7";

/// A clock that stands still until it is moved.
struct MovableClock(Mutex<DateTime<Utc>>);

impl MovableClock {
    fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(DateTime::from_timestamp(1_800_000_000, 0).unwrap())))
    }
}

impl Clock for MovableClock {
    fn now(&self) -> DateTime<Utc> {
        *self.0.lock().unwrap()
    }

    fn advance(&self, by: Duration) -> bool {
        *self.0.lock().unwrap() += TimeDelta::from_std(by).unwrap();
        true
    }
}

/// A sandbox that runs, and a client to speak with it.
struct Running {
    address: SocketAddr,
    client: reqwest::Client,
    shutdown: CancellationToken,
    serving: JoinHandle<std::io::Result<()>>,
}

fn config() -> SandboxConfig {
    SandboxConfig { api_key: KEY.to_owned(), callback_url: None, state_file: None, exposed: false }
}

impl Running {
    async fn start() -> Self {
        Self::start_with(config(), MovableClock::new()).await
    }

    async fn start_with(config: SandboxConfig, clock: Arc<dyn Clock>) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let sandbox = Sandbox::open(config, clock).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let serving = TaskTracker::new().spawn(sandbox.serve(listener, shutdown.clone()));
        let client = reqwest::Client::builder().timeout(Duration::from_mins(1)).no_proxy().build().unwrap();
        Self { address, client, shutdown, serving }
    }

    async fn stop(self) {
        self.shutdown.cancel();
        self.serving.await.unwrap().unwrap();
    }

    /// A request without a key.
    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("http://{}{path}", self.address))
    }

    /// A call to Authy's API with the key in its header.
    fn authy(&self, method: Method, path: &str) -> RequestBuilder {
        self.request(method, path).header("X-Authy-API-Key", KEY)
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        answer(self.authy(Method::GET, path)).await
    }

    async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        answer(self.authy(Method::POST, path).json(&body)).await
    }

    async fn phone(&self, method: Method, path: &str, body: Value) -> (u16, Value) {
        let request = self.request(method, path);
        answer(if body.is_null() { request } else { request.json(&body) }).await
    }

    async fn register(&self, cellphone: &str) -> u64 {
        let user = json!({"email": "ada@example.com", "cellphone": cellphone, "country_code": 1});
        let (status, body) = self.post("/protected/json/users/new", json!({"user": user})).await;
        assert_eq!(status, 200, "{body}");
        body["user"]["id"].as_u64().unwrap()
    }

    /// A registered phone without the app.
    async fn register_without_app(&self, cellphone: &str) -> u64 {
        let authy_id = self.register(cellphone).await;
        self.phone(Method::PATCH, &format!("/phone/devices/{authy_id}"), json!({"onetouch": false})).await;
        authy_id
    }

    /// Asks for an approval. Returns the uuid.
    async fn push(&self, authy_id: u64, body: Value) -> String {
        let path = format!("/onetouch/json/users/{authy_id}/approval_requests");
        let (status, body) = self.post(&path, body).await;
        assert_eq!(status, 200, "{body}");
        body["approval_request"]["uuid"].as_str().unwrap().to_owned()
    }

    async fn tap(&self, uuid: &str, verdict: &str) -> u16 {
        let path = format!("/phone/approval_requests/{uuid}");
        self.phone(Method::POST, &path, json!({"status": verdict})).await.0
    }

    async fn device(&self, authy_id: u64) -> Value {
        self.phone(Method::GET, &format!("/phone/devices/{authy_id}"), Value::Null).await.1
    }

    /// Sends a code by SMS and reads it off the phone.
    async fn send_code(&self, authy_id: u64) -> String {
        let (status, body) = self.get(&format!("/protected/json/sms/{authy_id}?force=true")).await;
        assert_eq!(status, 200, "{body}");
        let messages = self.device(authy_id).await["messages"].as_array().unwrap().clone();
        messages.last().unwrap()["code"].as_str().unwrap().to_owned()
    }

    async fn verify(&self, code: &str, authy_id: u64) -> (u16, Value) {
        self.get(&format!("/protected/json/verify/{code}/{authy_id}?force=true")).await
    }

    async fn advance(&self, seconds: u64) {
        let body = json!({"advanceSeconds": seconds});
        let (status, _) = self.phone(Method::PUT, "/phone/clock", body).await;
        assert_eq!(status, 200);
    }

    async fn set_faults(&self, faults: Value) {
        let (status, body) = self.phone(Method::PUT, "/phone/faults", faults).await;
        assert_eq!(status, 200, "{body}");
    }

    async fn count(&self, endpoint: &str) -> u64 {
        let (_, calls) = self.phone(Method::GET, "/phone/calls", Value::Null).await;
        calls["counts"][endpoint].as_u64().unwrap()
    }
}

/// The status and the JSON of an answer; null where the body is empty.
async fn answer(request: RequestBuilder) -> (u16, Value) {
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let text = response.text().await.unwrap();
    let body = if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap() };
    (status, body)
}

/// A code that is none of these.
fn another_code(codes: &[&str]) -> String {
    let mut candidates = ["0000000", "1111111", "2222222"].into_iter();
    candidates.find(|candidate| !codes.contains(candidate)).unwrap().to_owned()
}

//! Signed callbacks, received by a small server.

use std::time::Duration;

use axum::body::Bytes;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::{Router, response::IntoResponse};
use reqwest::Method as Verb;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;

use super::{KEY, Running};
use crate::signature::{Signed, to_query};

/// A callback that arrived.
struct Received {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
}

/// Somebody who is called back, and answers each with 202.
struct Receiver {
    url: String,
    arrivals: mpsc::UnboundedReceiver<Received>,
}

impl Receiver {
    async fn start() -> Self {
        let (sender, arrivals) = mpsc::unbounded_channel();
        let receive = move |method: Method, uri: Uri, headers: HeaderMap, body: Bytes| {
            let sender = sender.clone();
            async move {
                sender.send(Received { method, uri, headers, body }).unwrap();
                StatusCode::ACCEPTED.into_response()
            }
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/authy/callback", listener.local_addr().unwrap());
        let service = axum::serve(listener, Router::new().fallback(receive));
        TaskTracker::new().spawn(service.into_future());
        Self { url, arrivals }
    }

    async fn next(&mut self) -> Received {
        tokio::time::timeout(Duration::from_secs(30), self.arrivals.recv()).await.unwrap().unwrap()
    }
}

impl Received {
    fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// Whether the signature is that of the key over what arrived.
    fn is_signed(&self, url: &str) -> bool {
        let parameters = match self.method {
            Method::GET => self.uri.query().unwrap().to_owned(),
            _ => to_query(&self.json()),
        };
        let nonce = self.header("x-authy-signature-nonce");
        let signed = Signed { nonce, method: self.method.as_str(), url, parameters: &parameters };
        signed.sign(KEY) == self.header("x-authy-signature")
    }
}

/// A sandbox that calls a receiver back, and a phone.
async fn start(method: &str) -> (Running, Receiver, u64) {
    let receiver = Receiver::start().await;
    let sandbox = Running::start().await;
    let callback = json!({"url": receiver.url, "method": method});
    assert_eq!(sandbox.phone(Verb::PUT, "/phone/callback", callback).await.0, 200);
    let authy_id = sandbox.register("405-342-5699").await;
    (sandbox, receiver, authy_id)
}

async fn push_and_tap(sandbox: &Running, authy_id: u64, verdict: &str) -> String {
    let body = json!({
        "message": "Log in to «Ärger & Co»?", "details": {"Location": "California, USA"},
        "hidden_details": {"login": "0198"},
        "logos": [{"res": "default", "url": "https://example.com/d.png"}, {"res": "low",
        "url": "https://example.com/l.png"}],
    });
    let uuid = sandbox.push(authy_id, body).await;
    assert_eq!(sandbox.tap(&uuid, verdict).await, 200);
    uuid
}

#[tokio::test]
async fn an_answer_is_told_by_post_with_a_signature() {
    let (sandbox, mut receiver, authy_id) = start("POST").await;
    let uuid = push_and_tap(&sandbox, authy_id, "approved").await;
    let callback = receiver.next().await;
    assert!(callback.is_signed(&receiver.url));
    assert_eq!(callback.header("content-type"), "application/json");
    assert_eq!(callback.header("x-authy-signature-nonce"), "1800000000");
    let body = callback.json();
    assert_eq!(body["authy_id"], authy_id);
    assert_eq!(body["callback_action"], "approval_request_status");
    assert_eq!((&body["uuid"], &body["status"]), (&json!(uuid), &json!("approved")));
    assert!(body["device_uuid"].is_u64());
    let transaction = &body["approval_request"]["transaction"];
    assert_eq!((&transaction["uuid"], &transaction["status"]), (&json!(uuid), &json!("approved")));
    assert_eq!(transaction["details"], json!({"Location": "California, USA"}));
    assert_eq!(transaction["hidden_details"], json!({"login": "0198"}));
    assert_eq!(body["approval_request"]["logos"][1]["res"], "low");
    assert_eq!(body["approval_request"]["expiration_timestamp"], 1_800_086_400);
}

#[tokio::test]
async fn a_callback_by_get_signs_its_raw_query() {
    let (sandbox, mut receiver, authy_id) = start("GET").await;
    let uuid = push_and_tap(&sandbox, authy_id, "denied").await;
    let callback = receiver.next().await;
    assert_eq!((&callback.method, callback.uri.path()), (&Method::GET, "/authy/callback"));
    assert!(callback.is_signed(&receiver.url));
    let query = callback.uri.query().unwrap();
    assert!(query.contains(&format!("uuid={uuid}")) && query.contains("status=denied"), "{query}");
    assert!(query.contains("approval_request%5Btransaction%5D%5Brequester_details%5D=&"), "{query}");
}

#[tokio::test]
async fn deliveries_are_listed_with_what_came_back() {
    let (sandbox, mut receiver, authy_id) = start("POST").await;
    let uuid = push_and_tap(&sandbox, authy_id, "approved").await;
    receiver.next().await;
    let unreachable = json!({"url": "http://127.0.0.1:1/callback"});
    sandbox.phone(Verb::PUT, "/phone/callback", unreachable).await;
    let (status, body) = sandbox.phone(Verb::POST, "/phone/callback/trial", Value::Null).await;
    assert_eq!((status, body), (200, json!({"status": null})));
    let body = loop {
        let (_, body) = sandbox.phone(Verb::GET, "/phone/callback", Value::Null).await;
        if body["deliveries"].as_array().unwrap().len() == 2 {
            break body;
        }
    };
    let deliveries = body["deliveries"].as_array().unwrap();
    let answered = deliveries.iter().find(|delivery| delivery["uuid"] == json!(uuid)).unwrap();
    assert_eq!((&answered["status"], &answered["at"]), (&json!(202), &json!("2027-01-15T08:00:00.000000Z")));
    assert_eq!(body["method"], "POST");
}

#[tokio::test]
async fn the_trial_speaks_of_user_1234() {
    let (sandbox, mut receiver, _) = start("POST").await;
    let (status, body) = sandbox.phone(Verb::POST, "/phone/callback/trial", Value::Null).await;
    assert_eq!((status, body), (200, json!({"status": 202})));
    let callback = receiver.next().await;
    assert!(callback.is_signed(&receiver.url));
    assert_eq!(callback.json()["authy_id"], 1234);
    sandbox.phone(Verb::PUT, "/phone/callback", json!({"url": null})).await;
    assert_eq!(sandbox.phone(Verb::POST, "/phone/callback/trial", Value::Null).await.0, 409);
}

#[tokio::test]
async fn a_forged_callback_has_a_wrong_signature() {
    let (sandbox, mut receiver, authy_id) = start("POST").await;
    sandbox.set_faults(json!({"callbacks": {"forge": true}})).await;
    push_and_tap(&sandbox, authy_id, "approved").await;
    assert!(!receiver.next().await.is_signed(&receiver.url));
}

#[tokio::test]
async fn callbacks_are_repeated_and_dropped_as_asked() {
    let (sandbox, mut receiver, authy_id) = start("POST").await;
    sandbox.set_faults(json!({"callbacks": {"drop": 0.5, "repeat": 2, "delayMs": 1}})).await;
    let first = push_and_tap(&sandbox, authy_id, "approved").await;
    for _ in 0..3 {
        assert_eq!(receiver.next().await.json()["uuid"], json!(first));
    }
    let dropped = push_and_tap(&sandbox, authy_id, "approved").await;
    sandbox.phone(Verb::DELETE, "/phone/faults", Value::Null).await;
    let third = push_and_tap(&sandbox, authy_id, "denied").await;
    assert_eq!(receiver.next().await.json()["uuid"], json!(third));
    let (_, body) = sandbox.phone(Verb::GET, "/phone/callback", Value::Null).await;
    assert!(!body.to_string().contains(&dropped));
}

#[tokio::test]
async fn a_callback_url_must_be_one() {
    let sandbox = Running::start().await;
    for body in [
        json!({"url": "callback"}),
        json!({"url": "ftp://example.com/"}),
        json!({"method": "PUT", "url": "http://example.com/"}),
        json!([]),
    ] {
        assert_eq!(sandbox.phone(Verb::PUT, "/phone/callback", body.clone()).await.0, 400, "{body}");
    }
}

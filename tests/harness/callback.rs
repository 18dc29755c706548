//! Callbacks signed by hand: what the sandbox would send, and what nobody should believe.
//!
//! The third implementation of Authy's signature in this repository, after the server's and the sandbox's; it knows no
//! more than these scenarios need.

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::Scene;

/// A callback, ready to be sent.
#[derive(Clone, Debug)]
pub struct Callback {
    /// The body, as text.
    pub body: String,
    /// What is signed of it.
    pub parameters: String,
    /// The key that signs.
    pub key: String,
    /// The URL that is signed.
    pub url: String,
    /// The nonce that is signed.
    pub nonce: String,
}

impl Callback {
    /// What the provider says when a phone has answered.
    #[must_use]
    pub fn new(scene: &Scene, uuid: &str, authy_id: u64, status: &str) -> Self {
        Self::of(scene, &answer(uuid, authy_id, status))
    }

    /// Any body, signed as it should be.
    #[must_use]
    pub fn of(scene: &Scene, body: &Value) -> Self {
        Self::with_key(scene.api_key(), scene.callback_url(), body)
    }

    /// What a provider with this key says to this URL when a phone has answered.
    #[must_use]
    pub fn of_answer((key, url): (&str, &str), uuid: &str, authy_id: u64, status: &str) -> Self {
        Self::with_key(key, url, &answer(uuid, authy_id, status))
    }

    fn with_key(key: &str, url: &str, body: &Value) -> Self {
        Self {
            body: body.to_string(),
            parameters: to_query(body, ""),
            key: key.to_owned(),
            url: url.to_owned(),
            nonce: "1512923419".to_owned(),
        }
    }

    /// The signature, for the header `x-authy-signature`.
    #[must_use]
    pub fn signature(&self) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.key.as_bytes()).unwrap();
        mac.update(format!("{}|POST|{}|{}", self.nonce, self.url, self.parameters).as_bytes());
        STANDARD.encode(mac.finalize().into_bytes())
    }

    /// Sends it to the URL of the settings, and returns the HTTP status of the response.
    pub async fn send(&self, scene: &Scene) -> u16 {
        self.send_to(scene, scene.callback_url()).await
    }

    /// Sends it to this URL, whatever is signed, and returns the HTTP status of the response.
    pub async fn send_to(&self, scene: &Scene, url: &str) -> u16 {
        let response = scene
            .http
            .post(url)
            .header("content-type", "application/json")
            .header("x-authy-signature", self.signature())
            .header("x-authy-signature-nonce", &self.nonce)
            .body(self.body.clone())
            .send()
            .await
            .unwrap();
        response.status().as_u16()
    }
}

fn answer(uuid: &str, authy_id: u64, status: &str) -> Value {
    json!({
        "authy_id": authy_id,
        "callback_action": "approval_request_status",
        "uuid": uuid,
        "status": status,
        "approval_request": { "transaction": { "status": status, "uuid": uuid, "details": null } },
    })
}

/// A JSON object as Ruby's `to_query` writes it: enough of it for objects of plain values.
fn to_query(value: &Value, key: &str) -> String {
    let text = match value {
        Value::Object(members) => {
            let mut parts: Vec<_> = members
                .iter()
                .map(|(name, value)| {
                    to_query(value, &if key.is_empty() { name.clone() } else { format!("{key}[{name}]") })
                })
                .collect();
            parts.sort();
            return parts.join("&");
        }
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let encode = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    format!("{}={}", encode(key), encode(&text))
}

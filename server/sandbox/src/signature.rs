//! The signature of Authy's callbacks, as the sandbox makes it: `base64(HMAC-SHA256(key,
//! nonce|method|url|parameters))`, the parameters written as Ruby's `to_query` writes them. It only signs;
//! the server has its own code that checks, and the two share nothing, so that a mistake in one is seen by
//! the other.

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use sha2::Sha256;

/// Everything but letters, digits and these four is percent-encoded. Blanks become `+` afterwards.
const FORM: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b' ');

/// What is signed.
pub(super) struct Signed<'a> {
    /// Unix seconds as text, sent along as `X-Authy-Signature-Nonce`.
    pub(super) nonce: &'a str,
    /// `POST` or `GET`.
    pub(super) method: &'a str,
    /// The callback URL as configured; a query is cut off before signing.
    pub(super) url: &'a str,
    /// `to_query` of the body, or the raw query of a GET.
    pub(super) parameters: &'a str,
}

impl Signed<'_> {
    /// The value of `X-Authy-Signature`.
    pub(super) fn sign(&self, key: &str) -> String {
        let url = self.url.split(['?', '#']).next().unwrap_or_default();
        #[expect(clippy::expect_used, reason = "HMAC takes keys of every length")]
        let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).expect("a key");
        mac.update([self.nonce, self.method, url, self.parameters].join("|").as_bytes());
        STANDARD.encode(mac.finalize().into_bytes())
    }
}

/// A JSON object as a query, as Ruby on Rails writes it: `a[b]=…`, `a[]=…`; null is an empty value; empty
/// objects and arrays are left out; the pairs of an object are sorted, except inside an array, where they
/// keep their order.
pub(super) fn to_query(body: &Value) -> String {
    query_of("", body)
}

fn query_of(key: &str, value: &Value) -> String {
    match value {
        Value::Object(members) => {
            let mut parts: Vec<String> = members
                .iter()
                .filter(|(_, member)| !is_empty_container(member))
                .map(|(name, member)| query_of(&nested(key, name), member))
                .collect();
            if !key.contains("[]") {
                parts.sort();
            }
            parts.join("&")
        }
        Value::Array(elements) => {
            let key = format!("{key}[]");
            elements.iter().map(|element| query_of(&key, element)).collect::<Vec<_>>().join("&")
        }
        Value::Null => pair(key, ""),
        Value::String(text) => pair(key, text),
        Value::Bool(_) | Value::Number(_) => pair(key, &value.to_string()),
    }
}

fn nested(key: &str, name: &str) -> String {
    if key.is_empty() { name.to_owned() } else { format!("{key}[{name}]") }
}

fn is_empty_container(value: &Value) -> bool {
    value.as_object().is_some_and(serde_json::Map::is_empty) || value.as_array().is_some_and(Vec::is_empty)
}

fn pair(key: &str, value: &str) -> String {
    format!("{}={}", encode(key), encode(value))
}

fn encode(text: &str) -> String {
    utf8_percent_encode(text, FORM).to_string().replace(' ', "+")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const KEY: &str = "sTtTCXqpvXHcI4RcQq4mEWBXAsMOlMlV";
    const NONCE: &str = "1512923419.000123";
    const URL: &str = "https://login.example.com/authy/callback";

    /// Members of the bodies of vectors 03 to 06: everything but what each of them is about.
    fn body(status: &str) -> Value {
        json!({
            "authy_id": 1_234_567, "device_uuid": 2_102_943, "callback_action": "approval_request_status",
            "uuid": "f86232d0-cbbd-0134-bd1c-1241e5695bb0", "status": status,
            "approval_request": {
                "transaction": {
                    "details": null, "device_details": {}, "device_geolocation": "",
                    "device_signing_time": 1_512_923_419,
                    "encrypted": false, "flagged": false, "hidden_details": null, "message": "Login request",
                    "reason": "", "requester_details": null, "status": status,
                    "uuid": "f86232d0-cbbd-0134-bd1c-1241e5695bb0", "created_at_time": 1_512_923_400,
                    "customer_uuid": 15_083,
                },
                "expiration_timestamp": 1_513_009_800, "logos": null, "app_id": "582380eb7e1caa03317ec08c",
            },
            "signature": "cGF5bG9hZCtzaWcvPT0=",
            "device": {
                "city": null, "country": "Colombia", "ip": "190.130.65.251", "region": null,
                "registration_city": null,
                "registration_country": "Colombia", "registration_ip": "190.130.66.242",
                "registration_method": "sms",
                "registration_region": null, "os_type": "android", "last_account_recovery_at": null,
                "id": 2_102_943,
                "registration_date": 1_505_418_165, "last_sync_date": 1_505_418_173,
            },
        })
    }

    fn signature(body: &Value) -> String {
        Signed { nonce: NONCE, method: "POST", url: URL, parameters: &to_query(body) }.sign(KEY)
    }

    #[test]
    fn vector_01_the_example_of_the_documentation() {
        let parameters = to_query(&json!({"b": "val|ue&2", "a": "value1"}));
        assert_eq!(parameters, "a=value1&b=val%7Cue%262");
        let signed = Signed {
            nonce: "1427849783.886085",
            method: "POST",
            url: "https://api.authy.com/dashboard/json/application/webhooks",
            parameters: &parameters,
        };
        assert_eq!(signed.sign("foobar123"), "4f9676D/+BzsEq8NzF0fXpv7qETnzJUW/4YGe7p0EPM=");
    }

    #[test]
    fn vector_02_the_smallest_body() {
        let body = json!({"authy_id": 1234, "status": "approved"});
        assert_eq!(signature(&body), "YXAtfxB6u9xuSy+Oij9F7Ig/7okxI7vpX03ofdTdqtY=");
    }

    #[test]
    fn vector_03_a_full_body_with_nulls() {
        assert_eq!(signature(&body("approved")), "NyWjHffV5/zWS6HnlRMSfpMjlRECgGyXWqtCXKzS7ws=");
    }

    #[test]
    fn vector_04_details_with_blanks_and_hidden_details() {
        let mut body = body("denied");
        let transaction = &mut body["approval_request"]["transaction"];
        transaction["details"] = json!({"Email Address": "jdoe@example.com", "Location": "California, USA"});
        transaction["hidden_details"] = json!({"ip": "10.10.3.203"});
        assert_eq!(signature(&body), "Cd8gg9O7k9zOpGgZvVxN+9q7PLXNxx4gxxnaxkVSGxw=");
    }

    #[test]
    fn vector_05_two_logos() {
        let mut body = body("approved");
        body["approval_request"]["logos"] = json!([
            {"res": "default", "url": "https://example.com/d.png"},
            {"res": "low", "url": "https://example.com/l.png"},
        ]);
        assert_eq!(signature(&body), "UnN8XLzK0z+9XZua258h5ZtwHIcPOUgtP+FvmT2b/D4=");
    }

    #[test]
    fn vector_06_an_array_of_text() {
        let mut body = body("approved");
        body["device"]["enabled_unlock_methods"] = json!(["pin", "fingerprint"]);
        body["device"]["last_unlock_method_used"] = json!("pin");
        body["device"]["multidevice_enabled"] = json!(true);
        body["device"]["multidevice_updated_at"] = json!(1_570_469_080);
        body["device"]["last_unlock_date"] = json!(1_570_641_596);
        assert_eq!(signature(&body), "juEQN8XUdQxnJMjO7MZVbr8Zto18jR5olUN/nGuiiAc=");
    }

    #[test]
    fn vector_07_keys_and_values_beyond_ascii() {
        let body = json!({"status": "approved", "approval_request": {"transaction": {
            "message": "Iniciar sesión ☕ 日本語 🔐",
            "details": {"Città": "Zürich", "名前": "山田 太郎"},
        }}});
        assert_eq!(signature(&body), "9G6a2UoYf9id8WGEY5c8kTt/EKlHIR9DDAMm8TMiQss=");
    }

    #[test]
    fn empty_containers_are_left_out_and_booleans_are_lower_case() {
        assert_eq!(to_query(&json!({"a": {}, "b": [], "c": true, "d": null, "e": 1})), "c=true&d=&e=1");
    }

    #[test]
    fn objects_in_an_array_keep_the_order_of_their_keys() {
        assert_eq!(to_query(&json!({"a": 1, "a!": 2})), "a%21=2&a=1");
        assert_eq!(to_query(&json!({"l": [{"a": 1, "a!": 2}]})), "l%5B%5D%5Ba%5D=1&l%5B%5D%5Ba%21%5D=2");
    }

    #[test]
    fn the_query_of_the_url_is_not_signed() {
        let sign = |url| Signed { nonce: NONCE, method: "GET", url, parameters: "a=1" }.sign(KEY);
        assert_eq!(sign("http://localhost/callback?a=1"), sign("http://localhost/callback"));
        assert_ne!(sign("http://localhost/callback"), sign("http://localhost/callback/"));
    }
}

//! Callbacks as Authy sends them, and as others would.

use base64::{Engine, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, HeaderValue};
use serde_json::json;
use sha2::Sha256;

use super::*;
use crate::model::ApprovalId;

const KEY: &str = "sTtTCXqpvXHcI4RcQq4mEWBXAsMOlMlV";
const URL: &str = "https://login.example.com/authy/callback";
const NONCE: &str = "1512923419";
const LOGIN_ID: &str = "0190b7a2-0000-7000-8000-000000000001";

/// What arrives, owned.
struct Arrival {
    method: Method,
    headers: HeaderMap,
    query: String,
    body: Vec<u8>,
}

impl Arrival {
    /// A callback by POST, signed over parameters that the test spells out.
    fn post(body: impl Into<Vec<u8>>, parameters: &str) -> Self {
        Self {
            method: Method::POST,
            headers: signed("POST", parameters),
            query: String::new(),
            body: body.into(),
        }
    }

    fn get(query: &str) -> Self {
        let headers = signed("GET", query);
        Self { method: Method::GET, headers, query: query.to_owned(), body: Vec::new() }
    }

    fn read(&self) -> Result<CallbackReport, CallbackError> {
        self.read_at(URL)
    }

    fn read_at(&self, url: &str) -> Result<CallbackReport, CallbackError> {
        let Self { method, headers, query, body } = self;
        super::read(&Callback { method, headers, query, body }, &ApiKey::parse(KEY).unwrap(), url)
    }

    fn is_forged(&self) -> bool {
        matches!(self.read(), Err(CallbackError::Forged))
    }

    fn is_ambiguous(&self) -> bool {
        matches!(self.read(), Err(CallbackError::Ambiguous(_)))
    }
}

fn signed(method: &str, parameters: &str) -> HeaderMap {
    let text = format!("{NONCE}|{method}|{URL}|{parameters}");
    let tag =
        Hmac::<Sha256>::new_from_slice(KEY.as_bytes()).unwrap().chain_update(text).finalize().into_bytes();
    let mut headers = HeaderMap::new();
    headers.insert("x-authy-signature-nonce", HeaderValue::from_static(NONCE));
    headers.insert("X-Authy-Signature", BASE64_STANDARD.encode(tag).parse().unwrap());
    headers
}

/// A flat body and its parameters.
fn flat(members: &[(&str, &str)]) -> Arrival {
    let mut parameters: Vec<String> = members.iter().map(|(name, text)| format!("{name}={text}")).collect();
    parameters.sort();
    let body: serde_json::Map<_, _> =
        members.iter().map(|(name, text)| ((*name).to_owned(), json!(text))).collect();
    Arrival::post(json!(body).to_string(), &parameters.join("&"))
}

fn answered(verdict: Verdict, approval_id: Option<&str>) -> CallbackReport {
    CallbackReport::Answered {
        id: PushHandle::new("u-1"),
        user: ProviderUserId::new("1000"),
        approval_id: approval_id.map(|id| ApprovalId::parse(id).unwrap()),
        verdict,
    }
}

fn full(status: &str) -> Arrival {
    let body = json!({
        "authy_id": 1000, "callback_action": "approval_request_status", "uuid": "u-1", "status": status,
        "approval_request": {
            "transaction": {"hidden_details": {"login_id": LOGIN_ID}, "status": status, "uuid": "u-1", "details": null},
            "logos": [],
        },
    });
    let transaction = "approval_request%5Btransaction%5D";
    let parameters = format!(
        "{transaction}%5Bdetails%5D=&{transaction}%5Bhidden_details%5D%5Blogin_id%5D={LOGIN_ID}\
         &{transaction}%5Bstatus%5D={status}&{transaction}%5Buuid%5D=u-1\
         &authy_id=1000&callback_action=approval_request_status&status={status}&uuid=u-1"
    );
    Arrival::post(body.to_string(), &parameters)
}

#[test]
fn an_answer_by_post_is_read() {
    assert_eq!(full("approved").read().unwrap(), answered(Verdict::Approved, Some(LOGIN_ID)));
    assert_eq!(full("denied").read().unwrap(), answered(Verdict::Denied, Some(LOGIN_ID)));
    let text_id = flat(&[("authy_id", "1000"), ("status", "denied"), ("uuid", "u-1")]);
    assert_eq!(text_id.read().unwrap(), answered(Verdict::Denied, None));
}

#[test]
fn an_answer_by_get_is_read() {
    let query = format!(
        "authy_id=1000&status=approved&uuid=u-1&callback_action=approval_request_status\
         &approval_request[transaction][hidden_details][login_id]={LOGIN_ID}\
         &approval_request%5Btransaction%5D%5Bstatus%5D=approved&approval_request%5Btransaction%5D%5Bdetails%5D=\
         &approval_request[logos][][res]=default&approval_request[logos][][res]=low"
    );
    assert_eq!(Arrival::get(&query).read().unwrap(), answered(Verdict::Approved, Some(LOGIN_ID)));
    // Until 2016 the approval request came as one text.
    let old = "authy_id=1000&status=denied&uuid=u-1&approval_request=%7B%22transaction%22%3D%3E1%7D";
    assert_eq!(Arrival::get(old).read().unwrap(), answered(Verdict::Denied, None));
}

#[test]
fn a_get_is_signed_byte_for_byte() {
    let mut arrival = Arrival::get("authy_id=1000&status=approved&uuid=u%2D1");
    assert_eq!(arrival.read().unwrap(), answered(Verdict::Approved, None));
    arrival.query = "authy_id=1000&status=approved&uuid=u-1".to_owned();
    assert!(arrival.is_forged());
}

#[test]
fn any_part_changed_makes_a_forgery() {
    for mut arrival in [full("denied"), Arrival::get("authy_id=1000&status=denied&uuid=u-1")] {
        assert!(arrival.read().is_ok());
        for url in
            ["http://login.example.com/authy/callback", "https://login.example.com/authy/callback/", ""]
        {
            assert!(matches!(arrival.read_at(url), Err(CallbackError::Forged)), "{url}");
        }
        let original = (arrival.query.clone(), arrival.body.clone());
        arrival.query = arrival.query.replace("denied", "approved");
        arrival.body = String::from_utf8(arrival.body).unwrap().replace("denied", "approved").into_bytes();
        assert!(arrival.is_forged());
        (arrival.query, arrival.body) = original;
        let headers = arrival.headers.clone();
        arrival.headers.insert("x-authy-signature-nonce", HeaderValue::from_static("1512923420"));
        assert!(arrival.is_forged());
        for name in ["x-authy-signature-nonce", "x-authy-signature"] {
            arrival.headers = headers.clone();
            arrival.headers.remove(name);
            assert!(arrival.is_forged(), "without {name}");
        }
        arrival.headers = headers;
        for method in [
            Method::PUT,
            Method::HEAD,
            if arrival.method == Method::GET { Method::POST } else { Method::GET },
        ] {
            let other = Arrival {
                method,
                headers: arrival.headers.clone(),
                query: arrival.query.clone(),
                body: arrival.body.clone(),
            };
            assert!(other.is_forged());
        }
    }
}

#[test]
fn the_key_in_force_is_the_only_one() {
    let arrival = full("approved");
    let Arrival { method, headers, query, body } = &arrival;
    let callback = Callback { method, headers, query, body };
    let other = ApiKey::parse("another-key").unwrap();
    assert!(matches!(super::read(&callback, &other, URL), Err(CallbackError::Forged)));
}

#[test]
fn duplicate_keys_are_refused_and_forged_ones_are_called_forged() {
    let body = r#"{"authy_id":1000,"status":"denied","uuid":"u-1","status":"approved"}"#;
    assert!(Arrival::post(body, "authy_id=1000&status=approved&uuid=u-1").is_ambiguous());
    assert!(Arrival::post(body, "authy_id=1000&status=denied&uuid=u-1").is_forged());
    assert!(Arrival::post(body, "authy_id=1000&status=approved&status=denied&uuid=u-1").is_forged());
}

#[test]
fn a_payload_that_signs_like_another_is_refused() {
    let parameters = "a%5Bb%5D=x&authy_id=1000&status=approved&uuid=u-1";
    let nested = r#"{"a":{"b":"x"},"authy_id":1000,"status":"approved","uuid":"u-1"}"#;
    let bracketed = r#"{"a[b]":"x","authy_id":1000,"status":"approved","uuid":"u-1"}"#;
    assert!(Arrival::post(nested, parameters).read().is_ok());
    assert!(Arrival::post(bracketed, parameters).is_ambiguous());
}

#[test]
fn a_query_with_two_values_for_one_field_is_refused() {
    for query in [
        "authy_id=1000&status=denied&status=approved&uuid=u-1",
        "authy_id=1000&status=denied&%73tatus=approved&uuid=u-1",
        "authy_id=1000&status=approved&uuid=u-1&uuid[]=u-2",
        "authy_id=1000&status=approved&uuid=u-1&approval_request=x&approval_request[transaction][status]=denied",
    ] {
        assert!(Arrival::get(query).is_ambiguous(), "{query}");
    }
}

#[test]
fn a_status_or_uuid_that_contradicts_the_transactions_is_refused() {
    for inner in ["status]=denied", "uuid]=u-2"] {
        let query = format!("authy_id=1000&status=approved&uuid=u-1&approval_request[transaction][{inner}");
        assert!(Arrival::get(&query).is_ambiguous(), "{inner}");
    }
    let body = r#"{"approval_request":{"transaction":{"status":"denied"}},"authy_id":1000,"status":"approved","uuid":"u-1"}"#;
    let parameters =
        "approval_request%5Btransaction%5D%5Bstatus%5D=denied&authy_id=1000&status=approved&uuid=u-1";
    assert!(Arrival::post(body, parameters).is_ambiguous());
    for absent in ["status]=", "uuid]="] {
        let query = format!("authy_id=1000&status=approved&uuid=u-1&approval_request[transaction][{absent}");
        assert_eq!(Arrival::get(&query).read().unwrap(), answered(Verdict::Approved, None));
    }
}

#[test]
fn authentic_callbacks_without_an_answer_are_nothing_to_do() {
    for members in [
        &[("authy_id", "1234"), ("status", "approved"), ("uuid", "u-1")][..],
        &[("authy_id", "1000"), ("status", "approved"), ("uuid", "u-1"), ("callback_action", "user_added")],
        &[("authy_id", "1000"), ("status", "expired"), ("uuid", "u-1")],
        &[("authy_id", "1000"), ("status", "APPROVED"), ("uuid", "u-1")],
        &[("authy_id", "1000"), ("status", "approved")],
        &[("status", "approved"), ("uuid", "u-1")],
        &[("authy_id", "1000"), ("uuid", "u-1")],
        &[("authy_id", "me"), ("status", "approved"), ("uuid", "u-1")],
        &[("authy_id", "1000"), ("status", "approved"), ("uuid", "u_1")],
        &[],
    ] {
        assert_eq!(flat(members).read().unwrap(), CallbackReport::NothingToDo, "{members:?}");
    }
    assert_eq!(Arrival::get("").read().unwrap(), CallbackReport::NothingToDo);
}

#[test]
fn a_hidden_login_id_that_is_none_is_left_out() {
    let query =
        "authy_id=1000&status=approved&uuid=u-1&approval_request[transaction][hidden_details][login_id]=x";
    assert_eq!(Arrival::get(query).read().unwrap(), answered(Verdict::Approved, None));
}

#[test]
fn garbage_is_a_forgery_whatever_its_signature() {
    let deep = "[".repeat(60_000);
    let huge = format!("{{\"a\":\"{}\"}}", "x".repeat(MAX_BYTES));
    for body in
        [&b""[..], b"{", b"null", b"[]", b"\xff\xfe", b"{\"a\":\"\xff\"}", deep.as_bytes(), huge.as_bytes()]
    {
        assert!(Arrival::post(body, "").is_forged());
    }
    let within = format!("{{\"a\":\"{}\"}}", "x".repeat(MAX_BYTES - 8));
    assert!(Arrival::post(within, &format!("a={}", "x".repeat(MAX_BYTES - 8))).read().is_ok());
    assert!(Arrival::get(&"a".repeat(MAX_BYTES + 1)).is_forged());
}

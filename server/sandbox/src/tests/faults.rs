//! Faults of Authy's API, the counts of what was asked, and the end of a sandbox that hangs on purpose.

use std::pin::pin;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use reqwest::Method;
use serde_json::{Value, json};

use super::{Running, answer};

const DETAILS: &str = "/protected/json/app/details";

/// How many codes were sent to a phone.
async fn messages(sandbox: &Running, authy_id: u64) -> usize {
    sandbox.device(authy_id).await["messages"].as_array().unwrap().len()
}

#[tokio::test]
async fn a_status_comes_instead_of_the_effect() {
    let sandbox = Running::start().await;
    let authy_id = sandbox.register("405-342-5699").await;
    let path = format!("/protected/json/sms/{authy_id}?force=true");
    sandbox.set_faults(json!({"api": {"kind": "status", "status": 503, "paths": ["/sms/"]}})).await;
    let (status, body) = sandbox.get(&path).await;
    assert_eq!((status, &body["success"]), (503, &json!(false)));
    assert_eq!(messages(&sandbox, authy_id).await, 0);
    assert_eq!(sandbox.get(DETAILS).await.0, 200);
    sandbox.set_faults(json!({"api": {"kind": "status", "status": 429}})).await;
    let (status, body) = sandbox.get(DETAILS).await;
    assert_eq!((status, &body["error_code"]), (429, &json!("60003")));
    let (status, _) = sandbox.phone(Method::DELETE, "/phone/faults", Value::Null).await;
    assert_eq!((status, sandbox.get(&path).await.0), (204, 200));
}

#[tokio::test]
async fn a_page_comes_instead_of_the_effect() {
    let sandbox = Running::start().await;
    let authy_id = sandbox.register("405-342-5699").await;
    sandbox.set_faults(json!({"api": {"kind": "html"}})).await;
    let path = format!("/protected/json/sms/{authy_id}?force=true");
    let response = sandbox.authy(Method::GET, &path).send().await.unwrap();
    assert_eq!(response.status().as_u16(), 200);
    assert!(response.headers()["content-type"].to_str().unwrap().starts_with("text/html"));
    assert!(response.text().await.unwrap().contains("<html>"));
    assert_eq!(messages(&sandbox, authy_id).await, 0);
}

#[tokio::test]
async fn a_cut_answer_breaks_off_after_its_effect() {
    let sandbox = Running::start().await;
    let authy_id = sandbox.register("405-342-5699").await;
    sandbox.set_faults(json!({"api": {"kind": "cut"}})).await;
    let path = format!("/protected/json/sms/{authy_id}?force=true");
    let response = sandbox.authy(Method::GET, &path).send().await.unwrap();
    assert_eq!(response.status().as_u16(), 200);
    assert!(response.content_length().unwrap() > 0);
    assert!(response.text().await.is_err());
    assert_eq!(messages(&sandbox, authy_id).await, 1);
}

#[tokio::test]
async fn a_silent_answer_never_comes_though_its_effect_does_and_the_sandbox_still_ends() {
    let sandbox = Running::start().await;
    let authy_id = sandbox.register("405-342-5699").await;
    sandbox.set_faults(json!({"api": {"kind": "silent", "paths": ["sms"]}})).await;
    let request = sandbox.authy(Method::GET, &format!("/protected/json/sms/{authy_id}?force=true"));
    let mut request = pin!(request.send());
    loop {
        tokio::select! {
            _ = &mut request => panic!("an answer came"),
            messages = messages(&sandbox, authy_id) => if messages == 1 { break },
        }
    }
    assert!(request.as_mut().now_or_never().is_none());
    let (_, calls) = sandbox.phone(Method::GET, "/phone/calls", Value::Null).await;
    assert_eq!(calls["calls"][1]["status"], Value::Null);
    sandbox.stop().await;
    assert_eq!(request.await.unwrap().status().as_u16(), 503);
}

#[tokio::test]
async fn a_delay_comes_before_or_after_the_effect() {
    for when in ["before", "after"] {
        let sandbox = Running::start().await;
        let authy_id = sandbox.register("405-342-5699").await;
        sandbox.set_faults(json!({"api": {"kind": "delay", "delayMs": 40, "when": when}})).await;
        let begin = Instant::now();
        let (status, _) = sandbox.get(&format!("/protected/json/sms/{authy_id}?force=true")).await;
        assert_eq!(status, 200);
        assert!(begin.elapsed() >= Duration::from_millis(40));
        assert_eq!(messages(&sandbox, authy_id).await, 1);
    }
}

#[tokio::test]
async fn the_side_of_the_delay_decides_when_the_effect_is_seen() {
    for (when, effects) in [("before", 0), ("after", 1)] {
        let sandbox = Running::start().await;
        let authy_id = sandbox.register("405-342-5699").await;
        sandbox.set_faults(json!({"api": {"kind": "delay", "delayMs": 600_000, "when": when}})).await;
        let request = sandbox.authy(Method::GET, &format!("/protected/json/sms/{authy_id}?force=true"));
        let mut request = pin!(request.send());
        loop {
            tokio::select! {
                _ = &mut request => panic!("an answer came"),
                asked = sandbox.count("sms") => if asked == 1 { break },
            }
        }
        while messages(&sandbox, authy_id).await != effects {}
        sandbox.stop().await;
    }
}

#[tokio::test]
async fn what_is_delayed_happens_though_the_caller_hangs_up() {
    let sandbox = Running::start().await;
    let authy_id = sandbox.register("405-342-5699").await;
    sandbox.set_faults(json!({"api": {"kind": "delay", "delayMs": 100}})).await;
    let request = sandbox.authy(Method::GET, &format!("/protected/json/sms/{authy_id}?force=true"));
    let mut request = Box::pin(request.send());
    loop {
        tokio::select! {
            _ = &mut request => break,
            asked = sandbox.count("sms") => if asked == 1 { break },
        }
    }
    drop(request);
    while messages(&sandbox, authy_id).await == 0 {}
}

#[tokio::test]
async fn faults_are_shown_and_wrong_ones_refused() {
    let sandbox = Running::start().await;
    sandbox.set_faults(json!({"callbacks": {"drop": 1}})).await;
    let (_, body) = sandbox.phone(Method::GET, "/phone/faults", Value::Null).await;
    assert_eq!((&body["api"], &body["callbacks"]["drop"]), (&Value::Null, &json!(1.0)));
    for body in
        [json!({"api": {"kind": "odd"}}), json!({"api": {}}), json!({"callbacks": {"drop": 2}}), json!(1)]
    {
        assert_eq!(sandbox.phone(Method::PUT, "/phone/faults", body.clone()).await.0, 400, "{body}");
    }
}

#[tokio::test]
async fn calls_are_counted_without_codes_and_keys() {
    let sandbox = Running::start().await;
    let authy_id = sandbox.register("405-342-5699").await;
    let path = format!("/protected/json/verify/7654321/{authy_id}?force=true&api_key=wrong");
    assert_eq!(answer(sandbox.request(Method::GET, &path)).await.0, 401);
    let (_, body) = sandbox.phone(Method::GET, "/phone/calls", Value::Null).await;
    let verify = json!({"path": format!("/protected/json/verify/{{token}}/{authy_id}"), "status": 401});
    assert_eq!(body["calls"], json!([{"path": "/protected/json/users/new", "status": 200}, verify]));
    assert_eq!((&body["counts"]["users/new"], &body["counts"]["verify"]), (&json!(1), &json!(1)));
    assert_eq!(body["counts"]["approval_request_status"], 0);
    assert_eq!(sandbox.phone(Method::DELETE, "/phone/calls", Value::Null).await.0, 204);
    assert_eq!(sandbox.count("verify").await, 0);
}

//! Refusal, failure, nonsense, cut-off bodies and silence, for every call.

use futures_util::future::join_all;

use super::*;
use crate::provider::RateLimitScope;

#[tokio::test]
async fn a_success_that_does_not_say_what_it_must_is_nonsense() {
    for (each, body) in [
        (Each::Enroll, json!({"success": true})),
        (Each::Enroll, json!({"success": true, "user": {"id": "../1"}})),
        (Each::RequestPush, json!({"success": true})),
        (Each::RequestPush, json!({"success": true, "approval_request": {"uuid": "../x"}})),
        (Each::FindPush, json!({"success": true, "approval_request": {"status": "perhaps"}})),
        (
            Each::FindPush,
            json!({"success": true, "approval_request": {"status": "approved", "uuid": "other"}}),
        ),
        (Each::CheckCode, json!({"success": true})),
        (Each::CheckCode, json!({"success": true, "message": "SMS token was sent"})),
        (Each::CheckCode, json!({"success": true, "token": "is invalid"})),
        (Each::CheckCode, json!({"success": false, "token": "is valid"})),
        (Each::CheckCode, json!({"token": "is valid"})),
        (Each::CheckCode, json!({"success": false, "error_code": "60020"})),
    ] {
        assert_eq!(each.error(Answer::Json(200, body.clone())).await, "Nonsense", "{each:?} {body}");
    }
}

#[tokio::test]
async fn refusals_say_what_a_caller_can_act_on() {
    for (each, status, code, expected) in [
        (Each::Enroll, 400, "60027", "Refused"),
        (Each::Enroll, 401, "60001", "Unauthorized"),
        (Each::RequestPush, 400, "60051", "NoPush"),
        (Each::RequestPush, 403, "60065", "NoPush"),
        (Each::RequestPush, 404, "60026", "NotEnrolled"),
        (Each::FindPush, 401, "60001", "Unauthorized"),
        (Each::SendCode, 404, "60026", "NotEnrolled"),
        (Each::SendCode, 400, "60082", "ChannelUnavailable"),
        (Each::SendCode, 503, "60003", "RateLimited"),
        (Each::CheckCode, 401, "60016", "NotEnrolled"),
        (Each::CheckCode, 401, "60001", "Unauthorized"),
    ] {
        let body = json!({
            "success": false,
            "error_code": code,
            "message": "planted@example.com is invalid",
            "errors": {"message": "planted"},
        });
        assert_eq!(each.error(Answer::Json(status, body)).await, expected, "{each:?} {code}");
    }
}

#[tokio::test]
async fn failures_and_nonsense_are_nonsense_for_every_call() {
    for each in EACH {
        for answer in [
            Answer::Json(500, json!({"success": false, "message": "planted"})),
            Answer::Text(500, "<html>planted</html>"),
            Answer::Text(200, "<html>planted</html>"),
            Answer::Text(401, "planted"),
            Answer::Text(200, ""),
            Answer::Text(200, "[\"planted\"]"),
            Answer::Header(302, "location", "/protected/json/planted"),
            Answer::Cut,
            Answer::Endless,
        ] {
            let expected = match (&answer, each) {
                // JSON, and no push: what hinders it matters little.
                (Answer::Header(..), Each::RequestPush) => "NoPush",
                _ => "Nonsense",
            };
            assert_eq!(each.error(answer).await, expected, "{each:?}");
        }
    }
}

#[tokio::test]
async fn a_request_to_slow_down_is_understood_even_without_json() {
    for (answer, expected) in [
        (Answer::Text(429, "<html>"), None),
        (Answer::Header(429, "retry-after", "30"), Some(Duration::from_secs(30))),
        (Answer::Header(429, "retry-after", "99999999999"), Some(Duration::from_hours(1))),
        (Answer::Header(429, "retry-after", "Wed, 21 Oct 2026 07:28:00 GMT"), None),
        (Answer::Header(429, "retry-after", "-1"), None),
    ] {
        for each in EACH {
            let server = Server::answering(answer.clone()).await;
            match each.call(&server.authy()).await {
                Err(ProviderError::RateLimited { retry_after, scope: RateLimitScope::Unknown }) => {
                    assert_eq!(retry_after, expected);
                }
                other => panic!("{each:?}: {other:?}"),
            }
        }
    }
}

#[tokio::test]
async fn silence_ends_with_the_timeout_for_every_call() {
    let cases = EACH.into_iter().flat_map(|each| [(each, Answer::Silence), (each, Answer::Stalled)]);
    join_all(cases.map(async |(each, answer)| {
        let server = Server::answering(answer).await;
        let authy = authy(&format!("http://{}", server.address), Duration::from_secs(1));
        let error = each.call(&authy).await.unwrap_err();
        assert_eq!(name_of(&error), "TimedOut", "{each:?}");
        assert!(!error.was_certainly_not_judged());
        server.only_seen();
    }))
    .await;
}

#[tokio::test]
async fn what_never_connected_is_unreachable() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    // The listener takes the connection, but nobody speaks TLS on it: a timeout while connecting.
    let silent = authy(&format!("https://{address}"), Duration::from_secs(1));
    join_all(EACH.map(async |each| {
        let error = each.call(&silent).await.unwrap_err();
        assert_eq!(name_of(&error), "Unreachable", "{each:?}");
        assert!(error.was_certainly_not_judged());
    }))
    .await;
    drop(listener);
    let refused = authy(&format!("http://{address}"), Duration::from_secs(10));
    for each in EACH {
        assert_eq!(name_of(&each.call(&refused).await.unwrap_err()), "Unreachable", "{each:?}");
    }
}

#[tokio::test]
async fn a_connection_that_breaks_before_an_answer_leaves_the_effect_unknown() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let authy = authy(&format!("http://{}", listener.local_addr().unwrap()), Duration::from_secs(10));
    let breaking = async {
        let (stream, _) = listener.accept().await.unwrap();
        let mut beginning = [0; 16];
        while stream.try_read(&mut beginning).is_err() {
            stream.readable().await.unwrap();
        }
    };
    let (error, ()) = tokio::join!(Each::CheckCode.call(&authy), breaking);
    let error = error.unwrap_err();
    assert_eq!(name_of(&error), "Nonsense");
    assert!(!error.was_certainly_not_judged());
}

#[tokio::test]
async fn an_id_of_another_form_never_enters_a_path() {
    let server = Server::answering(Answer::Json(200, json!({"success": true, "token": "is valid"}))).await;
    let authy = server.authy();
    for id in ["", "../sms", "1/../2", "1?x", "１", "123456789012345678901", "1000 "] {
        let user = ProviderUserId::new(id);
        assert_eq!(name_of(&check(&authy, user.as_str()).await.unwrap_err()), "NotEnrolled");
        assert_eq!(name_of(&send(&authy, &user, Sending::Sms).await.unwrap_err()), "NotEnrolled");
        assert_eq!(name_of(&authy.request(&approval(&user)).await.unwrap_err()), "NotEnrolled");
    }
    for id in ["", "../users", "a/b", "a?b", "a.b", &"a".repeat(65)] {
        assert_eq!(name_of(&authy.find(&PushHandle::new(id)).await.unwrap_err()), "Nonsense");
    }
    assert!(server.seen.lock().unwrap().is_empty());
}

//! What is sent to Authy, and how its successes are understood.

use super::*;

#[tokio::test]
async fn every_call_is_the_one_that_authy_documents() {
    for (each, line) in [
        (Each::Enroll, "POST /protected/json/users/new"),
        (Each::RequestPush, "POST /onetouch/json/users/1000/approval_requests"),
        (Each::FindPush, "GET /onetouch/json/approval_requests/dda2c400-bc43-0135-d7be-1285ca17e122"),
        (Each::SendCode, "GET /protected/json/sms/1000?action=00000000-0000-0000-0000-000000000007"),
        (
            Each::CheckCode,
            "GET /protected/json/verify/7654321/1000?force=true&action=00000000-0000-0000-0000-000000000007",
        ),
    ] {
        let seen = seen_of(each).await;
        assert_eq!(seen.line, line);
        assert_eq!(seen.headers["x-authy-api-key"], KEY);
        assert!(seen.headers["user-agent"].to_str().unwrap().starts_with("countersign/"));
    }
}

#[tokio::test]
async fn a_base_path_of_the_api_is_kept() {
    let server = Server::answering(Answer::Json(200, json!({}))).await;
    for base in ["base", "base/"] {
        let authy = authy(&format!("http://{}/{base}", server.address), Duration::from_secs(10));
        let _ = Each::SendCode.call(&authy).await;
    }
    let lines: Vec<String> = server.seen.lock().unwrap().iter().map(|seen| seen.line.clone()).collect();
    let line = "GET /base/protected/json/sms/1000?action=00000000-0000-0000-0000-000000000007";
    assert_eq!(lines, [line, line]);
}

#[tokio::test]
async fn enrolment_sends_the_phone_and_no_install_link() {
    let body: Value = serde_json::from_slice(&seen_of(Each::Enroll).await.body).unwrap();
    assert_eq!(
        body,
        json!({
            "user": {"email": "planted@example.com", "cellphone": "2025550123", "country_code": "1"},
            "send_install_link_via_sms": false,
        })
    );
}

#[tokio::test]
async fn an_approval_request_carries_all_parts_in_order_and_within_bounds() {
    let server = Server::answering(Answer::Json(200, json!({}))).await;
    let user = ProviderUserId::new("1000");
    let details = [
        ("Number", "42".to_owned()),
        ("A label of more than twenty characters", "é".repeat(300)),
        ("From", "Berlin".to_owned()),
    ];
    let message = "ü".repeat(200);
    let expires_in = Duration::from_millis(900);
    let request = PushRequest { message: &message, details: &details, expires_in, ..approval(&user) };
    let _ = server.authy().request(&request).await;
    let expected = format!(
        "{{\"message\":\"{}\",\"details\":{{\"Number\":\"42\",\"A label of more than\":\"{}\",\"From\":\"Berlin\"}},\
         \"hidden_details\":{{\"login_id\":\"00000000-0000-0000-0000-000000000007\"}},\
         \"logos\":[{{\"res\":\"default\",\"url\":\"https://example.com/logo.png\"}}],\"seconds_to_expire\":1}}",
        "ü".repeat(144),
        "é".repeat(200),
    );
    assert_eq!(String::from_utf8(server.only_seen().body).unwrap(), expected);
}

#[tokio::test]
async fn a_code_is_forced_upon_a_phone_only_when_the_person_asked_for_the_channel() {
    let action = "action=00000000-0000-0000-0000-000000000007";
    for (sending, line, channel) in [
        (Sending::Preferred, "GET /protected/json/sms/1000?", CodeChannel::Sms),
        (Sending::Sms, "GET /protected/json/sms/1000?force=true&", CodeChannel::Sms),
        (Sending::Voice, "GET /protected/json/call/1000?force=true&", CodeChannel::Voice),
    ] {
        let server = Server::answering(Answer::Json(200, json!({"success": true, "message": "sent"}))).await;
        let user = ProviderUserId::new("1000");
        let sent = send(&server.authy(), &user, sending).await.unwrap();
        assert_eq!(sent, SentCode { channel, handle: CodeHandle::new("1000:bound") });
        assert_eq!(server.only_seen().line, format!("{line}{action}"));
        let ignored = json!({"success": true, "ignored": true, "device": "android"});
        let server = Server::answering(Answer::Json(200, ignored)).await;
        let shown = send(&server.authy(), &user, sending).await.unwrap();
        assert_eq!(shown, SentCode { channel: CodeChannel::App, handle: CodeHandle::new("1000") });
    }
}

#[tokio::test]
async fn a_code_is_checked_as_it_was_sent() {
    let path = "GET /protected/json/verify/7654321/1000?force=true";
    let bound = format!("{path}&action=00000000-0000-0000-0000-000000000007");
    for (handle, line) in [("1000", path), ("1000:bound", &*bound)] {
        let server = Server::answering(Answer::Json(200, json!({}))).await;
        let _ = check(&server.authy(), handle).await;
        assert_eq!(server.only_seen().line, line);
    }
    for handle in ["", ":bound", "1000:", "1000:bound:bound", "10/00", "x:bound"] {
        let server = Server::answering(Answer::Json(200, json!({}))).await;
        assert_eq!(name_of(&check(&server.authy(), handle).await.unwrap_err()), "NotEnrolled", "{handle}");
    }
}

#[tokio::test]
async fn codes_that_are_not_bound_have_no_action() {
    let server = Server::answering(Answer::Json(200, json!({"success": true}))).await;
    let config = config(&format!("http://{}", server.address), Duration::from_secs(10));
    let _ = rustls::crypto::ring::default_provider().install_default();
    let authy = Authy::new(AuthyConfig { bind_codes: false, ..config }).unwrap();
    let sent = send(&authy, &ProviderUserId::new("1000"), Sending::Sms).await.unwrap();
    assert_eq!(sent.handle, CodeHandle::new("1000"));
    assert_eq!(server.only_seen().line, "GET /protected/json/sms/1000?force=true");
}

#[tokio::test]
async fn successes_are_understood() {
    for (each, body, expected) in [
        (Each::Enroll, json!({"success": true, "user": {"id": 1000}}), "ProviderUserId(\"1000\")"),
        (Each::Enroll, json!({"success": "true", "user": {"id": "1000"}}), "ProviderUserId(\"1000\")"),
        (
            Each::RequestPush,
            json!({"success": true, "approval_request": {"uuid": "a-1"}}),
            "PushHandle(\"a-1\")",
        ),
        (Each::CheckCode, json!({"success": "true", "token": "is valid"}), "Right"),
        (Each::CheckCode, json!({"success": true, "token": "is valid"}), "Right"),
    ] {
        let server = Server::answering(Answer::Json(200, body)).await;
        assert_eq!(each.call(&server.authy()).await.unwrap(), expected);
    }
    for (status, expected) in [
        ("pending", "Pending"),
        ("approved", "Answered(Approved)"),
        ("denied", "Answered(Denied)"),
        ("expired", "Gone"),
    ] {
        let body = json!({"success": true, "approval_request": {"uuid": UUID, "status": status}});
        let server = Server::answering(Answer::Json(200, body)).await;
        assert_eq!(Each::FindPush.call(&server.authy()).await.unwrap(), expected);
    }
}

#[tokio::test]
async fn judgements_and_lost_requests_are_no_errors() {
    for (each, status, code, expected) in [
        (Each::CheckCode, 401, "60020", "Wrong"),
        (Each::CheckCode, 401, "60019", "AlreadyUsed"),
        (Each::FindPush, 404, "60049", "Gone"),
    ] {
        let server =
            Server::answering(Answer::Json(status, json!({"success": false, "error_code": code}))).await;
        assert_eq!(each.call(&server.authy()).await.unwrap(), expected);
    }
    let without_code = json!({"success": false, "token": "is invalid"});
    let server = Server::answering(Answer::Json(401, without_code)).await;
    assert_eq!(Each::CheckCode.call(&server.authy()).await.unwrap(), "Wrong");
}

#[tokio::test]
async fn debug_does_not_show_the_key() {
    let server = Server::answering(Answer::Silence).await;
    assert!(!format!("{:?}", server.authy()).contains("planted"));
}

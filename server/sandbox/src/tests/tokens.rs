//! Sending codes and checking them.

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use super::{Running, another_code};

#[tokio::test]
async fn a_phone_without_the_app_gets_an_sms_or_a_call() {
    let sandbox = Running::start().await;
    let authy_id = sandbox.register_without_app("405-342-1112").await;
    let (status, body) = sandbox.get(&format!("/protected/json/sms/{authy_id}")).await;
    assert_eq!(status, 200);
    assert_eq!(
        body,
        json!({"success": true, "message": "SMS token was sent", "cellphone": "+1-XXX-XXX-XX12"})
    );
    let (status, body) = sandbox.get(&format!("/protected/json/call/{authy_id}")).await;
    assert_eq!(status, 200);
    assert_eq!(body, json!({"success": true, "message": "Call started...", "cellphone": "+1-XXX-XXX-XX12"}));
    let messages = sandbox.device(authy_id).await["messages"].clone();
    assert_eq!((&messages[0]["channel"], &messages[1]["channel"]), (&json!("sms"), &json!("voice")));
    let code = messages[0]["code"].as_str().unwrap();
    assert!(code.len() == 7 && code.bytes().all(|byte| byte.is_ascii_digit()), "{code}");
    assert!(messages[0]["text"].as_str().unwrap().contains(code));
}

#[tokio::test]
async fn a_phone_with_the_app_is_told_to_open_it_unless_forced() {
    let sandbox = Running::start().await;
    let authy_id = sandbox.register("405-342-1102").await;
    let (status, body) = sandbox.get(&format!("/protected/json/sms/{authy_id}")).await;
    assert_eq!(status, 200);
    let expected = json!({
        "message": "Ignored: SMS is not needed for smartphones. Pass force=true if you want to actually send it anyway.",
        "cellphone": "+1-XXX-XXX-XX02", "device": "android", "ignored": true, "success": true,
    });
    assert_eq!(body, expected);
    let (_, body) = sandbox.get(&format!("/protected/json/call/{authy_id}")).await;
    let expected = "Call ignored. User is using  App Tokens and this call is not necessary. \
        Pass force=true if you still want to call users that are using the App.";
    assert_eq!((&body["message"], &body["ignored"]), (&json!(expected), &json!(true)));
    let messages = sandbox.device(authy_id).await["messages"].clone();
    assert_eq!((&messages[0]["channel"], &messages[0]["code"]), (&json!("app"), &Value::Null));
    let (_, body) = sandbox.get(&format!("/protected/json/sms/{authy_id}?force=true")).await;
    assert_eq!(body.get("ignored"), None);
    assert_eq!(sandbox.device(authy_id).await["messages"][2]["channel"], "sms");
}

#[tokio::test]
async fn a_right_code_is_valid_once() {
    let sandbox = Running::start().await;
    let authy_id = sandbox.register_without_app("405-342-5699").await;
    let code = sandbox.send_code(authy_id).await;
    let wrong = json!({
        "message": "Token is invalid", "token": "is invalid", "success": false,
        "errors": {"message": "Token is invalid"}, "error_code": "60020",
    });
    assert_eq!(sandbox.verify(&another_code(&[&code]), authy_id).await, (401, wrong));
    let (status, body) = sandbox.verify(&code, authy_id).await;
    assert_eq!(status, 200);
    assert_eq!(body["message"], "Token is valid.");
    assert_eq!((&body["token"], &body["success"]), (&json!("is valid"), &json!("true")));
    assert_eq!(body["device"]["os_type"], "sms");
    let (status, body) = sandbox.verify(&code, authy_id).await;
    assert_eq!((status, &body["error_code"]), (401, &json!("60019")));
    assert_eq!(body["message"], "Token is invalid. Token was used recently");
    let (_, body) = sandbox.get(&format!("/protected/json/users/{authy_id}/status")).await;
    assert_eq!(body["status"]["confirmed"], true);
}

#[tokio::test]
async fn the_answer_is_compact_json() {
    let sandbox = Running::start().await;
    let authy_id = sandbox.register("405-342-5699").await;
    let code = sandbox.device(authy_id).await["app_code"].as_str().unwrap().to_owned();
    let path = format!("/protected/json/verify/{code}/{authy_id}?force=true");
    let text = sandbox.authy(Method::GET, &path).send().await.unwrap().text().await.unwrap();
    assert!(text.contains(r#""token":"is valid""#), "{text}");
}

#[tokio::test]
async fn the_code_of_the_app_is_valid_without_asking_for_it() {
    let sandbox = Running::start().await;
    let authy_id = sandbox.register("405-342-5699").await;
    let code = sandbox.device(authy_id).await["app_code"].as_str().unwrap().to_owned();
    sandbox.advance(30).await;
    let (status, body) = sandbox.verify(&code, authy_id).await;
    assert_eq!((status, &body["device"]["os_type"]), (200, &json!("android")));
    assert_eq!(sandbox.register_without_app("405-342-5700").await, 1_000_002);
    assert_eq!(sandbox.device(1_000_002).await["app_code"], Value::Null);
}

#[tokio::test]
async fn of_fifty_simultaneous_checks_of_one_right_code_one_is_right() {
    let sandbox = Running::start().await;
    let authy_id = sandbox.register("405-342-5699").await;
    let code = sandbox.send_code(authy_id).await;
    let answers = join_all((0..50).map(|_| sandbox.verify(&code, authy_id))).await;
    let right = answers.iter().filter(|(status, _)| *status == 200).count();
    let used = answers.iter().filter(|(_, body)| body["error_code"] == "60019").count();
    assert_eq!((right, used), (1, 49));
    assert_eq!(sandbox.count("verify").await, 50);
}

#[tokio::test]
async fn without_force_a_user_who_never_confirmed_gets_in_with_any_code() {
    let sandbox = Running::start().await;
    let authy_id = sandbox.register_without_app("405-342-5699").await;
    let code = sandbox.send_code(authy_id).await;
    let wrong = another_code(&[&code]);
    let unforced = format!("/protected/json/verify/{wrong}/{authy_id}");
    assert_eq!(sandbox.get(&unforced).await.0, 200);
    assert_eq!(sandbox.verify(&wrong, authy_id).await.0, 401);
    assert_eq!(sandbox.verify(&code, authy_id).await.0, 200);
    assert_eq!(sandbox.get(&unforced).await.0, 401);
    let with_app = sandbox.register("405-342-5700").await;
    let code = sandbox.device(with_app).await["app_code"].as_str().unwrap().to_owned();
    let wrong = another_code(&[&code]);
    assert_eq!(sandbox.get(&format!("/protected/json/verify/{wrong}/{with_app}")).await.0, 401);
}

#[tokio::test]
async fn tokens_of_other_forms_are_invalid_and_unknown_users_do_not_exist() {
    let sandbox = Running::start().await;
    let authy_id = sandbox.register_without_app("405-342-5699").await;
    for token in ["12345", "1234567890123", "12a4567", "..%2Fsms", "%EF%BC%91234567"] {
        let (status, body) = sandbox.get(&format!("/protected/json/verify/{token}/{authy_id}")).await;
        assert_eq!((status, &body["error_code"]), (401, &json!("60020")), "{token}");
    }
    let (status, body) = sandbox.verify("1234567", 1234).await;
    assert_eq!((status, &body["error_code"]), (401, &json!("60016")));
    assert_eq!(body["message"], "User doesn't exist.");
}

#[tokio::test]
async fn a_code_asked_for_with_an_action_is_valid_with_it_only() {
    let sandbox = Running::start().await;
    let authy_id = sandbox.register_without_app("405-342-5699").await;
    sandbox.get(&format!("/protected/json/sms/{authy_id}?action=login&action_message=Log%20in")).await;
    let message = sandbox.device(authy_id).await["messages"][0].clone();
    assert!(message["text"].as_str().unwrap().starts_with("Log in"));
    let code = message["code"].as_str().unwrap();
    assert_eq!(sandbox.verify(code, authy_id).await.1["error_code"], "60020");
    let path = format!("/protected/json/verify/{code}/{authy_id}?force=true&action=");
    assert_eq!(sandbox.get(&format!("{path}payment")).await.0, 401);
    assert_eq!(sandbox.get(&format!("{path}login")).await.0, 200);
    let long = "a".repeat(256);
    let (status, body) = sandbox.get(&format!("/protected/json/sms/{authy_id}?action={long}")).await;
    assert_eq!((status, &body["error_code"]), (400, &json!("60004")));
}

#[tokio::test]
async fn too_many_codes_within_an_hour_are_refused() {
    let sandbox = Running::start().await;
    let authy_id = sandbox.register("405-342-5699").await;
    let path = format!("/protected/json/sms/{authy_id}?force=true");
    for _ in 0..60 {
        assert_eq!(sandbox.get(&path).await.0, 200);
    }
    let (status, body) = sandbox.get(&path).await;
    assert_eq!((status, &body["error_code"]), (429, &json!("60003")));
    assert_eq!(body["message"], "DoS protection: User has requested too many tokens in the last hour.");
    assert_eq!(sandbox.device(authy_id).await["messages"].as_array().unwrap().len(), 50);
    sandbox.advance(3_600).await;
    assert_eq!(sandbox.get(&path).await.0, 200);
}

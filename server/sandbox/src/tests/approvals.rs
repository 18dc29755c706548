//! Pushes: asking, answering, expiring.

use reqwest::Method;
use serde_json::{Value, json};

use super::Running;

fn status_path(uuid: &str) -> String {
    format!("/onetouch/json/approval_requests/{uuid}")
}

#[tokio::test]
async fn a_push_is_pending_until_a_finger_answers_it() {
    let sandbox = Running::start().await;
    let authy_id = sandbox.register("405-342-5699").await;
    let details = json!({"Location": "Paris", "Match number": "42"});
    let hidden = json!({"login": "0198"});
    let body = json!({
        "message": "Log in?", "details": details, "hidden_details": hidden, "seconds_to_expire": 120,
        "logos": [],
    });
    let uuid = sandbox.push(authy_id, body).await;
    let (status, body) = sandbox.get(&format!("{}?", status_path(&uuid))).await;
    let request = &body["approval_request"];
    assert_eq!(
        (status, &request["status"], &request["processed_at"]),
        (200, &json!("pending"), &Value::Null)
    );
    assert_eq!(request["_authy_id"], authy_id);
    assert_eq!(request["_user_email"], "ada@example.com");
    assert_eq!(request["created_at"], "2027-01-15T08:00:00Z");
    assert_eq!(request.get("hidden_details"), None);
    let shown = sandbox.device(authy_id).await["approval_requests"][0].clone();
    let expected = json!({
        "uuid": uuid, "status": "pending", "message": "Log in?", "details": details,
        "expires_at": "2027-01-15T08:02:00.000000Z",
    });
    assert_eq!(shown, expected);
    sandbox.advance(5).await;
    assert_eq!(sandbox.tap(&uuid, "approved").await, 200);
    let (_, body) = sandbox.get(&status_path(&uuid)).await;
    let request = &body["approval_request"];
    assert_eq!(
        (&request["status"], &request["processed_at"]),
        (&json!("approved"), &json!("2027-01-15T08:00:05Z"))
    );
    assert_eq!(request["hidden_details"], hidden);
}

#[tokio::test]
async fn a_push_is_answered_once() {
    let sandbox = Running::start().await;
    let authy_id = sandbox.register("405-342-5699").await;
    let uuid = sandbox.push(authy_id, json!({"message": "Log in?"})).await;
    assert_eq!(sandbox.tap(&uuid, "maybe").await, 400);
    assert_eq!(sandbox.tap(&uuid, "denied").await, 200);
    assert_eq!(sandbox.tap(&uuid, "approved").await, 409);
    assert_eq!(sandbox.get(&status_path(&uuid)).await.1["approval_request"]["status"], "denied");
    assert_eq!(sandbox.tap("dda2c400-bc43-0135-d7be-1285ca17e122", "approved").await, 404);
    assert_eq!(sandbox.tap("nonsense", "approved").await, 404);
}

#[tokio::test]
async fn a_push_expires_by_the_clock() {
    let sandbox = Running::start().await;
    let authy_id = sandbox.register("405-342-5699").await;
    let uuid = sandbox.push(authy_id, json!({"message": "Log in?", "seconds_to_expire": "60"})).await;
    sandbox.advance(600).await;
    let (_, body) = sandbox.get(&status_path(&uuid)).await;
    let request = &body["approval_request"];
    assert_eq!(
        (&request["status"], &request["processed_at"]),
        (&json!("expired"), &json!("2027-01-15T08:01:00Z"))
    );
    assert_eq!(sandbox.tap(&uuid, "approved").await, 409);
}

#[tokio::test]
async fn a_phone_without_the_app_is_refused_a_push() {
    let sandbox = Running::start().await;
    let removed = sandbox.register_without_app("405-342-5699").await;
    sandbox.phone(Method::PUT, "/phone/defaults", json!({"onetouch": false})).await;
    let never = sandbox.register("405-342-5700").await;
    for (authy_id, code) in [(removed, "60051"), (never, "60050")] {
        let path = format!("/onetouch/json/users/{authy_id}/approval_requests");
        let (status, body) = sandbox.post(&path, json!({"message": "Log in?"})).await;
        assert_eq!(status, 400);
        assert_eq!((&body["error_code"], &body["success"]), (&json!(code), &json!(false)));
        assert_eq!(sandbox.device(authy_id).await["approval_requests"], json!([]));
    }
}

#[tokio::test]
async fn an_unknown_request_is_not_found() {
    let sandbox = Running::start().await;
    let uuid = "dda2c400-bc43-0135-d7be-1285ca17e122";
    let expected = json!({
        "message": format!("Approval request not found: {uuid}"), "success": false, "errors": {},
        "error_code": "60049",
    });
    assert_eq!(sandbox.get(&status_path(uuid)).await, (404, expected));
    assert_eq!(sandbox.get(&status_path("nonsense")).await.0, 404);
}

#[tokio::test]
async fn forms_of_the_libraries_are_understood() {
    let sandbox = Running::start().await;
    let authy_id = sandbox.register("405-342-5699").await;
    let path = format!("/onetouch/json/users/{authy_id}/approval_requests");
    for logos in [
        "logos%5B0%5D%5Bres%5D=default&logos%5B0%5D%5Burl%5D=d&logos%5B1%5D%5Bres%5D=low&logos%5B1%5D%5Burl%5D=l",
        "logos%5B%5D%5Bres%5D=default&logos%5B%5D%5Burl%5D=d&logos%5B%5D%5Bres%5D=low&logos%5B%5D%5Burl%5D=l",
    ] {
        let form =
            format!("message=Log+in&details%5BEmail%20Address%5D=a%40b.com&{logos}&seconds_to_expire=120");
        let request = sandbox.authy(Method::POST, &path).body(form);
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        assert_eq!(super::answer(request).await.0, 200);
    }
    let shown = sandbox.device(authy_id).await["approval_requests"][1].clone();
    assert_eq!(shown["details"], json!({"Email Address": "a@b.com"}));
}

#[tokio::test]
async fn questions_that_authy_does_not_take_are_refused() {
    let sandbox = Running::start().await;
    let authy_id = sandbox.register("405-342-5699").await;
    let path = format!("/onetouch/json/users/{authy_id}/approval_requests");
    for body in [
        json!({}),
        json!({"message": " "}),
        json!({"message": "a".repeat(201)}),
        json!({"message": "Log in?", "details": "Paris"}),
        json!({"message": "Log in?", "details": {"Location": "a".repeat(201)}}),
        json!({"message": "Log in?", "seconds_to_expire": "soon"}),
        json!({"message": "Log in?", "seconds_to_expire": -1}),
        json!({"message": "Log in?", "logos": "logo"}),
        json!({"message": "Log in?", "logos": [{"res": "low", "url": "https://example.com/l.png"}]}),
        json!({"message": "Log in?", "logos": [{"res": "huge", "url": "https://example.com/l.png"}]}),
        json!({"message": "Log in?", "logos": [{"res": "default"}]}),
    ] {
        let (status, answered) = sandbox.post(&path, body.clone()).await;
        assert_eq!((status, &answered["error_code"]), (400, &json!("60004")), "{body}");
    }
}

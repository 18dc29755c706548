//! Registering, status, deleting, and where the key and the parameters may be.

use reqwest::Method;
use serde_json::{Value, json};

use super::{KEY, Running, answer};

const NEW: &str = "/protected/json/users/new";

fn user() -> Value {
    json!({"user": {"email": "ada@example.com", "cellphone": "405-342-5699", "country_code": "1"}})
}

#[tokio::test]
async fn a_phone_has_one_id_however_it_is_written_and_whoever_registers_it() {
    let sandbox = Running::start().await;
    let (status, body) = sandbox.post(NEW, user()).await;
    assert_eq!(status, 200);
    let expected =
        json!({"message": "User created successfully.", "user": {"id": 1_000_001}, "success": true});
    assert_eq!(body, expected);
    let again =
        json!({"user": {"email": "bob@example.com", "cellphone": "(405) 342.5699", "country_code": 1}});
    assert_eq!(sandbox.post(NEW, again).await.1["user"]["id"], 1_000_001);
    assert_eq!(sandbox.device(1_000_001).await["emails"], json!(["ada@example.com", "bob@example.com"]));
    assert_eq!(sandbox.register("405-342-5700").await, 1_000_002);
}

#[tokio::test]
async fn parameters_come_as_json_as_form_and_as_query_of_a_post() {
    let sandbox = Running::start().await;
    let form = [("user[email]", "a@b.com"), ("user[cellphone]", "4053425699"), ("user[country_code]", "1")];
    let by_form = sandbox.authy(Method::POST, NEW).form(&form);
    assert_eq!(answer(by_form).await.0, 200);
    let by_query = sandbox.authy(Method::POST, NEW).query(&form);
    assert_eq!(answer(by_query).await.0, 200);
    let path =
        format!("{NEW}?user%5Bemail%5D=a%40b.com&user%5Bcellphone%5D=405+342+5699&user%5Bcountry_code%5D=1");
    assert_eq!(answer(sandbox.authy(Method::POST, &path)).await.1["user"]["id"], 1_000_001);
}

#[tokio::test]
async fn the_key_comes_in_header_query_or_body() {
    let sandbox = Running::start().await;
    let path = "/protected/json/app/details";
    let by_query = sandbox.request(Method::GET, &format!("{path}?api_key={KEY}"));
    assert_eq!(answer(by_query).await.0, 200);
    let mut body = user();
    body["api_key"] = json!(KEY);
    assert_eq!(answer(sandbox.request(Method::POST, NEW).json(&body)).await.0, 200);
    let by_form =
        sandbox.request(Method::POST, "/protected/json/users/1000001/delete").form(&[("api_key", KEY)]);
    assert_eq!(answer(by_form).await.0, 200);
}

#[tokio::test]
async fn a_missing_or_wrong_key_is_refused() {
    let sandbox = Running::start().await;
    let expected = json!({
        "error_code": "60001", "message": "Invalid API key", "errors": {"message": "Invalid API key"},
        "success": false,
    });
    let path = "/protected/json/users/new";
    let missing = sandbox.request(Method::POST, path).json(&user());
    assert_eq!(answer(missing).await, (401, expected.clone()));
    let wrong = sandbox.request(Method::POST, path).header("x-authy-api-key", "wrong").json(&user());
    assert_eq!(answer(wrong).await, (401, expected.clone()));
    let wrong_in_query = sandbox.request(Method::GET, "/onetouch/json/approval_requests/x?api_key=wrong");
    assert_eq!(answer(wrong_in_query).await, (401, expected));
    assert_eq!(sandbox.phone(Method::GET, "/phone/devices", Value::Null).await.1, json!({"devices": []}));
}

#[tokio::test]
async fn an_invalid_user_is_refused_field_by_field() {
    let sandbox = Running::start().await;
    let (status, body) = sandbox
        .post(NEW, json!({"user": {"email": "ada@example.com", "cellphone": "12", "country_code": 1}}))
        .await;
    assert_eq!(status, 400);
    let expected = json!({
        "cellphone": "is invalid", "message": "User was not valid", "success": false, "error_code": "60027",
        "errors": {"cellphone": "is invalid", "message": "User was not valid"},
    });
    assert_eq!(body, expected);
    let blank = json!({"user": {"email": "", "cellphone": "", "country_code": ""}});
    let (_, body) = sandbox.post(NEW, blank).await;
    assert_eq!(body["message"], "User was not valid.");
    assert_eq!(body["email"], "is invalid and can't be blank");
    assert_eq!(body["country_code"], "is invalid");
}

#[tokio::test]
async fn missing_parameters_have_codes_of_their_own() {
    let sandbox = Running::start().await;
    for (body, code) in [
        (json!({}), "60030"),
        (json!({"user": "ada"}), "60030"),
        (json!({"user": {"email": "a@b.com", "cellphone": "4053425699"}}), "60004"),
        (json!({"user": {"email": "a@b.com", "cellphone": "4053425699", "country_code": "US"}}), "60004"),
        (json!({"user": {"email": "a@b.com", "cellphone": "4053425699", "country_code": "12345"}}), "60027"),
    ] {
        let (status, answered) = sandbox.post(NEW, body.clone()).await;
        assert_eq!((status, &answered["error_code"]), (400, &json!(code)), "{body}");
    }
    let nonsense = sandbox.authy(Method::POST, NEW).header("content-type", "application/json").body("{");
    assert_eq!(answer(nonsense).await.1["error_code"], "60002");
    let not_utf8 = sandbox.authy(Method::POST, &format!("{NEW}?a=%ff"));
    assert_eq!(answer(not_utf8).await.1["error_code"], "60005");
}

#[tokio::test]
async fn the_status_shows_masks_and_whether_the_app_is_there() {
    let sandbox = Running::start().await;
    let authy_id = sandbox.register("405-342-1118").await;
    let path = format!("/protected/json/users/{authy_id}/status");
    // One of the libraries sends a body with its GETs.
    let request = sandbox.authy(Method::GET, &path).header("content-type", "application/json").body("{}");
    let (status, body) = answer(request).await;
    assert_eq!(status, 200);
    assert_eq!(body["message"], "User status.");
    assert_eq!(body["status"]["phone_number"], "XXX-XXX-1118");
    assert_eq!(body["status"]["country_code"], 1);
    assert_eq!(body["status"]["registered"], true);
    assert_eq!(body["status"]["devices"], json!(["android"]));
    assert_eq!(body["status"]["confirmed"], false);
    sandbox.phone(Method::PATCH, &format!("/phone/devices/{authy_id}"), json!({"onetouch": false})).await;
    let (_, body) = sandbox.get(&path).await;
    assert_eq!(body["status"]["registered"], false);
    assert_eq!(body["status"]["devices"], json!([]));
}

#[tokio::test]
async fn unknown_users_are_not_found_by_any_call() {
    let sandbox = Running::start().await;
    let expected = json!({
        "error_code": "60026", "message": "User not found.", "errors": {"message": "User not found."},
        "success": false,
    });
    for id in ["1234", "abc", "+1000001", "99999999999999999999999"] {
        for path in ["users/ID/status", "sms/ID", "call/ID"] {
            let path = format!("/protected/json/{}", path.replace("ID", id));
            assert_eq!(sandbox.get(&path).await, (404, expected.clone()), "{path}");
        }
        for path in ["users/ID/delete", "users/delete/ID", "users/ID/remove", "users/ID/update"] {
            let path = format!("/protected/json/{}", path.replace("ID", id));
            assert_eq!(sandbox.post(&path, json!({})).await, (404, expected.clone()), "{path}");
        }
        let path = format!("/onetouch/json/users/{id}/approval_requests");
        assert_eq!(
            sandbox.post(&path, json!({"message": "Log in"})).await,
            (404, expected.clone()),
            "{path}"
        );
    }
}

#[tokio::test]
async fn a_deleted_user_is_unknown_and_keeps_the_id_of_the_phone() {
    let sandbox = Running::start().await;
    for path in ["users/1000001/delete", "users/delete/1000001", "users/1000001/remove"] {
        assert_eq!(sandbox.register("405-342-5699").await, 1_000_001);
        let (status, body) = sandbox.post(&format!("/protected/json/{path}"), json!({})).await;
        assert_eq!(status, 200);
        assert_eq!(body, json!({"message": "User removed from application", "success": true}));
        assert_eq!(sandbox.get("/protected/json/users/1000001/status").await.0, 404);
    }
    assert_eq!(sandbox.phone(Method::GET, "/phone/devices", Value::Null).await.1, json!({"devices": []}));
}

#[tokio::test]
async fn an_update_changes_the_email() {
    let sandbox = Running::start().await;
    let authy_id = sandbox.register("405-342-5699").await;
    let path = format!("/protected/json/users/{authy_id}/update");
    let (status, body) = sandbox.post(&path, json!({"email": "eve@example.com"})).await;
    assert_eq!((status, body["message"].as_str()), (200, Some("User was updated successfully")));
    let (_, body) = sandbox.get(&format!("/protected/json/users/{authy_id}/status")).await;
    assert_eq!(body["status"]["email"], "eve@example.com");
    let (status, body) = sandbox.post(&path, json!({"email": "eve"})).await;
    assert_eq!((status, &body["error_code"]), (400, &json!("60027")));
}

#[tokio::test]
async fn activities_and_the_application_answer_as_authy_does() {
    let sandbox = Running::start().await;
    let authy_id = sandbox.register("405-342-5699").await;
    let path = format!("/protected/json/users/{authy_id}/register_activity");
    let (status, body) = sandbox.post(&path, json!({"type": "banned", "user_ip": "192.0.2.1"})).await;
    assert_eq!((status, body["message"].as_str()), (200, Some("Activity was created.")));
    assert_eq!(sandbox.post(&path, json!({"type": "sleeping"})).await.0, 400);
    let (status, body) = sandbox.get("/protected/json/app/details").await;
    assert_eq!((status, body["message"].as_str()), (200, Some("Application information.")));
    sandbox.send_code(authy_id).await;
    let (status, body) = sandbox.get("/protected/json/app/stats").await;
    assert_eq!((status, body["message"].as_str()), (200, Some("Monthly statistics.")));
    assert_eq!(body["stats"][0]["sms_count"], 1);
    assert_eq!(body["total_users"], 1);
}

#[tokio::test]
async fn what_is_no_endpoint_is_told_so() {
    let sandbox = Running::start().await;
    assert_eq!(sandbox.get("/protected/json/phones/info").await.0, 404);
    assert_eq!(sandbox.get("/protected/json/users/new").await.0, 404);
    let xml = sandbox.authy(Method::GET, "/protected/xml/app/details").send().await.unwrap();
    assert_eq!(xml.status().as_u16(), 406);
    let large = sandbox.authy(Method::POST, NEW).body("a".repeat(70_000));
    assert_eq!(answer(large).await.0, 413);
}

//! What a sandbox with a state file remembers after a restart.

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::json;

use super::{MovableClock, Running, config};
use crate::SandboxConfig;

fn config_in(folder: &tempfile::TempDir) -> SandboxConfig {
    SandboxConfig { state_file: Some(folder.path().join("sandbox.json")), ..config() }
}

#[tokio::test]
async fn phones_requests_and_spent_codes_survive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let clock = MovableClock::new();
    let sandbox = Running::start_with(config_in(&folder), clock.clone()).await;
    let authy_id = sandbox.register("405-342-5699").await;
    let uuid = sandbox.push(authy_id, json!({"message": "Log in?", "details": {"Location": "Paris"}})).await;
    let code = sandbox.send_code(authy_id).await;
    assert_eq!(sandbox.verify(&code, authy_id).await.0, 200);
    let shown = sandbox.device(authy_id).await;
    sandbox.stop().await;

    let sandbox = Running::start_with(config_in(&folder), clock).await;
    assert_eq!(sandbox.device(authy_id).await, shown);
    assert_eq!(sandbox.register("405-342-5699").await, authy_id);
    assert_eq!(sandbox.tap(&uuid, "approved").await, 200);
    assert_eq!(sandbox.verify(&code, authy_id).await.1["error_code"], "60019");
}

#[tokio::test]
async fn what_was_answered_is_on_disk_without_an_orderly_end() {
    let folder = tempfile::tempdir().unwrap();
    let sandbox = Running::start_with(config_in(&folder), MovableClock::new()).await;
    let cellphones: Vec<String> = (0..20).map(|number| format!("40534200{number:02}")).collect();
    let mut ids = join_all(cellphones.iter().map(|cellphone| sandbox.register(cellphone))).await;
    ids.sort_unstable();
    assert_eq!(ids, (1_000_001..=1_000_020).collect::<Vec<u64>>());
    let copy = Running::start_with(config_in(&folder), MovableClock::new()).await;
    for authy_id in ids {
        assert_eq!(copy.device(authy_id).await["authy_id"], authy_id);
    }
}

#[tokio::test]
async fn a_state_that_cannot_be_written_is_answered_with_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("missing").join("sandbox.json");
    let config = SandboxConfig { state_file: Some(file), ..config() };
    let sandbox = Running::start_with(config, MovableClock::new()).await;
    let user = json!({"user": {"email": "ada@example.com", "cellphone": "4053425699", "country_code": 1}});
    let (status, body) = sandbox.post("/protected/json/users/new", user).await;
    assert_eq!((status, &body["error_code"]), (503, &json!("60000")));
    // What only reads waits for no disk.
    assert_eq!(sandbox.get("/protected/json/users/1000001/status").await.0, 200);
    let (status, _) =
        sandbox.phone(Method::PATCH, "/phone/devices/1000001", json!({"onetouch": false})).await;
    assert_eq!(status, 503);
}

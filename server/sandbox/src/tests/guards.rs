//! Who may use the phone API, the clock that does not move, and what the log says.

use std::io;
use std::sync::{Arc, Mutex};

use reqwest::Method;
use serde_json::{Value, json};

use super::{KEY, MovableClock, Running, answer, config};
use crate::{Sandbox, SandboxConfig, SandboxError, SystemClock};

#[tokio::test]
async fn pages_of_other_origins_cannot_write() {
    let sandbox = Running::start().await;
    let write = |origin: String| {
        let request = sandbox.request(Method::PUT, "/phone/defaults").header("origin", origin);
        answer(request.json(&json!({"onetouch": false})))
    };
    let (status, body) = write("http://evil.example".to_owned()).await;
    assert_eq!((status, body["error"].is_string()), (403, true));
    assert_eq!(write("null".to_owned()).await.0, 403);
    assert_eq!(write(format!("http://{}", sandbox.address)).await.0, 200);
}

#[tokio::test]
async fn foreign_host_names_reach_the_phone_only_when_exposed() {
    for (exposed, status) in [(false, 403), (true, 200)] {
        let config = SandboxConfig { exposed, ..config() };
        let sandbox = Running::start_with(config, MovableClock::new()).await;
        let request = sandbox.request(Method::GET, "/phone/devices").header("host", "evil.example");
        assert_eq!(answer(request).await.0, status);
        assert_eq!(sandbox.phone(Method::GET, "/phone/devices", Value::Null).await.0, 200);
    }
}

#[tokio::test]
async fn a_clock_that_stands_on_the_machine_is_not_moved() {
    let sandbox = Running::start_with(config(), Arc::new(SystemClock)).await;
    let (status, body) = sandbox.phone(Method::PUT, "/phone/clock", json!({"advanceSeconds": 600})).await;
    assert_eq!((status, body), (409, json!({"error": "the clock moves in dev only"})));
    assert_eq!(sandbox.phone(Method::GET, "/phone/clock", Value::Null).await.0, 200);
}

#[tokio::test]
async fn a_movable_clock_is_moved_by_what_is_asked() {
    let sandbox = Running::start().await;
    let (status, body) = sandbox.phone(Method::PUT, "/phone/clock", json!({"advanceSeconds": 600})).await;
    assert_eq!((status, &body), (200, &json!({"now": "2027-01-15T08:10:00.000000Z"})));
    assert_eq!(sandbox.phone(Method::GET, "/phone/clock", Value::Null).await.1, body);
    for body in [json!({}), json!({"advanceSeconds": -1}), json!({"advanceSeconds": u64::MAX})] {
        assert_eq!(sandbox.phone(Method::PUT, "/phone/clock", body.clone()).await.0, 400, "{body}");
    }
}

#[tokio::test]
async fn unknown_phones_and_odd_bodies_are_refused() {
    let sandbox = Running::start().await;
    sandbox.register("405-342-5699").await;
    for path in ["/phone/devices/1234", "/phone/devices/abc"] {
        assert_eq!(sandbox.phone(Method::GET, path, Value::Null).await.0, 404);
        assert_eq!(sandbox.phone(Method::PATCH, path, json!({"onetouch": true})).await.0, 404);
    }
    for body in [json!({}), json!({"onetouch": "no"}), json!({"onetouch": false, "more": 1})] {
        assert_eq!(
            sandbox.phone(Method::PATCH, "/phone/devices/1000001", body.clone()).await.0,
            400,
            "{body}"
        );
    }
    let (_, body) = sandbox.phone(Method::GET, "/phone/devices", Value::Null).await;
    let device = json!({
        "authy_id": 1_000_001, "phone": "+14053425699", "emails": ["ada@example.com"], "onetouch": true, "pending": 0,
    });
    assert_eq!(body, json!({"devices": [device]}));
}

#[test]
fn a_sandbox_without_key_or_with_an_odd_callback_does_not_start() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let open = |config| Sandbox::open(config, Arc::new(SystemClock)).err();
    let keyless = SandboxConfig { api_key: String::new(), ..config() };
    assert!(matches!(open(keyless), Some(SandboxError::NoApiKey)));
    let odd = SandboxConfig { callback_url: Some("callback".to_owned()), ..config() };
    assert!(matches!(open(odd), Some(SandboxError::CallbackUrl)));
}

/// Log lines, gathered.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn the_log_has_a_line_for_each_call_and_no_secret() {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter("countersign=trace")
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    // While there is one dispatcher only, tracing asks that of the thread which happens to reach a log line first,
    // and another test's thread has none.
    let _second = tracing::Dispatch::new(tracing_subscriber::registry());
    let _subscribed = tracing::subscriber::set_default(subscriber);
    let sandbox = Running::start().await;
    let authy_id = sandbox.register("405-342-5699").await;
    let code = sandbox.send_code(authy_id).await;
    sandbox.verify(&code, authy_id).await;
    let uuid = sandbox.push(authy_id, json!({"message": "Log in?"})).await;
    sandbox.tap(&uuid, "approved").await;
    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    for endpoint in ["users/new", "sms", "verify", "approval_requests", "/phone/approval_requests/{uuid}"] {
        assert!(
            text.lines().any(|line| line.contains(&format!("endpoint=\"{endpoint}\""))),
            "{endpoint}: {text}"
        );
    }
    for secret in [KEY, &code, "4053425699", "405-342-5699", "ada@example.com", &uuid] {
        assert!(!text.contains(secret), "{secret}");
    }
    assert!(!format!("{:?}", config()).contains(KEY));
}

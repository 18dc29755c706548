//! The phone in a browser: what it loads, and what it is told of changes.

use futures_util::StreamExt as _;
use reqwest::{Method, Response, header};
use serde_json::{Value, json};

use super::{Running, answer};

/// The events of the phone, as a browser hears them.
struct Events(futures_util::stream::BoxStream<'static, String>);

impl Events {
    async fn of(sandbox: &Running) -> Self {
        let answer = sandbox.request(Method::GET, "/phone/events").send().await.unwrap();
        assert_eq!(answer.headers()[header::CONTENT_TYPE], "text/event-stream");
        let chunks = answer.bytes_stream().map(|chunk| String::from_utf8(chunk.unwrap().to_vec()).unwrap());
        Self(chunks.boxed())
    }

    /// The number of the next event: how many changes there were.
    async fn next(&mut self) -> u64 {
        let event = self.0.next().await.unwrap();
        let number = event.strip_prefix("event: changed\ndata: ").unwrap_or_else(|| panic!("{event}"));
        number.trim().parse().unwrap()
    }
}

async fn load(sandbox: &Running, path: &str) -> Response {
    sandbox.request(Method::GET, path).send().await.unwrap()
}

/// What stands between a prefix and a quote: what a file refers to.
fn referred<'a>(text: &'a str, prefix: &'a str) -> impl Iterator<Item = &'a str> {
    text.split(prefix).skip(1).filter_map(|rest| rest.split(['"', '\'']).next())
}

#[tokio::test]
async fn the_page_loads_what_is_served_and_nothing_else() {
    let sandbox = Running::start().await;
    let mut waiting = vec!["/".to_owned()];
    let mut loaded: Vec<String> = Vec::new();
    while let Some(path) = waiting.pop() {
        let file = load(&sandbox, &path).await;
        assert_eq!(file.status(), 200, "{path}");
        let header = |name| file.headers()[name].to_str().unwrap().to_owned();
        assert_eq!(header(header::CACHE_CONTROL), "no-store");
        assert_eq!(header(header::X_CONTENT_TYPE_OPTIONS), "nosniff");
        let (policy, kind) = (header(header::CONTENT_SECURITY_POLICY), header(header::CONTENT_TYPE));
        assert!(policy.contains("default-src 'none'; script-src 'self'; style-src 'self'"), "{policy}");
        let is_expected = match path.rsplit('.').next() {
            Some("js") => kind.starts_with("text/javascript"),
            Some("css") => kind.starts_with("text/css"),
            Some("svg") => kind == "image/svg+xml",
            _ => kind.starts_with("text/html"),
        };
        assert!(is_expected, "{path} is {kind}");
        let text = file.text().await.unwrap();
        for forbidden in ["<script>", "<style", " style=\"", " onclick=", "https://", "innerHTML", "eval("] {
            assert!(!text.contains(forbidden), "{path}: {forbidden}");
        }
        let absolute = referred(&text, "=\"/assets/").map(|name| format!("/assets/{name}"));
        let imported = referred(&text, "from './").map(|name| format!("/assets/{name}"));
        let referred: Vec<String> = absolute.chain(imported).collect();
        loaded.push(path);
        waiting.extend(referred.into_iter().filter(|path| !loaded.contains(path)));
        waiting.sort();
        waiting.dedup();
    }
    assert_eq!(loaded.len(), 8, "{loaded:?}");
}

#[tokio::test]
async fn a_page_is_told_at_once_and_after_whatever_a_phone_shows_has_changed() {
    let sandbox = Running::start().await;
    let authy_id = sandbox.register("201-555-0123").await;
    let mut events = Events::of(&sandbox).await;
    let mut last = events.next().await;
    let uuid = sandbox.push(authy_id, json!({"message": "Log in"})).await;
    for change in ["request", "answer", "message", "switch", "clock", "phone"] {
        match change {
            "answer" => assert_eq!(sandbox.tap(&uuid, "approved").await, 200),
            "message" => drop(sandbox.send_code(authy_id).await),
            "switch" => {
                let path = format!("/phone/devices/{authy_id}");
                sandbox.phone(Method::PATCH, &path, json!({"onetouch": false})).await;
            }
            "clock" => sandbox.advance(60).await,
            "phone" => drop(sandbox.register("201-555-0199").await),
            _ => {}
        }
        let next = events.next().await;
        assert!(next > last, "{change}");
        last = next;
    }
}

#[tokio::test]
async fn looking_changes_nothing_and_is_no_news() {
    let sandbox = Running::start().await;
    let authy_id = sandbox.register("201-555-0123").await;
    let mut events = Events::of(&sandbox).await;
    let first = events.next().await;
    sandbox.device(authy_id).await;
    sandbox.phone(Method::GET, "/phone/devices", Value::Null).await;
    assert_eq!(sandbox.tap("01234567-89ab-cdef-0123-456789abcdef", "approved").await, 404);
    sandbox.advance(1).await;
    assert_eq!(events.next().await, first + 1);
}

#[tokio::test]
async fn an_open_page_does_not_hold_up_the_end() {
    let sandbox = Running::start().await;
    let mut events = Events::of(&sandbox).await;
    events.next().await;
    sandbox.stop().await;
    assert_eq!(events.0.next().await, None);
}

#[tokio::test]
async fn a_phone_says_what_its_page_counts_down() {
    let sandbox = Running::start().await;
    let authy_id = sandbox.register("201-555-0123").await;
    sandbox.push(authy_id, json!({"message": "Log in", "seconds_to_expire": 60})).await;
    let device = sandbox.device(authy_id).await;
    assert_eq!(device["now"], "2027-01-15T08:00:00.000000Z");
    assert_eq!(device["app_code_expires_at"], "2027-01-15T08:00:30.000000Z");
    let pending = async || {
        sandbox.phone(Method::GET, "/phone/devices", Value::Null).await.1["devices"][0]["pending"].clone()
    };
    assert_eq!(pending().await, 1);
    sandbox.advance(60).await;
    assert_eq!(pending().await, 0);
}

#[tokio::test]
async fn foreign_host_names_reach_neither_the_page_nor_its_events() {
    let sandbox = Running::start().await;
    for path in ["/", "/assets/app.js", "/phone/events"] {
        let request = sandbox.request(Method::GET, path).header("host", "evil.example");
        assert_eq!(answer(request).await.0, 403, "{path}");
    }
}

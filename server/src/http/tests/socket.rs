//! `graphql-transport-ws`, message by message: what is answered, and with which code a socket is closed.

use std::time::Duration;

use reqwest::header::UPGRADE;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use super::{harness::Server, raw::Raw};
use crate::graphql::{Caller, Cost, RateLimit, RootField, TokenKind};

const ENDLESS: &str = "subscription { endless }";

#[tokio::test]
async fn the_one_sub_protocol_is_required() {
    let server = Server::start().await;
    for path in ["/graphql", "/graphql/ws"] {
        assert!(server.socket_at(path, Some("graphql-transport-ws")).await.is_ok());
        assert!(server.socket_at(path, Some("graphql-ws, graphql-transport-ws")).await.is_ok());
        assert_eq!(server.socket_at(path, Some("graphql-ws")).await.err(), Some(400));
        assert_eq!(server.socket_at(path, None).await.err(), Some(400));
    }
    let plain = server.get("/graphql/ws").await;
    assert_eq!((plain.status().as_u16(), &plain.headers()[UPGRADE]), (426, &"websocket".parse().unwrap()));
}

#[tokio::test]
async fn queries_mutations_and_subscriptions_are_executed_on_one_socket() {
    let server = Server::start().await;
    let mut socket = server.ready_socket(json!({})).await;
    socket.subscribe("q", "{ transport requestId peer me }").await;
    let data = json!({"transport": "Socket", "requestId": "request-1", "peer": "127.0.0.1", "me": null});
    assert_eq!(socket.hear().await, json!({"type": "next", "id": "q", "payload": {"data": data}}));
    assert_eq!(socket.hear().await, json!({"type": "complete", "id": "q"}));

    socket.subscribe("s", "subscription { countdown(from: 2) }").await;
    for left in [1, 0] {
        let payload = json!({"data": {"countdown": left}});
        assert_eq!(socket.hear().await, json!({"type": "next", "id": "s", "payload": payload}));
    }
    assert_eq!(socket.hear().await, json!({"type": "complete", "id": "s"}));

    server.probes.release.give();
    socket.subscribe("m", "mutation { held }").await;
    assert_eq!(socket.hear().await["payload"], json!({"data": {"held": true}}));
    assert_eq!(socket.hear().await, json!({"type": "complete", "id": "m"}));
}

#[tokio::test]
async fn variables_and_operation_names_count() {
    let server = Server::start().await;
    let mut socket = server.ready_socket(json!({})).await;
    let payload = json!({"query": "query a($n: String) { hello(name: $n) } query b { me }", "operationName": "a",
                         "variables": {"n": "you"}, "extensions": {}});
    socket.say(json!({"type": "subscribe", "id": "1", "payload": payload})).await;
    assert_eq!(socket.hear().await["payload"], json!({"data": {"hello": "Hello you"}}));
}

#[tokio::test]
async fn a_wrong_request_is_an_error_and_frees_its_id() {
    let server = Server::start().await;
    let mut socket = server.ready_socket(json!({})).await;
    for query in ["{", "{ nowhere }", "subscription { nowhere }", "{ ...a } fragment a on Query { ...a }"] {
        socket.subscribe("1", query).await;
        let error = socket.hear().await;
        assert_eq!((&error["type"], &error["id"]), (&json!("error"), &json!("1")), "{error}");
        assert_eq!(error["payload"][0]["extensions"]["code"], "BAD_REQUEST", "{error}");
    }
    socket.assert_silence().await;
}

#[tokio::test]
async fn a_subscription_that_cannot_begin_is_an_error_with_its_own_code() {
    let server = Server::start().await;
    let mut socket = server.ready_socket(json!({})).await;
    socket.subscribe("1", "subscription { refused }").await;
    let error = socket.hear().await;
    assert_eq!(error["type"], "error");
    assert_eq!(error["payload"][0]["extensions"]["code"], "REFUSED");
    socket.assert_silence().await;
}

#[tokio::test]
async fn a_field_that_fails_is_a_result() {
    let server = Server::start().await;
    let mut socket = server.ready_socket(json!({})).await;
    socket.subscribe("1", "{ fails }").await;
    let next = socket.hear().await;
    assert_eq!((&next["type"], &next["payload"]["data"]), (&json!("next"), &Value::Null));
    assert_eq!(socket.hear().await, json!({"type": "complete", "id": "1"}));
}

#[tokio::test]
async fn a_panic_ends_its_operation_and_leaves_the_socket() {
    let server = Server::start().await;
    let mut socket = server.ready_socket(json!({})).await;
    for query in ["{ panics }", "mutation { panics }", "subscription { panics }"] {
        socket.subscribe("1", query).await;
        let error = socket.hear().await;
        assert_eq!(error["type"], "error", "{query}");
        assert_eq!(error["payload"][0]["extensions"], json!({"code": "INTERNAL", "requestId": "request-1"}));
        assert!(!error.to_string().contains("planted"));
    }
    socket.assert_silence().await;
}

#[tokio::test]
async fn complete_stops_a_subscription_and_frees_its_id() {
    let server = Server::start().await;
    let mut socket = server.ready_socket(json!({})).await;
    for _ in 0..2 {
        socket.subscribe("1", ENDLESS).await;
        server.probes.started.wait().await;
        socket.say(json!({"type": "complete", "id": "1"})).await;
        server.probes.dropped.wait().await;
    }
    socket.say(json!({"type": "complete", "id": "never seen"})).await;
    socket.assert_silence().await;
}

#[tokio::test]
async fn a_mutation_that_is_hung_up_on_runs_to_its_end_and_its_result_is_not_sent() {
    let server = Server::start().await;
    let mut socket = server.ready_socket(json!({})).await;
    socket.subscribe("1", "mutation { held }").await;
    server.probes.started.wait().await;
    socket.say(json!({"type": "complete", "id": "1"})).await;
    socket.assert_silence().await;
    server.probes.release.give();
    server.probes.finished.wait().await;
    socket.assert_silence().await;

    socket.subscribe("2", "mutation { held }").await;
    socket.subscribe("3", ENDLESS).await;
    server.probes.started.wait().await;
    server.probes.started.wait().await;
    drop(socket);
    server.probes.dropped.wait().await;
    server.probes.release.give();
    server.probes.finished.wait().await;
}

#[tokio::test]
async fn a_socket_that_goes_takes_its_subscriptions_with_it() {
    let server = Server::start().await;
    let mut socket = server.ready_socket(json!({})).await;
    socket.subscribe("1", ENDLESS).await;
    server.probes.started.wait().await;
    socket.send(Message::Close(None)).await;
    server.probes.dropped.wait().await;
}

#[tokio::test]
async fn a_bearer_in_connection_init_is_somebody_nobody_or_cannot_be_looked_up() {
    let server = Server::start().await;
    for (payload, me) in [
        (json!({"Authorization": "Bearer session-a"}), json!("session-a")),
        (json!({"authorization": "Bearer unknown"}), Value::Null),
        (json!({"authorization": 7}), Value::Null),
        (Value::Null, Value::Null),
    ] {
        let mut socket = server.ready_socket(payload).await;
        socket.subscribe("1", "{ me }").await;
        assert_eq!(socket.hear().await["payload"]["data"]["me"], me);
    }
    let mut socket = server.socket().await;
    socket.say(json!({"type": "connection_init", "payload": {"authorization": "Bearer faulty"}})).await;
    assert_eq!(socket.closing().await.0, 1013);
}

#[tokio::test]
async fn a_bearer_of_the_upgrade_request_counts_where_there_is_no_origin() {
    let server =
        Server::with(|settings| settings.origins.listed = vec!["https://app.example".to_owned()]).await;
    let (bearer, origin) = (("authorization", "Bearer session-a"), ("origin", "https://app.example"));
    let protocol = ("sec-websocket-protocol", "graphql-transport-ws");
    for (headers, payload, me) in [
        (&[protocol, bearer][..], Value::Null, json!("session-a")),
        (&[protocol, bearer], json!({"authorization": "Bearer session-b"}), json!("session-b")),
        (&[protocol, bearer, origin], Value::Null, Value::Null),
        (&[protocol, ("authorization", "Basic c2Vzc2lvbi1h")], Value::Null, Value::Null),
    ] {
        let mut socket = server.upgrade("/graphql", headers).await.unwrap();
        socket.say(json!({"type": "connection_init", "payload": payload})).await;
        assert_eq!(socket.hear().await, json!({"type": "connection_ack"}));
        socket.subscribe("1", "{ me }").await;
        assert_eq!(socket.hear().await["payload"]["data"]["me"], me, "{headers:?}");
    }
}

#[tokio::test]
async fn the_end_of_its_session_closes_a_socket_with_4401() {
    let server = Server::start().await;
    let mut other = server.ready_socket(json!({"authorization": "Bearer session-b"})).await;
    let mut socket = server.ready_socket(json!({"authorization": "Bearer session-a"})).await;
    socket.subscribe("1", ENDLESS).await;
    server.probes.started.wait().await;
    server.probes.session("session-a").cancel();
    assert_eq!(socket.closing().await.0, 4401);
    other.assert_silence().await;
}

#[tokio::test]
async fn a_mutation_that_ends_its_own_session_is_still_answered() {
    let server = Server::start().await;
    let mut socket = server.ready_socket(json!({"authorization": "Bearer session-a"})).await;
    socket.subscribe("1", "mutation { logout }").await;
    server.probes.session("session-a").cancelled().await;
    server.probes.release.give();
    assert_eq!(socket.hear().await["payload"], json!({"data": {"logout": true}}));
    assert_eq!(socket.hear().await["type"], "complete");
    assert_eq!(socket.closing().await.0, 4401);
}

#[tokio::test]
async fn a_session_that_is_over_before_the_socket_opens_closes_it() {
    let server = Server::start().await;
    server.probes.session("session-a").cancel();
    let mut socket = server.socket().await;
    socket.say(json!({"type": "connection_init", "payload": {"authorization": "Bearer session-a"}})).await;
    assert_eq!(socket.closing().await.0, 4401);
}

#[tokio::test]
async fn pings_are_answered_with_their_payload_also_before_the_handshake() {
    let server = Server::start().await;
    let mut socket = server.socket().await;
    socket.say(json!({"type": "ping"})).await;
    assert_eq!(socket.hear().await, json!({"type": "pong"}));
    socket.assert_silence().await;
    socket.say(json!({"type": "pong", "payload": {"unasked": true}})).await;
    socket.assert_silence().await;
}

#[tokio::test]
async fn shutdown_closes_sockets_with_1001() {
    let server = Server::start().await;
    let mut fresh = server.socket().await;
    let mut ready = server.ready_socket(json!({})).await;
    ready.subscribe("1", ENDLESS).await;
    server.probes.started.wait().await;
    server.shutdown.cancel();
    assert_eq!(fresh.closing().await.0, 1001);
    assert_eq!(ready.closing().await.0, 1001);
    drop((fresh, ready));
    super::harness::in_time(server.serving).await.unwrap();
}

#[tokio::test]
async fn shutdown_lets_a_mutation_over_a_socket_end_as_long_as_one_over_http() {
    let server = Server::with(|settings| {
        settings.websocket.closing_timeout = Duration::from_millis(50);
        settings.listener.drain_timeout = Duration::from_secs(20);
    })
    .await;
    let (mut socket, mut deaf) = (server.ready_socket(json!({})).await, Raw::socket(&server).await);
    socket.subscribe("1", "mutation { held }").await;
    server.probes.started.wait().await;
    server.shutdown.cancel();
    // One that does not answer has had the whole time of a farewell, and is gone.
    deaf.rest().await;
    server.probes.release.give();
    assert_eq!(socket.hear().await["type"], "next");
    assert_eq!(socket.closing().await.0, 1001);
}

/// The table of a schema in which `held` is a guess.
const COSTLY: &[RootField] = &[RootField {
    name: "held",
    caller: Caller::Anyone,
    cost: Cost::Hash,
    limit: RateLimit::Address,
    token: TokenKind::None,
}];

#[tokio::test]
async fn a_message_is_one_guess_as_a_request_is() {
    let server = Server::with(|settings| settings.graphql.root_fields = COSTLY).await;
    let mut socket = server.ready_socket(json!({})).await;
    socket.subscribe("1", "mutation { a: held b: held }").await;
    let error = socket.hear().await;
    assert_eq!(
        (&error["type"], &error["payload"][0]["extensions"]["code"]),
        (&json!("error"), &json!("BAD_REQUEST"))
    );
    server.probes.release.give();
    socket.subscribe("1", "mutation { held }").await;
    assert_eq!(socket.hear().await["type"], "next");
}

#[tokio::test]
async fn what_breaks_the_protocol_is_closed_with_its_code() {
    let server = Server::start().await;
    let init = json!({"type": "connection_init"});
    let subscribe = json!({"type": "subscribe", "id": "1", "payload": {"query": ENDLESS}});
    let stuck = json!({"type": "connection_init", "payload": {"authorization": "Bearer stuck"}});
    for (messages, code, reason) in [
        (vec![&subscribe], 4401, "Unauthorized"),
        (vec![&stuck, &subscribe], 4401, "Unauthorized"),
        (vec![&init, &init], 4429, "Too many initialisation requests"),
        (vec![&stuck, &init], 4429, "Too many initialisation requests"),
        (vec![&init, &subscribe, &subscribe], 4409, "Subscriber for 1 already exists"),
        (vec![&json!({"type": "hello"})], 4400, "Invalid message"),
        (vec![&init, &json!([])], 4400, "Invalid message"),
    ] {
        let mut socket = server.socket().await;
        for message in messages {
            socket.say(message.clone()).await;
        }
        assert_eq!(socket.closing().await, (code, reason.to_owned()));
    }
}

#[tokio::test]
async fn what_is_not_json_text_is_closed_with_its_code() {
    let server = Server::start().await;
    for message in [Message::text("{"), Message::text(""), Message::binary(&br#"{"type":"ping"}"#[..])] {
        let mut socket = server.socket().await;
        socket.send(message).await;
        assert_eq!(socket.closing().await.0, 4400);
    }
    let mut not_utf8 = Raw::socket(&server).await;
    not_utf8.frame(0x1, b"{\"type\":\"\xff\"}").await;
    assert_eq!(not_utf8.close_code().await, 1007);
    let mut unmasked = Raw::socket(&server).await;
    unmasked.send(b"\x81\x02{}").await;
    assert_eq!(unmasked.close_code().await, 1002);
}

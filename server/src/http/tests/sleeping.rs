//! Subscriptions that sleep: between two events they are held as what it takes to execute them again.

use serde_json::{Value, json};

use super::harness::{Server, Socket};

const RELEASED: &str = "subscription { released(to: 1) }";

/// Hears the next number of the subscription with this id.
async fn assert_told(socket: &mut Socket, id: &str, number: usize) {
    let payload = json!({"data": {"released": number}});
    assert_eq!(socket.hear().await, json!({"type": "next", "id": id, "payload": payload}));
}

#[tokio::test]
async fn a_subscription_that_ended_has_freed_its_id_and_begins_anew_with_it() {
    let server = Server::start().await;
    let mut socket = server.ready_socket(json!({})).await;
    for _ in 0..2 {
        socket.subscribe("1", RELEASED).await;
        assert_told(&mut socket, "1", 0).await;
        socket.assert_silence().await;
        server.probes.release.give();
        assert_told(&mut socket, "1", 1).await;
        assert_eq!(socket.hear().await, json!({"type": "complete", "id": "1"}));
    }
}

#[tokio::test]
async fn the_id_of_one_that_sleeps_is_taken_until_it_is_stopped() {
    let server = Server::start().await;
    let mut socket = server.ready_socket(json!({})).await;
    for _ in 0..2 {
        socket.subscribe("1", RELEASED).await;
        assert_told(&mut socket, "1", 0).await;
        socket.say(json!({"type": "complete", "id": "1"})).await;
        server.probes.dropped.wait().await;
        socket.assert_silence().await;
    }
    socket.subscribe("1", RELEASED).await;
    assert_told(&mut socket, "1", 0).await;
    socket.subscribe("1", RELEASED).await;
    assert_eq!(socket.closing().await.0, 4409);
}

#[tokio::test]
async fn the_end_of_its_session_ends_one_that_sleeps_untold() {
    let server = Server::start().await;
    let mut socket = server.ready_socket(json!({"authorization": "Bearer session-a"})).await;
    socket.subscribe("1", RELEASED).await;
    assert_told(&mut socket, "1", 0).await;
    // Both at once: what wakes it comes too late.
    server.probes.session("session-a").cancel();
    server.probes.release.give();
    assert_eq!(socket.hear_closing().await.0, 4401);
    server.probes.dropped.wait().await;
}

#[tokio::test]
async fn a_panic_while_it_sleeps_ends_it_and_leaves_the_socket() {
    let server = Server::start().await;
    let mut socket = server.ready_socket(json!({})).await;
    for _ in 0..2 {
        socket.subscribe("1", "subscription { panicsAsleep }").await;
        assert_eq!(socket.hear().await["payload"], json!({"data": {"panicsAsleep": 0}}));
        let error = socket.hear().await;
        assert_eq!((&error["type"], &error["id"]), (&json!("error"), &json!("1")));
        let extensions: &Value = &error["payload"][0]["extensions"];
        assert_eq!(*extensions, json!({"code": "INTERNAL", "requestId": "request-1"}));
        socket.assert_silence().await;
    }
}

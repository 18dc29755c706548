//! What a socket may cost: sizes, numbers, silence, and peers that do not read.

use std::{sync::atomic::Ordering, time::Duration};

use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use super::{
    harness::{Server, Socket},
    raw::{Raw, frame},
    schema::FLOOD_ITEMS,
};

const FLOOD: &str = r#"{"type":"subscribe","id":"1","payload":{"query":"subscription{flood}"}}"#;
/// Longer than any test waits.
const NEVER: Duration = Duration::from_hours(1);

#[tokio::test]
async fn no_connection_init_in_time_is_4408() {
    let server = Server::with(|settings| settings.websocket.init_timeout = Duration::from_millis(50)).await;
    let mut socket = server.socket().await;
    assert_eq!(socket.closing().await, (4408, "Connection initialisation timeout".to_owned()));
    let mut talkative = server.socket().await;
    talkative.say(json!({"type": "ping"})).await;
    assert_eq!(talkative.closing().await.0, 4408);
}

#[tokio::test]
async fn a_bearer_that_is_not_looked_up_in_time_asks_the_peer_to_come_again() {
    let server = Server::with(|settings| settings.websocket.init_timeout = Duration::from_millis(500)).await;
    let mut socket = server.socket().await;
    socket.say(json!({"type": "connection_init", "payload": {"authorization": "Bearer stuck"}})).await;
    assert_eq!(socket.closing().await.0, 1013);
}

#[tokio::test]
async fn a_message_past_the_limit_is_4400_whole_or_in_pieces_and_far_past_it_too() {
    let server = Server::with(|settings| settings.websocket.message_limit_bytes = 1_000).await;
    let padded = |length: usize| r#"{"type":"ping"}"#.to_owned() + &" ".repeat(length - 15);
    let mut socket = server.socket().await;
    socket.send(Message::text(padded(1_000))).await;
    assert_eq!(socket.hear().await, json!({"type": "pong"}));
    socket.send(Message::text(padded(1_001))).await;
    assert_eq!(socket.closing().await, (4400, "Message too large".to_owned()));

    let mut socket = server.socket().await;
    socket.send(Message::text(padded(100_000))).await;
    assert_eq!(socket.closing().await, (4400, "Message too large".to_owned()));

    let mut pieces = Raw::socket(&server).await;
    for opcode in [0x1, 0x0, 0x0, 0x0] {
        let piece = [&[opcode, 0xfe, 0x02, 0x58, 0, 0, 0, 0][..], &[b' '; 600]].concat();
        pieces.send(&piece).await;
    }
    assert_eq!(pieces.close_code().await, 4400);
}

#[tokio::test]
async fn one_operation_too_many_is_an_error_and_a_free_place_can_be_used_again() {
    let server = Server::with(|settings| settings.websocket.max_operations = 2).await;
    let mut socket = server.ready_socket(json!({})).await;
    socket.subscribe("1", "subscription { endless }").await;
    socket.subscribe("2", "mutation { held }").await;
    socket.subscribe("3", "{ hello }").await;
    let error = socket.hear().await;
    assert_eq!((&error["type"], &error["id"]), (&json!("error"), &json!("3")));
    assert_eq!(error["payload"][0]["extensions"]["code"], "TOO_MANY_OPERATIONS");

    // A mutation that was hung up on still runs, and still counts.
    socket.say(json!({"type": "complete", "id": "2"})).await;
    socket.subscribe("3", "{ hello }").await;
    assert_eq!(socket.hear().await["type"], "error");

    socket.say(json!({"type": "complete", "id": "1"})).await;
    socket.subscribe("3", "{ hello }").await;
    assert_eq!(socket.hear().await["type"], "next");
    assert_eq!(socket.hear().await["type"], "complete");
}

#[tokio::test]
async fn an_operation_id_of_more_than_128_bytes_is_4400() {
    let server = Server::start().await;
    let mut socket = server.ready_socket(json!({})).await;
    let longest = "ä".repeat(64);
    socket.subscribe(&longest, "{ hello }").await;
    assert_eq!(socket.hear().await["id"], longest);
    assert_eq!(socket.hear().await["type"], "complete");
    socket.subscribe(&format!("{longest}x"), "{ hello }").await;
    assert_eq!(socket.closing().await, (4400, "Operation id longer than 128 bytes".to_owned()));
}

/// A document that takes so many kilobytes, most of them for one name.
fn fat(kilobytes: usize, operation: &str) -> String {
    let (kind, field) = operation.split_once(' ').unwrap();
    format!("{kind} {{ {}: {field} }}", "x".repeat(kilobytes * 1_024))
}

async fn refusal(socket: &mut Socket, id: &str) -> String {
    let error = socket.hear().await;
    assert_eq!((&error["type"], &error["id"]), (&json!("error"), &json!(id)), "{error}");
    error["payload"][0]["extensions"]["code"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn operations_past_the_memory_of_a_socket_are_refused_until_another_ends() {
    let server = Server::with(|settings| settings.websocket.max_bytes = 100 * 1_024).await;
    let mut socket = server.ready_socket(json!({})).await;
    // Each takes a document and a copy of it.
    let document = fat(30, "subscription endless");
    socket.subscribe("1", &document).await;
    server.probes.started.wait().await;
    socket.subscribe("2", &fat(31, "subscription endless")).await;
    assert_eq!(refusal(&mut socket, "2").await, "SOCKET_MEMORY_LIMIT");
    // The same document is kept once.
    socket.subscribe("2", &document).await;
    server.probes.started.wait().await;
    socket.subscribe("3", "{ hello }").await;
    assert_eq!(socket.hear().await["type"], "next");
    assert_eq!(socket.hear().await["type"], "complete");
    // One of them ends, and the document stays for the other.
    socket.say(json!({"type": "complete", "id": "1"})).await;
    server.probes.dropped.wait().await;
    socket.subscribe("1", &fat(20, "subscription endless")).await;
    assert_eq!(refusal(&mut socket, "1").await, "SOCKET_MEMORY_LIMIT");
    socket.say(json!({"type": "complete", "id": "2"})).await;
    server.probes.dropped.wait().await;
    socket.subscribe("1", &fat(20, "subscription endless")).await;
    server.probes.started.wait().await;
}

#[tokio::test]
async fn a_mutation_that_its_client_has_completed_keeps_its_memory_until_it_ends() {
    let server = Server::with(|settings| settings.websocket.max_bytes = 50 * 1_024).await;
    let mut socket = server.ready_socket(json!({})).await;
    socket.subscribe("1", &fat(30, "mutation held")).await;
    server.probes.started.wait().await;
    socket.say(json!({"type": "complete", "id": "1"})).await;
    socket.subscribe("1", &fat(30, "mutation held")).await;
    assert_eq!(refusal(&mut socket, "1").await, "SOCKET_MEMORY_LIMIT");
}

#[tokio::test]
async fn all_sockets_of_an_address_share_a_limit_of_memory() {
    let server = Server::with(|settings| settings.websocket.max_bytes_per_address = 100 * 1_024).await;
    let (mut one, mut other) = (server.ready_socket(json!({})).await, server.ready_socket(json!({})).await);
    one.subscribe("1", &fat(30, "subscription endless")).await;
    server.probes.started.wait().await;
    other.subscribe("1", &fat(31, "subscription endless")).await;
    assert_eq!(refusal(&mut other, "1").await, "SOCKET_MEMORY_LIMIT");
    drop(one);
    server.probes.dropped.wait().await;
    other.subscribe("1", &fat(31, "subscription endless")).await;
    server.probes.started.wait().await;
}

#[tokio::test]
async fn a_peer_that_answers_no_ping_is_closed_and_one_that_does_is_kept() {
    let server = Server::with(|settings| settings.websocket.ping_interval = Duration::from_millis(50)).await;
    let mut silent = Raw::socket(&server).await;
    let (opcode, payload) = silent.next_frame().await;
    assert_eq!((opcode, payload.len()), (0x9, 0));
    assert_eq!(silent.close_code().await, 1001);

    // Unanswered, the second ping would be the farewell.
    let server = Server::with(|settings| settings.websocket.ping_interval = Duration::from_secs(1)).await;
    let mut answering = Raw::socket(&server).await;
    for _ in 0..2 {
        assert_eq!(answering.next_frame().await.0, 0x9);
        answering.frame(0xA, b"").await;
    }
}

#[tokio::test]
async fn a_socket_without_an_operation_is_closed() {
    let server = Server::with(|settings| {
        settings.websocket.ping_interval = Duration::from_secs(1);
        settings.websocket.first_operation_timeout = Duration::from_millis(1);
        settings.websocket.idle_timeout = NEVER;
    })
    .await;
    let mut unused = server.ready_socket(json!({})).await;
    assert_eq!(unused.closing().await, (1000, "No operation for too long".to_owned()));
}

#[tokio::test]
async fn a_socket_is_closed_some_time_after_its_last_operation_has_ended() {
    let server = Server::with(|settings| {
        settings.websocket.ping_interval = Duration::from_secs(1);
        settings.websocket.first_operation_timeout = NEVER;
        settings.websocket.idle_timeout = Duration::from_millis(1);
    })
    .await;
    let mut socket = server.ready_socket(json!({})).await;
    socket.subscribe("1", "subscription { endless }").await;
    server.probes.started.wait().await;
    socket.say(json!({"type": "complete", "id": "1"})).await;
    assert_eq!(socket.closing().await, (1000, "No operation for too long".to_owned()));
}

#[tokio::test]
async fn a_peer_that_does_not_read_stops_its_own_flood_and_nobody_elses() {
    let server = Server::start().await;
    let mut other = server.ready_socket(json!({})).await;
    let mut deaf = Raw::socket(&server).await;
    deaf.text(r#"{"type":"connection_init"}"#).await;
    deaf.text(FLOOD).await;
    flood(&server, &mut other).await;
    drop(deaf);
    server.probes.dropped.wait().await;
}

#[tokio::test]
async fn what_a_peer_has_begun_comes_to_its_result_though_it_reads_nothing() {
    let server = Server::start().await;
    let mut other = server.ready_socket(json!({})).await;
    let mut deaf = Raw::socket(&server).await;
    deaf.text(r#"{"type":"connection_init"}"#).await;
    deaf.text(r#"{"type":"subscribe","id":"2","payload":{"query":"{held}"}}"#).await;
    server.probes.started.wait().await;
    deaf.text(FLOOD).await;
    flood(&server, &mut other).await;
    server.probes.release.give();
    server.probes.finished.wait().await;
}

#[tokio::test]
async fn an_operation_goes_no_further_than_to_what_a_peer_that_reads_nothing_was_not_told() {
    let server = Server::start().await;
    let mut other = server.ready_socket(json!({})).await;
    let mut deaf = Raw::socket(&server).await;
    deaf.text(r#"{"type":"connection_init"}"#).await;
    deaf.text(r#"{"type":"subscribe","id":"2","payload":{"query":"subscription{released(to:9)}"}}"#).await;
    server.probes.started.wait().await;
    deaf.text(r#"{"type":"subscribe","id":"3","payload":{"query":"{held}"}}"#).await;
    server.probes.started.wait().await;
    deaf.text(FLOOD).await;
    flood(&server, &mut other).await;
    // Woken, the subscription has something to tell.
    server.probes.release.give();
    server.probes.started.wait().await;
    // Until that is told nothing wakes it again, however often its socket looks after others.
    server.probes.release.give();
    server.probes.finished.wait().await;
    server.probes.release.give();
    round_trips(&mut other).await;
    assert_eq!((server.probes.release.given(), server.probes.started.given()), (1, 0));
}

#[tokio::test]
async fn a_peer_that_goes_on_talking_does_not_keep_an_operation_from_beginning() {
    let server = Server::start().await;
    let mut socket = Raw::socket(&server).await;
    socket.text(r#"{"type":"connection_init"}"#).await;
    // In one piece: the server finds the second with the first.
    let begin = frame(0x1, br#"{"type":"subscribe","id":"1","payload":{"query":"subscription{endless}"}}"#);
    let stop = frame(0x1, br#"{"type":"complete","id":"1"}"#);
    socket.send(&[begin, stop].concat()).await;
    server.probes.started.wait().await;
    server.probes.dropped.wait().await;
}

#[tokio::test]
async fn a_socket_that_closes_lets_go_of_its_operations_and_of_who_it_asked_for_first() {
    let server = Server::with(|settings| settings.websocket.closing_timeout = NEVER).await;
    let mut socket = Raw::socket(&server).await;
    socket.text(r#"{"type":"connection_init"}"#).await;
    socket.text(r#"{"type":"subscribe","id":"1","payload":{"query":"subscription{endless}"}}"#).await;
    server.probes.started.wait().await;
    socket.text("nonsense").await;
    assert_eq!(socket.close_code().await, 4400);
    // It has not answered, and is waited for.
    server.probes.dropped.wait().await;

    let mut socket = Raw::socket(&server).await;
    socket.text(r#"{"type":"connection_init","payload":{"authorization":"Bearer stuck"}}"#).await;
    socket.text("nonsense").await;
    assert_eq!(socket.close_code().await, 4400);
    server.probes.dropped.wait().await;
}

#[tokio::test]
async fn a_peer_that_pings_and_does_not_read_is_not_heard_to_its_end() {
    let server = Server::start().await;
    let mut other = server.ready_socket(json!({})).await;
    let flooding = Raw::socket(&server).await;
    let pings = [&[0x89, 0xfd, 0, 0, 0, 0][..], &[b'x'; 125]].concat().repeat(1_000);
    // Without back-pressure the server would hear all of this, and keep as many pongs.
    let (mut sent, limit) = (0, 64 * 1024 * 1024);
    let mut was_blocked = false;
    while sent < limit {
        // A write that was cut short would break the next frame, but by then nothing is heard any more.
        match flooding.0.try_write(&pings) {
            Ok(written) => {
                sent += written;
                was_blocked = written < pings.len();
            }
            Err(_) if was_blocked => break,
            Err(_) => was_blocked = true,
        }
        round_trips(&mut other).await;
    }
    assert!(sent < limit, "the server heard {sent} bytes of pings from a peer that does not read");
}

/// Waits until no further item of the flood is made: the system's own buffers hold some megabytes, and are full.
async fn flood(server: &Server, other: &mut Socket) {
    let mut flooded = 0;
    loop {
        round_trips(other).await;
        match server.probes.flooded.load(Ordering::Relaxed) {
            more if more > flooded => flooded = more,
            0 => {}
            _ => break,
        }
    }
    assert!(flooded < FLOOD_ITEMS, "the whole flood was made for a peer that does not read");
}

/// Gives every other task of this thread many turns.
async fn round_trips(socket: &mut Socket) {
    for _ in 0..20 {
        socket.assert_silence().await;
    }
}

#[tokio::test]
async fn a_closing_socket_hears_its_peer_out() {
    let server = Server::start().await;
    let mut talkative = Raw::socket(&server).await;
    // What is left unread when a connection is dropped resets it, and the reset may overtake the reason.
    for _ in 0..1_000 {
        talkative.text(r#"{"type":"subscribe","id":"1","payload":{"query":"{hello}"}}"#).await;
    }
    assert_eq!(talkative.close_code().await, 4401);
    talkative.frame(0x8, &4401_u16.to_be_bytes()).await;
    assert!(talkative.rest().await.is_empty());
}

#[tokio::test]
async fn a_socket_that_cannot_hear_its_peer_out_waits_before_it_goes() {
    let server = Server::with(|settings| {
        settings.websocket.message_limit_bytes = 1_000;
        settings.websocket.closing_timeout = Duration::from_secs(20);
    })
    .await;
    let mut other = server.ready_socket(json!({})).await;
    let mut talkative = Raw::socket(&server).await;
    talkative.text(&" ".repeat(60_000)).await;
    assert_eq!(talkative.close_code().await, 4400);
    round_trips(&mut other).await;
    let waiting = talkative.0.try_read(&mut [0]).unwrap_err();
    assert_eq!(waiting.kind(), std::io::ErrorKind::WouldBlock);
}

//! Connections: timeouts, limits, and the way down.

use std::time::Duration;

use serde_json::json;
use tokio::{io::AsyncWriteExt as _, net::TcpStream};

use super::{
    harness::{Server, Socket, in_time},
    raw::Raw,
};
use crate::http::HttpSettings;

const ALIVE: &[u8] = b"GET /health/live HTTP/1.1\r\nhost: x\r\n\r\n";
/// A mutation that ends when it is released.
const HELD: &str = "POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
                    content-length: 30\r\n\r\n{\"query\": \"mutation { held }\"}";

#[tokio::test]
async fn a_head_that_does_not_come_in_time_ends_the_connection() {
    let server =
        Server::with(|settings| settings.listener.header_read_timeout = Duration::from_millis(500)).await;
    let mut silent = Raw::connect(&server).await;
    assert!(silent.rest().await.is_empty());
    let mut slow = Raw::connect(&server).await;
    slow.send(b"GET /health/live HTTP/1.1\r\nhost:").await;
    assert!(!slow.rest().await.starts_with(b"HTTP/1.1 200"));
}

#[tokio::test]
async fn a_connection_is_kept_for_the_next_request_but_not_idle_for_ever() {
    let server = Server::with(|settings| settings.listener.idle_timeout = Duration::from_secs(1)).await;
    let mut raw = Raw::connect(&server).await;
    for _ in 0..2 {
        raw.send(b"HEAD /health/live HTTP/1.1\r\nhost: x\r\n\r\n").await;
        assert!(raw.head().await.starts_with("HTTP/1.1 200"));
    }
    raw.rest().await;
}

#[tokio::test]
async fn an_idle_connection_outlives_the_time_for_a_head_and_a_slow_second_head_does_not() {
    let server =
        Server::with(|settings| settings.listener.header_read_timeout = Duration::from_millis(200)).await;
    let mut first = Raw::connect(&server).await;
    first.send(b"HEAD /health/live HTTP/1.1\r\nhost: x\r\n\r\n").await;
    first.head().await;
    // This one ends when its time for a head is over; by then, so would be that of the first.
    let mut second = Raw::connect(&server).await;
    assert!(second.rest().await.is_empty());
    first.send(b"HEAD /health/live HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert!(first.head().await.starts_with("HTTP/1.1 200"));
    first.send(b"HEAD /health/live HTTP/1.1\r\nhost:").await;
    assert!(first.rest().await.is_empty());
}

#[tokio::test]
async fn a_body_that_is_announced_too_large_is_413_though_nothing_of_it_comes() {
    let server = Server::with(|settings| settings.body.read_timeout = Duration::from_hours(1)).await;
    for size in ["65537", "9223372036854775807"] {
        let mut raw = Raw::connect(&server).await;
        let head = HELD.replace("content-length: 30", &format!("content-length: {size}"));
        raw.send(head.split_inclusive("\r\n\r\n").next().unwrap().as_bytes()).await;
        assert!(raw.head().await.starts_with("HTTP/1.1 413"), "{size}");
    }
}

#[tokio::test]
async fn a_request_of_http_1_1_names_its_host_once() {
    let server = Server::start().await;
    for (head, status) in [
        ("GET /health/live HTTP/1.1\r\nhost: x\r\n\r\n", "200"),
        ("GET /health/live HTTP/1.1\r\n\r\n", "400"),
        ("GET /health/live HTTP/1.1\r\nhost: x\r\nhost: y\r\n\r\n", "400"),
        ("GET /health/live HTTP/1.0\r\n\r\n", "200"),
    ] {
        let mut raw = Raw::connect(&server).await;
        raw.send(head.as_bytes()).await;
        let answer = raw.head().await;
        assert_eq!(answer.split(' ').nth(1), Some(status), "{head}");
    }
}

#[tokio::test]
async fn a_body_that_does_not_come_in_time_is_408() {
    let server = Server::with(|settings| settings.body.read_timeout = Duration::from_millis(200)).await;
    let mut raw = Raw::connect(&server).await;
    raw.send(&HELD.as_bytes()[..HELD.len() - 1]).await;
    assert!(raw.head().await.starts_with("HTTP/1.1 408"));
}

#[tokio::test]
async fn a_head_of_just_the_limit_is_served_and_a_byte_more_is_431() {
    let server = Server::start().await;
    let limit = HttpSettings::default().listener.head_limit_bytes;
    for (size, status) in [(limit, "200"), (limit + 1, "431")] {
        let (before, after) = ("GET /health/live HTTP/1.1\r\nhost: x\r\nlong: ", "\r\n\r\n");
        let head = format!("{before}{}{after}", "x".repeat(size - before.len() - after.len()));
        // In one piece, and in two.
        for first in [size, limit - 1] {
            let mut raw = Raw::connect(&server).await;
            raw.send(&head.as_bytes()[..first]).await;
            raw.0.write_all(&head.as_bytes()[first..]).await.ok();
            assert_eq!(raw.head().await.split(' ').nth(1), Some(status), "{size} bytes, {first} at first");
        }
    }
}

/// A socket on which an operation runs.
async fn busy_socket(server: &Server) -> Socket {
    let mut socket = server.ready_socket(json!({})).await;
    socket.subscribe("1", "subscription { endless }").await;
    server.probes.started.wait().await;
    socket
}

/// A connection on which a request was answered.
async fn answered(server: &Server) -> Raw {
    let mut connection = Raw::connect(server).await;
    connection.send(ALIVE).await;
    assert!(connection.head().await.starts_with("HTTP/1.1 200"));
    connection
}

#[tokio::test]
async fn connections_past_the_limit_wait_while_all_are_busy_and_sockets_count() {
    let server = Server::with(|settings| {
        settings.listener.max_connections = 1;
        settings.listener.reserved_connections = 0;
    })
    .await;
    let mut socket = busy_socket(&server).await;
    let mut waiting = Raw::connect(&server).await;
    waiting.send(ALIVE).await;
    for _ in 0..20 {
        socket.assert_silence().await;
    }
    assert!(waiting.0.try_read(&mut [0]).is_err(), "it was served although there was no room");
    drop(socket);
    assert!(waiting.head().await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn of_a_full_service_a_connection_that_is_not_busy_gives_way() {
    let server = Server::with(|settings| {
        settings.listener.max_connections = 3;
        settings.listener.reserved_connections = 0;
        settings.websocket.closing_timeout = Duration::from_hours(1);
    })
    .await;
    let mut busy = busy_socket(&server).await;
    let mut silent = Raw::connect(&server).await;
    silent.send(b"GET /hea").await;
    let mut idle = server.ready_socket(json!({})).await;
    // Each of these takes the place of another one, that of the oldest first, and answers nothing in vain.
    let _first = answered(&server).await;
    assert!(silent.is_hung_up_on().await);
    let _second = answered(&server).await;
    assert_eq!(idle.closing().await, (1013, "Try again later".to_owned()));
    busy.assert_silence().await;
}

#[tokio::test]
async fn of_a_full_service_a_request_whose_body_does_not_arrive_gives_way() {
    let server = Server::with(|settings| {
        settings.listener.max_connections = 2;
        settings.listener.reserved_connections = 0;
    })
    .await;
    let head =
        b"POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{";
    let mut slow = Vec::new();
    for _ in 0..2 {
        let mut raw = Raw::connect(&server).await;
        raw.send(head).await;
        slow.push(raw);
    }
    answered(&server).await;
}

#[tokio::test]
async fn a_connection_waits_for_one_that_is_busy_and_the_operator_does_not() {
    let server = Server::with(|settings| {
        settings.listener.max_connections = 1;
        settings.listener.reserved_connections = 1;
    })
    .await;
    let mut busy = busy_socket(&server).await;
    // The reserved place is taken, so this one waits like any other.
    let operator = answered(&server).await;
    let mut waiting = Raw::connect(&server).await;
    waiting.send(ALIVE).await;
    for _ in 0..20 {
        busy.assert_silence().await;
    }
    drop(operator);
    // Accepted and answered although another one waits.
    let _operator = answered(&server).await;
    assert!(waiting.0.try_read(&mut [0]).is_err(), "it was served although there was no room");
    busy.say(json!({ "type": "complete", "id": "1" })).await;
    assert!(waiting.head().await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn a_few_places_are_reserved_for_this_machine_unless_a_proxy_runs_on_it() {
    for (proxies, is_served) in [(vec![], true), (vec!["127.0.0.0/8".parse().unwrap()], false)] {
        let server = Server::with(|settings| {
            settings.listener.max_connections = 1;
            settings.listener.reserved_connections = 1;
            settings.trusted_proxies.0 = proxies;
        })
        .await;
        let mut busy = busy_socket(&server).await;
        let mut operator = Raw::connect(&server).await;
        operator.send(ALIVE).await;
        if is_served {
            assert!(operator.head().await.starts_with("HTTP/1.1 200"));
        } else {
            for _ in 0..20 {
                busy.assert_silence().await;
            }
            assert!(operator.0.try_read(&mut [0]).is_err(), "it was served although there was no room");
        }
    }
}

#[tokio::test]
async fn an_address_has_so_many_connections_and_a_trusted_proxy_as_many_as_it_needs() {
    let limit = |settings: &mut HttpSettings| settings.listener.max_connections_per_address = 1;
    let server = Server::with(limit).await;
    let first = answered(&server).await;
    // It may be reset or ended: nothing was read of what it sent.
    let mut second = Raw::connect(&server).await;
    assert!(second.is_hung_up_on().await);
    drop((first, second));

    let server = Server::with(|settings| {
        limit(settings);
        settings.trusted_proxies.0 = vec!["127.0.0.1/32".parse().unwrap()];
    })
    .await;
    let mut connections = Vec::new();
    for _ in 0..3 {
        let mut raw = Raw::connect(&server).await;
        raw.send(ALIVE).await;
        assert!(raw.head().await.starts_with("HTTP/1.1 200"));
        connections.push(raw);
    }
}

#[tokio::test]
async fn a_peer_that_takes_nothing_of_its_answers_is_let_go() {
    let server = Server::with(|settings| settings.listener.write_timeout = Duration::from_millis(200)).await;
    let mut deaf = Raw::connect(&server).await;
    // Requests one after the other, without reading: at some time the system's buffers are full on both sides, and the
    // server waits. It ends when it has waited long enough.
    let requests = "GET /graphql?query=%7Bhello%7D HTTP/1.1\r\nhost: x\r\n\r\n".repeat(1_000);
    assert!(deaf.is_cut_off_while_sending(requests.as_bytes()).await);
}

#[tokio::test]
async fn shutdown_lets_what_was_begun_end_and_takes_nothing_new() {
    let server = Server::start().await;
    let mut raw = Raw::connect(&server).await;
    raw.send(HELD.as_bytes()).await;
    server.probes.started.wait().await;
    let mut idle = Raw::connect(&server).await;
    idle.send(b"HEAD /health/live HTTP/1.1\r\nhost: x\r\n\r\n").await;
    idle.head().await;

    server.shutdown.cancel();
    assert!(idle.rest().await.is_empty());
    assert!(!server.serving.is_finished());
    server.probes.release.give();
    assert!(raw.head().await.starts_with("HTTP/1.1 200"));
    let address = server.address;
    in_time(server.serving).await.unwrap();
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn what_does_not_end_is_cut_when_the_drain_timeout_is_over_but_not_its_mutation() {
    let server = Server::with(|settings| settings.listener.drain_timeout = Duration::from_millis(50)).await;
    let mut raw = Raw::connect(&server).await;
    raw.send(HELD.as_bytes()).await;
    server.probes.started.wait().await;
    server.shutdown.cancel();
    in_time(server.serving).await.unwrap();
    assert!(raw.rest().await.is_empty());
    server.probes.release.give();
    server.tasks.close();
    in_time(server.tasks.wait()).await;
    server.probes.finished.wait().await;
}

//! Connections: timeouts, limits, and the way down.

use std::time::Duration;

use serde_json::json;
use tokio::net::TcpStream;

use super::{
    harness::{Server, in_time},
    raw::Raw,
};
use crate::http::HttpSettings;

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
    let server =
        Server::with(|settings| settings.listener.header_read_timeout = Duration::from_secs(1)).await;
    let mut raw = Raw::connect(&server).await;
    for _ in 0..2 {
        raw.send(b"HEAD /health/live HTTP/1.1\r\nhost: x\r\n\r\n").await;
        assert!(raw.head().await.starts_with("HTTP/1.1 200"));
    }
    raw.rest().await;
}

#[tokio::test]
async fn a_body_that_does_not_come_in_time_is_408() {
    let server = Server::with(|settings| settings.body.read_timeout = Duration::from_millis(200)).await;
    let mut raw = Raw::connect(&server).await;
    raw.send(&HELD.as_bytes()[..HELD.len() - 1]).await;
    assert!(raw.head().await.starts_with("HTTP/1.1 408"));
}

#[tokio::test]
async fn a_head_past_the_limit_is_431() {
    let server = Server::with(|settings| settings.listener.head_limit_bytes = 8_192).await;
    let mut raw = Raw::connect(&server).await;
    raw.send(format!("GET / HTTP/1.1\r\nhost: x\r\nlong: {}\r\n", "x".repeat(8_192)).as_bytes()).await;
    assert!(raw.head().await.starts_with("HTTP/1.1 431"));
}

#[tokio::test]
async fn connections_past_the_limit_wait_and_sockets_count() {
    let server = Server::with(|settings| settings.listener.max_connections = 1).await;
    let mut socket = server.ready_socket(json!({})).await;
    let mut waiting = Raw::connect(&server).await;
    waiting.send(b"GET /health/live HTTP/1.1\r\nhost: x\r\n\r\n").await;
    for _ in 0..20 {
        socket.assert_silence().await;
    }
    assert!(waiting.0.try_read(&mut [0]).is_err(), "it was served although there was no room");
    drop(socket);
    assert!(waiting.head().await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn an_address_has_so_many_connections_and_a_trusted_proxy_as_many_as_it_needs() {
    let limit = |settings: &mut HttpSettings| settings.listener.max_connections_per_address = 1;
    let alive = b"GET /health/live HTTP/1.1\r\nhost: x\r\n\r\n";
    let server = Server::with(limit).await;
    let mut first = Raw::connect(&server).await;
    first.send(alive).await;
    assert!(first.head().await.starts_with("HTTP/1.1 200"));
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
        raw.send(alive).await;
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

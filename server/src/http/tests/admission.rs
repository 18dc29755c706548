//! How much one address may ask for, over HTTP and sockets.

use std::time::Duration;

use reqwest::header::RETRY_AFTER;
use serde_json::{Value, json};

use super::harness::{Server, in_time};
use crate::{
    graphql::{Caller, Cost, RateLimit, RootField, TokenKind},
    http::OperationRate,
};

/// `hello` and `held` run statements, and the first is limited; `me` is neither.
const TABLE: &[RootField] = &[row("hello", RateLimit::Address), row("held", RateLimit::None)];

const fn row(name: &'static str, limit: RateLimit) -> RootField {
    RootField { name, caller: Caller::Anyone, cost: Cost::Statements, limit, token: TokenKind::None }
}

async fn server(count: u32, statements: usize) -> Server {
    Server::with(|settings| {
        settings.graphql.root_fields = TABLE;
        // No test lasts long enough for another one.
        settings.graphql.admission.operations =
            OperationRate { count, per: Duration::from_hours(24) * count };
        settings.graphql.admission.statements = statements;
    })
    .await
}

#[tokio::test]
async fn operations_past_the_limit_of_an_address_are_refused_before_they_run() {
    let server = server(2, 8).await;
    let hello = json!({"query": "{ hello }"});
    for _ in 0..2 {
        assert_eq!(server.post(&hello).await.status(), 200);
    }
    let refused = server.post(&hello).await;
    assert_eq!(
        (refused.status().as_u16(), &refused.headers()[RETRY_AFTER]),
        (429, &"86400".parse().unwrap())
    );
    let refused: Value = in_time(refused.json()).await.unwrap();
    assert_eq!(
        refused["errors"][0]["extensions"],
        json!({"code": "RATE_LIMITED", "retryAfterSeconds": 86_400})
    );
    assert_eq!(refused.get("data"), None);
    assert_eq!(server.get("/graphql?query=%7Bhello%7D").await.status(), 429);
    assert_eq!(server.post(&json!({"query": "{ me }"})).await.status(), 200);

    let mut socket = server.ready_socket(json!({})).await;
    socket.subscribe("1", "{ hello }").await;
    let error = socket.hear().await;
    assert_eq!((&error["type"], &error["payload"]), (&json!("error"), &refused["errors"]));
    socket.subscribe("1", "{ me }").await;
    assert_eq!(socket.hear().await["payload"], json!({"data": {"me": null}}));
}

#[tokio::test]
async fn operations_on_sockets_count_as_requests_do() {
    let server = server(2, 8).await;
    let mut socket = server.ready_socket(json!({})).await;
    for expected in ["next", "next", "error"] {
        socket.subscribe("1", "{ hello }").await;
        assert_eq!(socket.hear().await["type"], expected);
        if expected == "next" {
            assert_eq!(socket.hear().await["type"], "complete");
        }
    }
    assert_eq!(server.post(&json!({"query": "{ hello }"})).await.status(), 429);
}

#[tokio::test]
async fn an_operation_waits_until_fewer_of_its_address_run() {
    let server = server(100, 1).await;
    let held = json!({"query": "{ held }"});
    let first = server.post(&held);
    let others = async {
        server.probes.started.wait().await;
        let mut socket = server.ready_socket(json!({})).await;
        socket.subscribe("1", "{ held }").await;
        // What runs no statement does not wait, and shows that the message before it was read.
        socket.subscribe("2", "{ me }").await;
        assert_eq!(socket.hear().await["id"], "2");
        assert_eq!(socket.hear().await["type"], "complete");
        assert_eq!(server.post(&json!({"query": "{ me }"})).await.status(), 200);
        assert_eq!(server.probes.started.given(), 0);
        server.probes.release.give();
        server.probes.started.wait().await;
        server.probes.release.give();
        assert_eq!(socket.hear().await["payload"], json!({"data": {"held": true}}));
    };
    let (first, ()) = tokio::join!(first, others);
    assert_eq!(first.status(), 200);
}

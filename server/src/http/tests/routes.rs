//! The other routes: pages, callbacks, health, what is not there, and what is logged of it all.

use std::{
    io,
    sync::{Arc, Mutex, atomic::Ordering},
};

use reqwest::{
    Method,
    header::{ACCEPT, ALLOW, AUTHORIZATION, CONTENT_TYPE},
};
use serde_json::{Value, json};
use tracing_subscriber::fmt::MakeWriter;

use super::harness::{Server, client, in_time};

async fn send(server: &Server, method: Method, path: &str) -> reqwest::Response {
    in_time(client().request(method, server.url(path)).send()).await.unwrap()
}

#[tokio::test]
async fn a_browser_gets_graphiql_only_where_it_is_switched_on() {
    let page = async |graphiql: bool| {
        let server = Server::with(|settings| settings.graphql.graphiql = graphiql).await;
        for file in ["/graphiql/graphiql.js", "/graphiql/graphiql.css"] {
            assert_eq!(server.get(file).await.status() == 200, graphiql, "{file}");
        }
        let accept = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
        let request = client().get(server.url("/graphql")).header(ACCEPT, accept);
        let response = in_time(request.send()).await.unwrap();
        let media = response.headers()[CONTENT_TYPE].to_str().unwrap().to_owned();
        (response.status().as_u16(), media, in_time(response.text()).await.unwrap())
    };
    let (status, media, body) = page(true).await;
    assert_eq!((status, media.as_str()), (200, "text/html; charset=utf-8"));
    assert!(body.contains("GraphiQL"));
    let (status, media, _) = page(false).await;
    assert_eq!((status, media.as_str()), (404, "text/plain; charset=utf-8"));
}

#[tokio::test]
async fn a_callback_is_handed_on_as_it_came_and_answered_without_a_body() {
    let server = Server::start().await;
    let post = async |body: Vec<u8>| {
        let request = client().post(server.url("/authy/callback")).body(body);
        let response = in_time(request.send()).await.unwrap();
        (response.status().as_u16(), in_time(response.text()).await.unwrap())
    };
    assert_eq!(post(b"authentic".to_vec()).await, (200, String::new()));
    assert_eq!(post(b"forged".to_vec()).await, (401, String::new()));
    assert_eq!(post(vec![b'x'; 64 * 1024 + 1]).await, (401, String::new()));
    assert_eq!(post(b"planted-panic".to_vec()).await, (200, String::new()));

    let get = async |query: &str, header: &'static str| {
        let request = client().get(server.url(&format!("/authy/callback?{query}"))).header(header, "x");
        in_time(request.send()).await.unwrap().status().as_u16()
    };
    assert_eq!(get("a=b%20c", "x-signature").await, 200);
    assert_eq!(get("a=b+c", "x-signature").await, 401);
    assert_eq!(get("a=b%20c", "x-other").await, 401);
}

#[tokio::test]
async fn health_tells_alive_from_ready() {
    let server = Server::start().await;
    assert_eq!(server.get("/health/live").await.status(), 200);
    assert_eq!(server.get("/health/ready").await.status(), 503);
    let ready = Server::start().await;
    ready.probes.is_ready.store(true, Ordering::Relaxed);
    assert_eq!(ready.get("/health/ready").await.status(), 200);
}

#[tokio::test]
async fn what_is_not_there_is_404_and_a_wrong_method_405() {
    let server = Server::start().await;
    let response = server.get("/nowhere").await;
    assert_eq!(response.status(), 404);
    let answer: Value = in_time(response.json()).await.unwrap();
    assert_eq!(answer["errors"][0]["extensions"]["code"], "NOT_FOUND");

    let response = send(&server, Method::PUT, "/graphql").await;
    assert_eq!(response.status(), 405);
    let allow = response.headers()[ALLOW].to_str().unwrap();
    assert!(allow.contains("GET") && allow.contains("POST"), "{allow}");
}

#[tokio::test]
async fn every_answer_carries_the_id_that_resolvers_know() {
    let server = Server::start().await;
    let response = server.post(&json!({"query": "{ requestId }"})).await;
    assert_eq!(response.headers()["x-request-id"], "request-1");
    let answer: Value = in_time(response.json()).await.unwrap();
    assert_eq!(answer["data"]["requestId"], "request-1");
    assert_eq!(server.get("/nowhere").await.headers()["x-request-id"], "request-1");
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn nothing_that_a_peer_sends_stands_in_the_log() {
    let log = Log::default();
    let subscriber =
        tracing_subscriber::fmt().with_env_filter("countersign=trace").with_writer(log.clone()).finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    // While there is only one, tracing asks the thread that comes to a log line first whether anyone wants
    // it, which may be another test's; with two it asks them.
    let _second = tracing::Dispatch::new(tracing_subscriber::registry());

    let server = Server::start().await;
    let request = client()
        .get(server.url("/graphql?query=%7Bhello(name%3A%22planted%22)%7D"))
        .header(AUTHORIZATION, "Bearer session-planted");
    in_time(request.send()).await.unwrap();
    server.get("/planted").await;
    send(&server, Method::from_bytes(b"planted").unwrap(), "/planted").await;
    let request = client().post(server.url("/authy/callback?planted")).body("planted-panic");
    in_time(request.send()).await.unwrap();
    server.post(&json!({"query": "{ panics hello(name: \"planted\") }"})).await;
    server.post(&json!({"query": "{ planted"})).await;
    let mut socket = server.ready_socket(json!({"authorization": "Bearer session-planted"})).await;
    socket.subscribe("planted", "{ panics hello(name: \"planted\") }").await;
    socket.hear().await;

    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(log.contains("request-1") && log.contains("/graphql"), "{log}");
    assert!(!log.contains("planted"), "{log}");
}

//! Who is asking: pages of other origins, clients behind proxies, and what browsers are told.

use futures_util::StreamExt as _;
use reqwest::{
    Method,
    header::{ACCEPT, ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, HeaderMap, ORIGIN},
};
use serde_json::{Value, json};
use tokio_tungstenite::{
    connect_async,
    tungstenite::{Error, client::IntoClientRequest as _, http::HeaderValue},
};

use super::harness::{Server, client, in_time};
use crate::http::{SessionTransport, StrictTransport};

const APP: &str = "https://app.example.com";
const ATTACKER: &str = "https://attacker.example.net";

async fn server_with_an_app() -> Server {
    Server::with(|settings| settings.origins.listed.push(APP.to_owned())).await
}

async fn preflight(server: &Server, origin: &str, path: &str) -> HeaderMap {
    let request = client()
        .request(Method::OPTIONS, server.url(path))
        .header(ORIGIN, origin)
        .header(ACCESS_CONTROL_REQUEST_METHOD, "POST")
        .header(ACCESS_CONTROL_REQUEST_HEADERS, "authorization,content-type");
    in_time(request.send()).await.unwrap().headers().clone()
}

#[tokio::test]
async fn a_browser_that_asks_first_is_told_which_pages_may_send_what() {
    let server = server_with_an_app().await;
    let allowed = preflight(&server, APP, "/graphql").await;
    assert_eq!(allowed["access-control-allow-origin"], APP);
    assert_eq!(allowed["access-control-allow-methods"], "GET,POST");
    assert_eq!(allowed["access-control-allow-headers"], "authorization,content-type");
    for (origin, path) in [(ATTACKER, "/graphql"), ("null", "/graphql"), (APP, "/authy/callback")] {
        let refused = preflight(&server, origin, path).await;
        assert!(!refused.contains_key("access-control-allow-origin"), "{origin} {path}");
    }
}

#[tokio::test]
async fn an_answer_may_be_read_by_pages_that_are_allowed_and_by_no_other() {
    let server = server_with_an_app().await;
    let ask = async |origin: &str| {
        let request = client().post(server.url("/graphql")).header(ORIGIN, origin);
        in_time(request.json(&json!({"query": "{ hello }"})).send()).await.unwrap().headers().clone()
    };
    let allowed = ask(APP).await;
    assert_eq!(allowed["access-control-allow-origin"], APP);
    assert_eq!(allowed["access-control-expose-headers"], "x-request-id,retry-after");
    assert!(!allowed.contains_key("access-control-allow-credentials"));
    let refused = ask(ATTACKER).await;
    assert!(!refused.contains_key("access-control-allow-origin"));
    for headers in [allowed, refused] {
        assert!(headers["vary"].to_str().unwrap().contains("origin"), "{headers:?}");
    }
}

#[tokio::test]
async fn a_program_which_names_no_origin_is_told_nothing_of_pages() {
    let server = server_with_an_app().await;
    let ask = client().post(server.url("/graphql")).json(&json!({"query": "{ hello }"}));
    let told = in_time(ask.send()).await.unwrap();
    assert_eq!(told.status(), 200);
    let of_pages = |name: &str| name == "vary" || name.starts_with("access-control-");
    assert!(!told.headers().keys().any(|name| of_pages(name.as_str())), "{:?}", told.headers());
    // But whoever asks what may be sent is told, whatever else it does not say.
    let asked = client().request(Method::OPTIONS, server.url("/graphql"));
    assert!(in_time(asked.send()).await.unwrap().headers().contains_key("access-control-allow-methods"));
}

#[tokio::test]
async fn a_page_of_the_same_site_may_send_its_cookies_where_sessions_live_in_them() {
    let server = Server::with(|settings| {
        settings.origins.listed.push(APP.to_owned());
        settings.sessions = SessionTransport::Cookie;
    })
    .await;
    let allowed = preflight(&server, APP, "/graphql").await;
    assert_eq!(allowed["access-control-allow-origin"], APP);
    assert_eq!(allowed["access-control-allow-credentials"], "true");
    assert!(!preflight(&server, ATTACKER, "/graphql").await.contains_key("access-control-allow-origin"));
}

#[tokio::test]
async fn a_page_of_another_origin_opens_no_socket() {
    let server = server_with_an_app().await;
    let open = async |path: &str, origin: &'static str| {
        let mut request = format!("ws://{}{path}", server.address).into_client_request().unwrap();
        let headers = request.headers_mut();
        headers.insert("origin", HeaderValue::from_static(origin));
        headers.insert("sec-websocket-protocol", HeaderValue::from_static("graphql-transport-ws"));
        match in_time(Box::pin(connect_async(request))).await {
            Ok((_, response)) => response.status().as_u16(),
            Err(Error::Http(response)) => response.status().as_u16(),
            Err(other) => panic!("{other}"),
        }
    };
    for path in ["/graphql", "/graphql/ws"] {
        assert_eq!(open(path, APP).await, 101);
        for other in [ATTACKER, "null", "http://app.example.com", "http://localhost:3000"] {
            assert_eq!(open(path, other).await, 403, "{path} {other}");
        }
    }
}

async fn client_address(server: &Server, forwarded_for: &str) -> Value {
    let request = client().post(server.url("/graphql")).header("x-forwarded-for", forwarded_for);
    let response = in_time(request.json(&json!({"query": "{ peer }"})).send()).await.unwrap();
    in_time(response.json::<Value>()).await.unwrap()["data"]["peer"].clone()
}

#[tokio::test]
async fn resolvers_know_the_client_behind_a_trusted_proxy_and_nobody_elses_word_counts() {
    let alone = Server::start().await;
    assert_eq!(client_address(&alone, "198.51.100.7").await, "127.0.0.1");
    let proxied = Server::with(|settings| {
        settings.trusted_proxies.0 = vec!["127.0.0.0/8".parse().unwrap()];
    })
    .await;
    assert_eq!(client_address(&proxied, "203.0.113.66, 198.51.100.7").await, "198.51.100.7");
    assert_eq!(client_address(&proxied, "198.51.100.7, 127.0.0.2").await, "198.51.100.7");
}

#[tokio::test]
async fn sockets_are_counted_by_the_address_of_the_client() {
    let server = Server::with(|settings| {
        settings.websocket.max_per_address = 2;
        settings.trusted_proxies.0 = vec!["127.0.0.1".parse::<std::net::IpAddr>().unwrap().into()];
    })
    .await;
    let open = async |address: &'static str| {
        let mut request = format!("ws://{}/graphql", server.address).into_client_request().unwrap();
        let headers = request.headers_mut();
        headers.insert("x-forwarded-for", HeaderValue::from_static(address));
        headers.insert("sec-websocket-protocol", HeaderValue::from_static("graphql-transport-ws"));
        match in_time(Box::pin(connect_async(request))).await {
            Ok((socket, _)) => Ok(socket),
            Err(Error::Http(response)) => Err(response.status().as_u16()),
            Err(other) => panic!("{other}"),
        }
    };
    let (mut first, _second) = (open("2001:db8::1").await.unwrap(), open("2001:db8::2").await.unwrap());
    assert_eq!(open("2001:db8::3").await.unwrap_err(), 429);
    assert!(open("2001:db8:0:1::1").await.is_ok());
    in_time(first.close(None)).await.unwrap();
    // The place is free before the server ends the connection.
    while in_time(first.next()).await.is_some() {}
    assert!(open("2001:db8::3").await.is_ok());
}

#[tokio::test]
async fn browsers_are_told_to_guess_frame_and_run_nothing() {
    let server = Server::with(|settings| settings.graphql.graphiql = true).await;
    for path in ["/graphql?query=%7Bhello%7D", "/health/live", "/nowhere"] {
        let headers = server.get(path).await.headers().clone();
        assert_eq!(headers["x-content-type-options"], "nosniff", "{path}");
        assert_eq!(headers["x-frame-options"], "DENY", "{path}");
        assert_eq!(headers["referrer-policy"], "no-referrer", "{path}");
        assert_eq!(headers["cross-origin-opener-policy"], "same-origin", "{path}");
        assert_eq!(headers["cross-origin-resource-policy"], "same-origin", "{path}");
        assert_eq!(
            headers["content-security-policy"], "default-src 'none'; frame-ancestors 'none'",
            "{path}"
        );
        assert!(!headers.contains_key("strict-transport-security"), "{path}");
    }
    let page = client().get(server.url("/graphql")).header(ACCEPT, "text/html").send();
    let page = in_time(page).await.unwrap();
    let policy = page.headers()["content-security-policy"].to_str().unwrap();
    assert!(policy.contains("https://unpkg.com") && policy.contains("frame-ancestors 'none'"), "{policy}");
    for (strict, value) in [
        (StrictTransport::Host, "max-age=63072000"),
        (StrictTransport::WithSubdomains, "max-age=63072000; includeSubDomains"),
    ] {
        let server = Server::with(|settings| settings.strict_transport = Some(strict)).await;
        assert_eq!(server.get("/nowhere").await.headers()["strict-transport-security"], value);
    }
}

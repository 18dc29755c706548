//! GraphQL over HTTP: media types, statuses, GET, bounds, and what becomes of faults.

use std::time::Duration;

use reqwest::header::{ACCEPT, ALLOW, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use serde_json::{Value, json};

use super::{
    harness::{Server, client, in_time},
    raw::Raw,
};

const GRAPHQL_RESPONSE: &str = "application/graphql-response+json";

async fn json_of(response: reqwest::Response) -> Value {
    in_time(response.json()).await.unwrap()
}

/// The status and the media type with which a body is answered.
async fn answered(server: &Server, accept: &str, body: &str) -> (u16, String, Value) {
    let request = client()
        .post(server.url("/graphql"))
        .header(CONTENT_TYPE, "application/json")
        .header(ACCEPT, accept)
        .body(body.to_owned());
    let response = in_time(request.send()).await.unwrap();
    let media = response.headers()[CONTENT_TYPE].to_str().unwrap().to_owned();
    (response.status().as_u16(), media, json_of(response).await)
}

#[tokio::test]
async fn a_query_is_answered_in_the_media_type_that_the_client_prefers() {
    let server = Server::start().await;
    let body = r#"{"query": "query q($n: String) { hello(name: $n) }", "operationName": "q", "variables": {"n": "you"}}"#;
    for (accept, media) in [
        ("application/json", "application/json; charset=utf-8"),
        ("*/*", "application/json; charset=utf-8"),
        (GRAPHQL_RESPONSE, "application/graphql-response+json; charset=utf-8"),
    ] {
        let expected = json!({"data": {"hello": "Hello you"}});
        assert_eq!(answered(&server, accept, body).await, (200, media.to_owned(), expected));
    }
    assert_eq!(answered(&server, "text/csv", body).await.0, 406);
}

#[tokio::test]
async fn a_document_that_is_wrong_is_refused_each_time() {
    let server = Server::start().await;
    for query in ["{ hello nowhere }", "{ hello(nothing: 1) }", "{ hello again }"] {
        let refused = json_of(server.post(&json!({"query": query})).await).await;
        assert!(refused["errors"][0]["message"].is_string() && refused.get("data").is_none(), "{refused}");
        assert_eq!(json_of(server.post(&json!({"query": query})).await).await, refused);
    }
}

#[tokio::test]
async fn a_well_formed_request_with_a_wrong_document_is_400_only_in_the_newer_media_type() {
    let server = Server::start().await;
    for query in ["{", "{ nowhere }", "query q($id: ID!) { hello }", "subscription { countdown(from: 1) }"] {
        let body = json!({"query": query}).to_string();
        let (status, _, answer) = answered(&server, "application/json", &body).await;
        assert_eq!(status, 200, "{query}");
        let (status, _, same) = answered(&server, GRAPHQL_RESPONSE, &body).await;
        assert_eq!((status, &same), (400, &answer), "{query}");
        assert_eq!(answer["errors"][0]["extensions"]["code"], "BAD_REQUEST", "{query}");
        assert_eq!(answer.get("data"), None, "{query}");
    }
}

#[tokio::test]
async fn a_field_that_fails_leaves_a_status_of_200_and_its_own_code() {
    let server = Server::start().await;
    let (status, _, answer) = answered(&server, GRAPHQL_RESPONSE, r#"{"query": "{ fails }"}"#).await;
    assert_eq!((status, &answer["data"]), (200, &Value::Null));
    assert_eq!(answer["errors"][0]["extensions"]["code"], "REFUSED");
}

#[tokio::test]
async fn what_is_not_a_request_is_400_in_either_media_type_and_not_repeated() {
    let server = Server::start().await;
    for body in [
        "",
        "{\"planted",
        "\"planted\"",
        "{}",
        r#"{"query": 1}"#,
        r#"{"query": "{ hello }", "variables": "planted"}"#,
        r#"{"query": "{ hello }", "query": "{ hello }"}"#,
        r#" [{"query": "{ hello }"}]"#,
        "[]",
    ] {
        for accept in ["application/json", GRAPHQL_RESPONSE] {
            let (status, _, answer) = answered(&server, accept, body).await;
            assert_eq!(status, 400, "{body}");
            assert_eq!(answer["errors"][0]["extensions"]["code"], "BAD_REQUEST");
            assert!(!answer.to_string().contains("planted"), "{answer}");
        }
    }
}

#[tokio::test]
async fn only_json_in_utf8_is_taken() {
    let server = Server::start().await;
    let send = async |content_type: Option<&str>, encoding: Option<&str>| {
        let mut request = client().post(server.url("/graphql")).body(r#"{"query": "{ hello }"}"#);
        if let Some(content_type) = content_type {
            request = request.header(CONTENT_TYPE, content_type);
        }
        if let Some(encoding) = encoding {
            request = request.header("content-encoding", encoding);
        }
        in_time(request.send()).await.unwrap().status().as_u16()
    };
    for taken in [
        "application/json",
        "Application/JSON; charset=UTF-8",
        "application/json;charset=\"utf-8\"",
        "application/json; charset=utf8",
        "application/json; charset=\"UTF8\"",
    ] {
        assert_eq!(send(Some(taken), None).await, 200, "{taken}");
    }
    for refused in [
        "text/plain",
        "application/graphql",
        "multipart/form-data; boundary=x",
        "application/json; charset=latin1",
        "application/json; charset=utf-16",
    ] {
        assert_eq!(send(Some(refused), None).await, 415, "{refused}");
    }
    assert_eq!(send(None, None).await, 415);
    assert_eq!(send(Some("application/json"), Some("gzip")).await, 415);
}

#[tokio::test]
async fn a_body_past_the_limit_is_413() {
    let server = Server::with(|settings| settings.body.limit_bytes = 1_000).await;
    let padded = |length: usize| format!("{:length$}", r#"{"query": "{ hello }"}"#);
    assert_eq!(answered(&server, "*/*", &padded(1_000)).await.0, 200);
    assert_eq!(answered(&server, "*/*", &padded(1_001)).await.0, 413);
}

#[tokio::test]
async fn a_body_that_never_ends_is_408() {
    let server = Server::with(|settings| settings.body.read_timeout = Duration::from_millis(50)).await;
    let mut raw = Raw::connect(&server).await;
    raw.send(
        b"POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{",
    )
    .await;
    assert!(raw.head().await.starts_with("HTTP/1.1 408"));
}

#[tokio::test]
async fn a_query_travels_by_get_and_knows_it() {
    let server = Server::start().await;
    let answer = json_of(server.get("/graphql?query=%7Btransport%7D").await).await;
    assert_eq!(answer, json!({"data": {"transport": "Get"}}));
    let query = "/graphql?query=query%20q(%24n%3AString)%7Bhello(name%3A%24n)%7D&operationName=q&variables=%7B%22n%22%3A%22x%22%7D&extensions=";
    assert_eq!(json_of(server.get(query).await).await, json!({"data": {"hello": "Hello x"}}));
    let answer = json_of(server.post(&json!({"query": "{ transport }"})).await).await;
    assert_eq!(answer, json!({"data": {"transport": "Post"}}));
}

#[tokio::test]
async fn maps_in_a_url_may_be_null_empty_or_absent() {
    let server = Server::start().await;
    for rest in ["&variables=null&extensions=null&operationName=", "&variables=&extensions=", ""] {
        let answer = json_of(server.get(&format!("/graphql?query=%7Bhello%7D{rest}")).await).await;
        assert_eq!(answer, json!({"data": {"hello": "Hello "}}), "{rest}");
    }
}

#[tokio::test]
async fn a_byte_order_mark_before_the_body_is_skipped_once() {
    let server = Server::start().await;
    let body = r#"{"query": "{ hello }", "operationName": ""}"#;
    let expected = json!({"data": {"hello": "Hello "}});
    assert_eq!(answered(&server, "*/*", &format!("\u{feff}{body}")).await.2, expected);
    assert_eq!(answered(&server, "*/*", &format!("\u{feff}\u{feff}{body}")).await.0, 400);
    let batch = answered(&server, "*/*", &format!("\u{feff} [{body}]")).await;
    assert_eq!(batch.0, 400);
    assert!(batch.2.to_string().contains("batches"), "{}", batch.2);
}

#[tokio::test]
async fn a_get_that_offers_another_upgrade_is_still_a_query() {
    let server = Server::start().await;
    let mut raw = Raw::connect(&server).await;
    raw.send(
        b"GET /graphql?query=%7Bhello%7D HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n",
    )
    .await;
    assert!(raw.head().await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn a_get_that_is_not_a_request_is_400() {
    let server = Server::start().await;
    for path in [
        "/graphql",
        "/graphql?query=%7Bhello%7D&query=%7Bhello%7D",
        "/graphql?query=%7Bhello%7D&variables=%5B%5D",
        "/graphql?query=%7Bhello%7D&extensions=x",
    ] {
        assert_eq!(server.get(path).await.status(), 400, "{path}");
    }
}

#[tokio::test]
async fn a_mutation_by_get_is_405_even_beside_a_query() {
    let server = Server::start().await;
    for path in [
        "/graphql?query=mutation%7Bheld%7D",
        "/graphql?query=query%20a%7Bhello%7Dmutation%20b%7Bheld%7D&operationName=b",
    ] {
        let response = server.get(path).await;
        assert_eq!((response.status().as_u16(), &response.headers()[ALLOW]), (405, &"POST".parse().unwrap()));
    }
    let beside =
        server.get("/graphql?query=query%20a%7Bhello%7Dmutation%20b%7Bheld%7D&operationName=a").await;
    assert_eq!(beside.status(), 200);
}

#[tokio::test]
async fn a_bearer_is_somebody_nobody_or_cannot_be_looked_up() {
    let server = Server::start().await;
    let send = async |authorization: &str| {
        let request = client().post(server.url("/graphql")).header(AUTHORIZATION, authorization);
        in_time(request.json(&json!({"query": "{ me peer }"})).send()).await.unwrap()
    };
    let answer = json_of(send("Bearer session-a").await).await;
    assert_eq!(answer, json!({"data": {"me": "session-a", "peer": "127.0.0.1"}}));
    for nobody in ["Bearer unknown", "Basic x", "Bearer", ""] {
        assert_eq!(json_of(send(nobody).await).await["data"]["me"], Value::Null, "{nobody}");
    }
    let unavailable = send("Bearer faulty").await;
    assert_eq!(unavailable.status(), 503);
    assert!(unavailable.headers().contains_key(RETRY_AFTER));
}

#[tokio::test]
async fn a_fragment_bomb_is_refused_before_it_costs_anything() {
    let server = Server::start().await;
    let spreads = [("a", "b"), ("b", "c"), ("c", "d"), ("d", "e")].map(|(name, next)| {
        let spread = format!("...{next} ").repeat(50);
        format!("fragment {name} on Query {{ {spread} }}")
    });
    let query = format!("{{ ...a }} {} fragment e on Query {{ hello }}", spreads.concat());
    let answer = json_of(server.post(&json!({"query": query})).await).await;
    assert_eq!(answer["errors"][0]["message"], "The document selects too much.");
}

#[tokio::test]
async fn thousands_of_errors_are_answered_with_a_few() {
    let server = Server::start().await;
    let fields = (0..900).fold(String::new(), |fields, index| fields + &format!("nowhere{index} "));
    let response = server.post(&json!({"query": format!("{{ {fields} }}")})).await;
    let answer = json_of(response).await;
    assert_eq!(answer["errors"].as_array().unwrap().len(), 10);
}

#[tokio::test]
async fn a_panic_is_an_internal_error_that_says_nothing_but_the_requests_id() {
    let server = Server::start().await;
    for query in ["{ panics }", "mutation { panics }"] {
        let response = server.post(&json!({"query": query})).await;
        assert_eq!(response.status(), 500);
        let answer = json_of(response).await;
        assert_eq!(answer["errors"][0]["extensions"], json!({"code": "INTERNAL", "requestId": "request-1"}));
        assert!(!answer.to_string().contains("planted"));
    }
}

#[tokio::test]
async fn a_mutation_whose_peer_hangs_up_runs_to_its_end() {
    // With room for one connection, a second one is served only when the first has ended.
    let server = Server::with(|settings| settings.listener.max_connections = 1).await;
    let mut raw = Raw::connect(&server).await;
    let body = r#"{"query": "mutation { held }"}"#;
    let head = format!(
        "POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    raw.send(head.as_bytes()).await;
    raw.send(body.as_bytes()).await;
    server.probes.started.wait().await;
    drop(raw);
    assert_eq!(server.get("/health/live").await.status(), 200);
    server.probes.release.give();
    server.probes.finished.wait().await;
}

#[tokio::test]
async fn no_answer_may_be_stored() {
    let server = Server::start().await;
    for path in ["/graphql?query=%7Bhello%7D", "/graphql", "/nowhere", "/health/live"] {
        assert_eq!(server.get(path).await.headers()[CACHE_CONTROL], "no-store", "{path}");
    }
}

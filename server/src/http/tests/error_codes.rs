//! Every error says in `extensions.code` what it is, whatever has found it.

use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, ORIGIN};
use serde_json::{Value, json};

use super::harness::{Server, client, in_time};

/// Documents, each wrong in its own way, and the code that says so.
fn documents() -> Vec<(String, &'static str)> {
    let wrong = "BAD_REQUEST";
    let mut documents: Vec<(String, &'static str)> = [
        ("", wrong),
        ("{", wrong),
        ("type Query { a: Int }", wrong),
        ("{ hello } { me }", wrong),
        ("query a { hello } query a { me }", wrong),
        ("query a { hello } query b { me }", wrong),
        ("{ nowhere }", wrong),
        ("{ hello { inner } }", wrong),
        ("{ again }", wrong),
        ("{ hello(nothing: 1) }", wrong),
        ("{ hello(name: 1) }", wrong),
        ("{ hello(name: $undefined) }", wrong),
        ("{ hello @nowhere }", wrong),
        ("{ hello @skip }", wrong),
        ("{ a: hello a: me }", wrong),
        ("{ ...nowhere }", wrong),
        ("{ hello } fragment unused on Query { me }", wrong),
        ("{ ...a } fragment a on Query { ...a }", wrong),
        ("{ ...a } fragment a on Nowhere { me }", wrong),
        ("{ ...a } fragment a on Mutation { held }", wrong),
        ("query($a: Nowhere) { hello(name: $a) }", wrong),
        ("query($a: Query) { hello(name: $a) }", wrong),
        ("query($a: String, $a: String) { hello(name: $a) }", wrong),
        ("query($a: String) { hello }", wrong),
        ("query($a: Int) { hello(name: $a) }", wrong),
        ("query($a: String!) { hello(name: $a) }", wrong),
        ("query($a: String = 1) { hello(name: $a) }", wrong),
        ("mutation { paint(input: {colour: GREEN, coats: 1}) }", wrong),
        ("mutation { paint(input: {colour: RED}) }", wrong),
        ("mutation { paint }", wrong),
        ("{ __schema { nowhere } }", wrong),
        ("{ fails }", "REFUSED"),
        ("{ failsWithoutACode }", wrong),
        ("{ hello again { failsWithoutACode } }", wrong),
        ("{ panics }", "INTERNAL"),
    ]
    .map(|(document, code)| (document.to_owned(), code))
    .into();
    let deep = |levels: usize| format!("{{ {} hello {} }}", "again { ".repeat(levels), "}".repeat(levels));
    documents.extend([
        // Past the limits that this schema is given, and past those of this folder.
        (deep(30), wrong),
        (deep(40), wrong),
        (format!("{{ {} }}", "hello ".repeat(980)), wrong),
        (deep(100), wrong),
        (format!("{{ {} }}", "hello ".repeat(3_000)), wrong),
        (format!("{{ again {{ {} }} }}", "hello ".repeat(1_500)), wrong),
        (
            format!(
                "{{ {} }}",
                (0..60).map(|index| format!("a{index}: hello ")).collect::<Vec<_>>().concat()
            ),
            wrong,
        ),
    ]);
    documents
}

fn assert_codes(errors: &Value, code: &str, case: &str) {
    let errors = errors.as_array().unwrap_or_else(|| panic!("{case}: no errors"));
    assert!(!errors.is_empty(), "{case}");
    for error in errors {
        assert_eq!(error["extensions"]["code"], code, "{case}: {error}");
    }
}

#[tokio::test]
async fn every_error_of_a_document_has_a_code() {
    let server = Server::start().await;
    for (document, code) in documents() {
        let response = server.post(&json!({"query": document})).await;
        let answer: Value = in_time(response.json()).await.unwrap();
        assert_codes(&answer["errors"], code, &document);
    }
}

#[tokio::test]
async fn every_error_of_a_document_on_a_socket_has_a_code() {
    let server = Server::start().await;
    let mut socket = server.ready_socket(json!({})).await;
    for (document, code) in documents() {
        socket.subscribe("1", &document).await;
        let told = socket.hear().await;
        match told["type"].as_str() {
            Some("error") => assert_codes(&told["payload"], code, &document),
            Some("next") => {
                assert_codes(&told["payload"]["errors"], code, &document);
                assert_eq!(socket.hear().await["type"], "complete");
            }
            other => panic!("{document}: {other:?}"),
        }
    }
    socket.subscribe("1", "subscription { refused }").await;
    assert_codes(&socket.hear().await["payload"], "REFUSED", "a subscription without a source");
    let hash = json!({"extensions": {"persistedQuery": {"version": 1, "sha256Hash": "00"}}});
    socket.say(json!({"type": "subscribe", "id": "1", "payload": hash})).await;
    assert_codes(&socket.hear().await["payload"], "PERSISTED_QUERY_NOT_SUPPORTED", "a hash");
}

#[tokio::test]
async fn every_request_that_is_refused_before_its_document_has_a_code() {
    let server = Server::with(|settings| settings.body.limit_bytes = 1_000).await;
    let post = || client().post(server.url("/graphql")).header(CONTENT_TYPE, "application/json");
    let get = |path: &str| client().get(server.url(path));
    let large = " ".repeat(1_001);
    let page = "text/html";
    for (request, code) in [
        (post().body(""), "BAD_REQUEST"),
        (post().body("{}"), "BAD_REQUEST"),
        (post().body("[]"), "BAD_REQUEST"),
        (post().body(r#"{"query": 1}"#), "BAD_REQUEST"),
        (post().body(r#"{"query": "{ hello }", "operationName": "a"}"#), "BAD_REQUEST"),
        (post().body(r#"{"extensions": {"persistedQuery": {}}}"#), "PERSISTED_QUERY_NOT_SUPPORTED"),
        (post().body(large), "TOO_LARGE"),
        (client().post(server.url("/graphql")), "UNSUPPORTED_MEDIA_TYPE"),
        (post().header(ACCEPT, "text/csv").body(r#"{"query": "{ hello }"}"#), "NOT_ACCEPTABLE"),
        (post().header(AUTHORIZATION, "Bearer faulty").body(r#"{"query": "{ hello }"}"#), "UNAVAILABLE"),
        (post().body(r#"{"query": "subscription { countdown(from: 1) }"}"#), "BAD_REQUEST"),
        (get("/graphql"), "BAD_REQUEST"),
        (get("/graphql?query=%7Bhello%7D&variables=x"), "BAD_REQUEST"),
        (get("/graphql?extensions=%7B%22persistedQuery%22%3A%7B%7D%7D"), "PERSISTED_QUERY_NOT_SUPPORTED"),
        (get("/graphql?query=mutation%7Bheld%7D"), "METHOD_NOT_ALLOWED"),
        (get("/graphql/ws").header(ACCEPT, page), "UPGRADE_REQUIRED"),
        (
            get("/graphql").header("upgrade", "websocket").header(ORIGIN, "https://x.example"),
            "ORIGIN_NOT_ALLOWED",
        ),
        (get("/nowhere"), "NOT_FOUND"),
        (client().put(server.url("/graphql")), "METHOD_NOT_ALLOWED"),
    ] {
        let request = request.build().unwrap();
        let case = format!("{} {}", request.method(), request.url());
        let answer: Value = in_time(client().execute(request)).await.unwrap().json().await.unwrap();
        assert_codes(&answer["errors"], code, &case);
    }
}

#[tokio::test]
async fn the_schema_that_is_not_told_and_a_full_socket_have_codes() {
    let server = Server::with(|settings| {
        settings.graphql.introspection = false;
        settings.websocket.max_operations = 1;
    })
    .await;
    let response = server.post(&json!({"query": "{ __schema { types { name } } }"})).await;
    let answer: Value = in_time(response.json()).await.unwrap();
    assert_codes(&answer["errors"], "INTROSPECTION_DISABLED", "the schema");
    let mut socket = server.ready_socket(json!({})).await;
    socket.subscribe("1", "subscription { endless }").await;
    socket.subscribe("2", "{ hello }").await;
    assert_codes(&socket.hear().await["payload"], "TOO_MANY_OPERATIONS", "a full socket");
}

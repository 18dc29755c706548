//! What one network gets of each field that needs no session.

use std::time::Duration;

use countersign::{
    graphql::{Caller, ROOT_FIELDS},
    http::TrustedProxies,
};
use serde_json::{Value, json};
use throwaway::report;

use super::{Connection, Service};

const REQUESTS: u32 = 1_000;

/// An operation with this field at its root, as a client sends it; `again` makes its arguments others each time.
fn operation(field: &str, again: u32) -> Value {
    let token = format!("{again:0>43}");
    let (query, input) = match field {
        "loginStatus" => {
            ("query($input: String!) { loginStatus(loginToken: $input) { state } }", json!(token))
        }
        "signup" => (
            "mutation($input: SignupInput!) { signup(input: $input) { errors { code } } }",
            json!({"fullName": "Ada", "email": "nope", "countryCode": "1", "phone": "1", "password": ""}),
        ),
        "login" => (
            "mutation($input: LoginInput!) { login(input: $input) { errors { code } } }",
            json!({"email": format!("a{again}@example.com"), "password": "wrong horse"}),
        ),
        "cancelLogin" => (
            "mutation($input: CancelLoginInput!) { cancelLogin(input: $input) { status { state } } }",
            json!({"loginToken": token}),
        ),
        "verifyToken" => (
            "mutation($input: VerifyTokenInput!) { verifyToken(input: $input) { errors { code } } }",
            json!({"loginToken": token, "code": "1234567"}),
        ),
        "resendToken" => (
            "mutation($input: ResendTokenInput!) { resendToken(input: $input) { errors { code } } }",
            json!({"loginToken": token}),
        ),
        other => panic!("{other} needs no session: say how it is asked for"),
    };
    json!({"query": query, "variables": {"input": input}})
}

/// Sends a field so often, each time from the same address. How often it ran, and how often it was refused.
async fn drive(connection: &mut Connection, field: &str, address: &str) -> (u32, u32) {
    let (mut ran, mut refused) = (0, 0);
    for again in 0..REQUESTS {
        let headers = format!("x-forwarded-for: {address}\r\n");
        let body = operation(field, again).to_string();
        let (status, answer) = connection.post_with(&headers, &body).await;
        let answer: Value = serde_json::from_slice(&answer).unwrap();
        match status {
            200 => ran += 1,
            429 => {
                assert_eq!(answer["errors"][0]["extensions"]["code"], "RATE_LIMITED", "{field}: {answer}");
                refused += 1;
            }
            other => panic!("{field}: {other} {answer}"),
        }
    }
    (ran, refused)
}

#[test]
fn every_field_without_a_session_is_limited_by_network() {
    let service = Service::with(|http| {
        http.trusted_proxies = TrustedProxies(vec!["127.0.0.0/8".parse().unwrap()]);
        // As many as in production, and no further one while this test lasts, however slow the machine is.
        let operations = &mut http.graphql.admission.operations;
        operations.per = Duration::from_hours(24) * operations.count;
    });
    let mut connection = service.runtime.block_on(Connection::open(&service));
    let open = ROOT_FIELDS.iter().filter(|field| field.caller != Caller::Session);
    for (number, field) in open.enumerate() {
        let address = format!("203.0.113.{number}");
        let driven = service.runtime.block_on(drive(&mut connection, field.name, &address));
        report(&format!("{}: {REQUESTS} requests from one address, {} ran", field.name, driven.0));
        assert_eq!(driven, (600, 400), "{}", field.name);
    }
    // Others are not concerned.
    let bystander = service.runtime.block_on(async {
        let body = operation("loginStatus", 0).to_string();
        connection.post_with("x-forwarded-for: 198.51.100.1\r\n", &body).await.0
    });
    assert_eq!(bystander, 200);
}

#[test]
fn fifty_aliases_of_a_field_are_refused_before_any_runs() {
    let service = Service::start(false);
    let mut connection = service.runtime.block_on(Connection::open(&service));
    let field = |number| format!("a{number}: loginStatus(loginToken: \"{number}\") {{ state }} ");
    let fields = (0..50).map(field).collect::<Vec<_>>().concat();
    let (status, answer) = service.runtime.block_on(async {
        let body = json!({"query": format!("{{ {fields} }}")}).to_string();
        connection.post(&body).await
    });
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    assert_eq!(
        (status, &answer["errors"][0]["extensions"]["code"]),
        (400, &json!("BAD_REQUEST")),
        "{answer}"
    );
}

//! A socket that is sent anything: the service goes on, and says why it closes one.

use futures_util::{SinkExt as _, StreamExt as _};
use proptest::{
    collection::vec,
    prelude::*,
    test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner},
};
use tokio_tungstenite::{
    connect_async,
    tungstenite::{Message, client::IntoClientRequest as _, http::HeaderValue},
};

use super::{Connection, Service, generated::document};

const SCRIPTS: u32 = 500;
/// With which the protocol lets a server close, and those of RFC 6455 that a wrong frame calls for.
const CODES: &[u16] = &[1002, 1007, 4400, 4401, 4408, 4409, 4429];

/// Messages: of the protocol, nearly of it, and not at all.
fn message() -> impl Strategy<Value = Message> {
    let id = prop::sample::select(&["\"1\"", "\"2\"", "\"\"", "1", "null"]);
    let kind =
        prop::sample::select(&["subscribe", "next", "complete", "ping", "pong", "connection_ack", "stop"]);
    let payload = prop_oneof![
        Just("{}".to_owned()),
        Just("[]".to_owned()),
        document().prop_map(|query| serde_json::json!({ "query": query }).to_string()),
        Just(r#"{"query":"subscription { loginStatus(loginToken: \"x\") { state } }"}"#.to_owned()),
        Just(r#"{"query":"{ me { id } }","variables":7}"#.to_owned()),
    ];
    let of_the_protocol = (id, kind, payload).prop_map(|(id, kind, payload)| {
        Message::text(format!(r#"{{"id":{id},"type":"{kind}","payload":{payload}}}"#))
    });
    prop_oneof![
        4 => Just(Message::text(r#"{"type":"connection_init"}"#)),
        8 => of_the_protocol,
        1 => ".{0,100}".prop_map(Message::text),
        1 => vec(any::<u8>(), 0..100).prop_map(Message::binary),
        1 => vec(any::<u8>(), 0..100).prop_map(|bytes| Message::Ping(bytes.into())),
    ]
}

/// Says all of it, and then what ends any conversation. Returns the code with which the server closed.
async fn converse(service: &Service, script: Vec<Message>) -> Result<u16, String> {
    let mut request = format!("ws://{}/graphql", service.address).into_client_request().unwrap();
    request.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static("graphql-transport-ws"));
    let (socket, _) = connect_async(request).await.map_err(|error| error.to_string())?;
    let (mut said, mut heard) = socket.split();
    let saying = async move {
        for message in script.into_iter().chain([Message::text("the end")]) {
            if said.send(message).await.is_err() {
                break;
            }
        }
        // It is held until the server has had its say.
        said
    };
    let hearing = async {
        while let Some(message) = heard.next().await {
            match message {
                Ok(Message::Close(Some(frame))) => return Ok(u16::from(frame.code)),
                Ok(Message::Text(text)) if text.contains("\"INTERNAL\"") => return Err(text.to_string()),
                Ok(_) => {}
                Err(error) => return Err(error.to_string()),
            }
        }
        Err("it ended without a word".to_owned())
    };
    let (_said, heard) = tokio::join!(saying, hearing);
    heard
}

#[test]
fn whatever_is_said_on_a_socket_it_is_closed_with_a_reason_and_others_are_served() {
    let service = Service::start(true);
    let config = Config { cases: SCRIPTS, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let ended = runner.run(&vec(message(), 0..12), |script| {
        let code = service.runtime.block_on(converse(&service, script)).map_err(TestCaseError::fail)?;
        prop_assert!(CODES.contains(&code), "closed with {code}");
        Ok(())
    });
    ended.unwrap_or_else(|error| panic!("{error}"));
    let alive = async { Connection::open(&service).await.post(r#"{"query":"{ me { id } }"}"#).await.0 };
    assert_eq!(service.runtime.block_on(alive), 200);
}

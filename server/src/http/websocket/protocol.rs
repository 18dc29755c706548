//! The messages of `graphql-transport-ws`, as graphql-ws' PROTOCOL.md defines them.
//!
//! Only their shape; what they bring about is the connection's. The invariant: what does not have exactly one
//! of the client's shapes is not a message.

use async_graphql::ServerError;
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use serde_json::{Map, Value};

use crate::http::{answer::ExecutionResult, operation::Parameters};

/// What a client may say.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum ClientMessage {
    ConnectionInit {
        #[serde(default)]
        payload: Option<Map<String, Value>>,
    },
    Ping {
        #[serde(default)]
        payload: Option<Map<String, Value>>,
    },
    Pong {
        #[serde(default, rename = "payload")]
        _payload: Option<Map<String, Value>>,
    },
    Subscribe {
        id: OperationId,
        payload: Parameters,
    },
    Complete {
        id: OperationId,
    },
}

/// What the server says.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum ServerMessage<'a> {
    ConnectionAck,
    Pong {
        #[serde(skip_serializing_if = "Option::is_none")]
        payload: Option<Map<String, Value>>,
    },
    Next {
        id: &'a OperationId,
        payload: ExecutionResult<'a>,
    },
    Error {
        id: &'a OperationId,
        payload: &'a [ServerError],
    },
    Complete {
        id: &'a OperationId,
    },
}

/// The client's own name for an operation; never empty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub(super) struct OperationId(Box<str>);

impl OperationId {
    /// How long it may be, in bytes. Clients use numbers or UUIDs.
    pub(super) const MAX_BYTES: usize = 128;

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for OperationId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let id = Box::<str>::deserialize(deserializer)?;
        if id.is_empty() { Err(D::Error::custom("an empty id")) } else { Ok(Self(id)) }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{ClientMessage, ServerMessage};

    fn is_message(value: &serde_json::Value) -> bool {
        serde_json::from_str::<ClientMessage>(&value.to_string()).is_ok()
    }

    #[test]
    fn each_message_of_a_client_is_understood_with_its_optional_parts_left_out_or_null() {
        for message in [
            json!({"type": "connection_init"}),
            json!({"type": "connection_init", "payload": null}),
            json!({"type": "connection_init", "payload": {"authorization": "Bearer x"}}),
            json!({"type": "ping"}),
            json!({"type": "ping", "payload": {"a": 1}}),
            json!({"type": "pong", "payload": null}),
            json!({"type": "subscribe", "id": "1", "payload": {"query": "{ x }"}}),
            json!({"type": "subscribe", "id": "1", "payload": {"query": "{ x }", "operationName": null,
                   "variables": {"a": [1, {"b": null}]}, "extensions": {"c": true}}}),
            json!({"type": "complete", "id": "1"}),
        ] {
            assert!(is_message(&message), "{message}");
        }
    }

    #[test]
    fn anything_else_is_not_a_message() {
        for nonsense in [
            json!(null),
            json!([]),
            json!({}),
            json!({"type": "hello"}),
            json!({"type": "connection_ack"}),
            json!({"type": "next", "id": "1", "payload": {}}),
            json!({"type": "connection_init", "payload": "Bearer x"}),
            json!({"type": "ping", "payload": []}),
            json!({"type": "pong", "payload": 1}),
            json!({"type": "subscribe", "payload": {"query": "{ x }"}}),
            json!({"type": "subscribe", "id": 1, "payload": {"query": "{ x }"}}),
            json!({"type": "subscribe", "id": "", "payload": {"query": "{ x }"}}),
            json!({"type": "subscribe", "id": "1"}),
            json!({"type": "subscribe", "id": "1", "payload": {"query": 1}}),
            json!({"type": "subscribe", "id": "1", "payload": {"query": "{ x }", "variables": "x"}}),
            json!({"type": "complete"}),
            json!({"type": "complete", "id": ""}),
        ] {
            assert!(!is_message(&nonsense), "{nonsense}");
        }
    }

    #[test]
    fn a_pong_without_a_payload_has_no_payload_entry() {
        let pong = serde_json::to_value(ServerMessage::Pong { payload: None }).unwrap();
        assert_eq!(pong, json!({"type": "pong"}));
    }
}

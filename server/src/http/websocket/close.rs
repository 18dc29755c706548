//! Why a socket is closed, and the code and reason that say so.
//!
//! Codes of 4400 and more are the protocol's (graphql-ws, PROTOCOL.md); those below are RFC 6455's.

use axum::extract::ws::{CloseFrame, Utf8Bytes};
use tungstenite::Error;

use super::protocol::OperationId;

/// The longest reason that fits into a close frame beside the code (RFC 6455 §5.5), in bytes.
const MAX_REASON_BYTES: usize = 123;

/// Why the server closes a socket.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Close {
    /// The server shuts down.
    ShuttingDown,
    /// No operation runs, and none has for too long.
    Idle,
    /// The service is full, and this socket has nothing to wait for.
    Evicted,
    /// The peer has not been heard for a whole round of pings.
    Silent,
    /// The frames do not follow RFC 6455.
    Unframed,
    /// A text that is not UTF-8.
    NotUtf8,
    /// Sessions cannot be looked up just now.
    Unavailable,
    /// Not a message of the protocol.
    Nonsense,
    /// `subscribe` with an id of more than [`OperationId::MAX_BYTES`].
    IdTooLong,
    /// A message past the limit.
    TooLarge,
    /// `subscribe` before `connection_ack`.
    NotAcknowledged,
    /// The session that opened the socket is over.
    SessionEnded,
    /// No `connection_init` in time.
    InitTimeout,
    /// `subscribe` with the id of an operation that still runs.
    DuplicateId(OperationId),
    /// `connection_init` for the second time.
    SecondInit,
}

impl Close {
    pub(super) fn code(&self) -> u16 {
        match self {
            Self::ShuttingDown | Self::Silent => 1001,
            // Clients take it for a normal end, and open another socket when they need one.
            Self::Idle => 1000,
            Self::Unframed => 1002,
            Self::NotUtf8 => 1007,
            Self::Unavailable | Self::Evicted => 1013,
            Self::Nonsense | Self::IdTooLong | Self::TooLarge => 4400,
            Self::NotAcknowledged | Self::SessionEnded => 4401,
            Self::InitTimeout => 4408,
            Self::DuplicateId(_) => 4409,
            Self::SecondInit => 4429,
        }
    }

    fn reason(&self) -> String {
        let reason = match self {
            Self::ShuttingDown => "Going away",
            Self::Silent => "No answer to a ping",
            Self::Unframed => "Protocol error",
            Self::NotUtf8 => "Invalid UTF-8",
            Self::Idle => "No operation for too long",
            Self::Unavailable | Self::Evicted => "Try again later",
            Self::Nonsense => "Invalid message",
            Self::IdTooLong => "Operation id longer than 128 bytes",
            Self::TooLarge => "Message too large",
            Self::NotAcknowledged => "Unauthorized",
            Self::SessionEnded => "The session has ended",
            Self::InitTimeout => "Connection initialisation timeout",
            Self::DuplicateId(id) => {
                return format!("Subscriber for {} already exists", shortened(id.as_str()));
            }
            Self::SecondInit => "Too many initialisation requests",
        };
        reason.to_owned()
    }

    /// The frame that tells the peer.
    pub(super) fn frame(&self) -> CloseFrame {
        CloseFrame { code: self.code(), reason: Utf8Bytes::from(self.reason()) }
    }

    /// What an error of the library below calls for; `None`: the connection is gone, and nobody hears.
    pub(super) fn of_error(error: axum::Error) -> Option<Self> {
        match *error.into_inner().downcast::<Error>().ok()? {
            Error::Utf8(_) => Some(Self::NotUtf8),
            Error::Capacity(_) => Some(Self::TooLarge),
            Error::Protocol(tungstenite::error::ProtocolError::ResetWithoutClosingHandshake) => None,
            Error::Protocol(_) => Some(Self::Unframed),
            _ => None,
        }
    }
}

/// As much of an id as leaves room for the sentence around it.
fn shortened(id: &str) -> &str {
    const SENTENCE: usize = "Subscriber for  already exists".len();
    &id[..id.floor_char_boundary(MAX_REASON_BYTES - SENTENCE)]
}

#[cfg(test)]
mod tests {
    use super::{Close, MAX_REASON_BYTES};

    #[test]
    fn the_reason_for_a_duplicate_id_fits_into_its_frame_however_long_the_id_is() {
        for id in ["a".repeat(4_000), "ä".repeat(4_000)] {
            let id = serde_json::from_value(serde_json::Value::from(id)).unwrap();
            let frame = Close::DuplicateId(id).frame();
            assert!(frame.reason.len() <= MAX_REASON_BYTES);
            assert!(frame.reason.ends_with(" already exists"));
        }
    }
}

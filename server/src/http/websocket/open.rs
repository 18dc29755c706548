//! Sockets, counted.

use metrics::{SharedString, counter, gauge};

use super::close::Close;

/// A socket that is open; counted as ended when it is dropped.
pub(super) struct OpenSocket {
    /// What the service said in the end. What a peer says is its own affair, and no label.
    code: Option<u16>,
}

impl OpenSocket {
    pub(super) fn begin() -> Self {
        gauge!("countersign_sockets_open").increment(1);
        Self { code: None }
    }

    /// The service is about to close it.
    pub(super) fn close(&mut self, close: &Close) {
        self.code = Some(close.code());
    }
}

impl Drop for OpenSocket {
    fn drop(&mut self) {
        gauge!("countersign_sockets_open").decrement(1);
        let code = self.code.map_or(SharedString::const_str("gone"), |code| code.to_string().into());
        counter!("countersign_sockets_ended_total", "code" => code).increment(1);
    }
}

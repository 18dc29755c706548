//! What waits to be written to a socket.
//!
//! Not a queue that grows: the connection neither hears nor tells further while anything waits here, so it
//! holds a message or two. The invariant: a write that is abandoned half-way loses nothing.

use std::{collections::VecDeque, future::poll_fn, task::ready};

use axum::extract::ws::{Message, WebSocket};
use futures_util::{SinkExt as _, stream::SplitSink};

/// The writing half of a socket, and what waits for it.
pub(super) struct Outgoing {
    sink: SplitSink<WebSocket, Message>,
    waiting: VecDeque<Message>,
    /// Whether something may still lie in a buffer below.
    is_unflushed: bool,
}

impl Outgoing {
    pub(super) fn new(sink: SplitSink<WebSocket, Message>) -> Self {
        Self { sink, waiting: VecDeque::new(), is_unflushed: false }
    }

    /// Puts a message behind those that wait.
    pub(super) fn push(&mut self, message: Message) {
        self.waiting.push_back(message);
        self.is_unflushed = true;
    }

    /// The library below answers by itself (pongs, the echo of a close); those answers want to be written too.
    pub(super) fn flush_needed(&mut self) {
        self.is_unflushed = true;
    }

    /// Whether the system has taken everything.
    pub(super) fn is_flushed(&self) -> bool {
        !self.is_unflushed
    }

    /// Writes everything. May be dropped and called again.
    pub(super) async fn flush(&mut self) -> Result<(), axum::Error> {
        poll_fn(|context| {
            while !self.waiting.is_empty() {
                ready!(self.sink.poll_ready_unpin(context))?;
                if let Some(message) = self.waiting.pop_front() {
                    self.sink.start_send_unpin(message)?;
                }
            }
            ready!(self.sink.poll_flush_unpin(context))?;
            self.is_unflushed = false;
            // It is empty most of the time, on most of the sockets.
            self.waiting.shrink_to_fit();
            std::task::Poll::Ready(Ok(()))
        })
        .await
    }
}

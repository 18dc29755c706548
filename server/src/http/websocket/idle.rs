//! Whether a socket has anything to do, and since when it has not.
//!
//! No timer of its own: the socket looks at it with each ping.

use std::sync::Arc;

use tokio::time::Instant;

use crate::http::{activity::Busy, listener::ConnectionGuard, settings::WebSocketSettings};

/// The state of one socket between its operations.
pub(super) struct Idleness {
    guard: Option<Arc<ConnectionGuard>>,
    state: State,
}

enum State {
    /// It never had an operation, since it was opened.
    Unused(Instant),
    /// An operation runs; the connection does not give way to others.
    Busy { _connection: Option<Busy> },
    /// The last operation ended then.
    Idle(Instant),
}

impl Idleness {
    pub(super) fn begin(guard: Option<Arc<ConnectionGuard>>) -> Self {
        Self { guard, state: State::Unused(Instant::now()) }
    }

    /// Notes whether operations run.
    pub(super) fn note(&mut self, has_operations: bool) {
        match (&self.state, has_operations) {
            (State::Busy { .. }, false) => self.state = State::Idle(Instant::now()),
            (State::Unused(_) | State::Idle(_), true) => {
                let connection = self.guard.as_ref().map(|guard| guard.entry.activity.busy());
                self.state = State::Busy { _connection: connection };
            }
            _ => {}
        }
    }

    /// Whether the socket has had nothing to do for too long.
    pub(super) fn is_overdue(&self, settings: &WebSocketSettings) -> bool {
        match self.state {
            State::Unused(since) => since.elapsed() >= settings.first_operation_timeout,
            State::Idle(since) => since.elapsed() >= settings.idle_timeout,
            State::Busy { .. } => false,
        }
    }

    /// Completes when the connection has to end to make room.
    pub(super) async fn evicted(&self) {
        match &self.guard {
            Some(guard) => guard.entry.activity.evicted().await,
            None => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::advance;

    use super::{Idleness, WebSocketSettings};

    #[tokio::test(start_paused = true)]
    async fn a_socket_is_overdue_thirty_seconds_after_it_was_opened_or_five_minutes_after_its_last_operation()
    {
        let settings = WebSocketSettings::default();
        let mut idleness = Idleness::begin(None);
        idleness.note(false);
        advance(Duration::from_secs(29)).await;
        assert!(!idleness.is_overdue(&settings));
        advance(Duration::from_secs(1)).await;
        assert!(idleness.is_overdue(&settings));
        idleness.note(true);
        advance(Duration::from_hours(1)).await;
        assert!(!idleness.is_overdue(&settings));
        idleness.note(false);
        advance(Duration::from_secs(299)).await;
        idleness.note(false);
        assert!(!idleness.is_overdue(&settings));
        advance(Duration::from_secs(1)).await;
        assert!(idleness.is_overdue(&settings));
    }
}

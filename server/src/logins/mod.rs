//! Logins, signups and confirmations: the approvals that people start, and the session that an approved login opens.
//!
//! The machinery is [`Approvals`]. This module says what approving each of them does, derives session and device tokens, and writes
//! the texts of pushes.

mod code_attempts;
mod push_text;
mod session;
mod start;

use std::sync::Arc;

pub use session::OpenSession;
pub use start::{ClientInfo, StartedLogin};

use tokio_util::task::TaskTracker;

use crate::{approvals::Approvals, audit::Attempts, clock::Clock, model::EmailKey, storage::Store};

/// Logins. Clones share everything.
#[derive(Clone)]
pub struct Logins {
    /// The approvals of all purposes.
    pub approvals: Arc<Approvals>,
    store: Store,
    attempts: Attempts,
    email_key: EmailKey,
}

impl Logins {
    /// Joins the parts. `tasks` runs what no request waits for.
    #[must_use]
    pub fn new(
        approvals: Arc<Approvals>,
        store: Store,
        clock: Clock,
        tasks: TaskTracker,
        email_key: EmailKey,
    ) -> Self {
        let attempts = Attempts::new(store.clone(), clock, tasks);
        Self { approvals, store, attempts, email_key }
    }
}

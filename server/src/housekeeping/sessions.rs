//! Deletes sessions `SESSION_RETENTION` after their `SESSION_TTL`.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{Retention, delete_older, every_minute};
use crate::{
    background::{Schedule, Task, TaskError},
    storage::Store,
};

/// Deletes sessions `SESSION_RETENTION` after their `SESSION_TTL`.
pub struct DeleteSessions {
    /// Storage.
    pub store: Store,
    /// How long rows are kept.
    pub retention: Retention,
}

#[async_trait]
impl Task for DeleteSessions {
    fn schedule(&self) -> Schedule {
        every_minute("delete_sessions")
    }

    async fn run(&mut self, now: DateTime<Utc>) -> Result<(), TaskError> {
        delete_older("sessions", now, self.retention.session_retention, |before, limit| {
            self.store.remove_sessions(before, limit)
        })
        .await
    }
}

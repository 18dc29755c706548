//! Deletes the lines of audit trails after `EVENT_RETENTION`.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{Retention, delete_older, every_minute};
use crate::{
    background::{Schedule, Task, TaskError},
    storage::Store,
};

/// Deletes the lines of audit trails after `EVENT_RETENTION`.
pub struct DeleteAccountEvents {
    /// Storage.
    pub store: Store,
    /// How long rows are kept.
    pub retention: Retention,
}

#[async_trait]
impl Task for DeleteAccountEvents {
    fn schedule(&self) -> Schedule {
        every_minute("delete_account_events")
    }

    async fn run(&mut self, now: DateTime<Utc>) -> Result<(), TaskError> {
        delete_older("account_events", now, self.retention.event_retention, |before, limit| {
            self.store.remove_account_events(before, limit)
        })
        .await
    }
}

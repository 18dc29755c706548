//! Deletes the counts of failed attempts after a week.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{delete_older, every_minute};
use crate::{
    background::{Schedule, Task, TaskError},
    storage::Store,
};

/// Strangers decide how many attempts there are: their counts are kept less long than the audit trail.
const KEPT_FOR: Duration = Duration::from_hours(7 * 24);

/// Deletes the counts of failed attempts after a week.
pub struct DeleteFailedAttempts {
    /// Storage.
    pub store: Store,
}

#[async_trait]
impl Task for DeleteFailedAttempts {
    fn schedule(&self) -> Schedule {
        every_minute("delete_failed_attempts")
    }

    async fn run(&mut self, now: DateTime<Utc>) -> Result<(), TaskError> {
        delete_older("failed_attempts", now, KEPT_FOR, |before, limit| {
            self.store.remove_failed_attempts(before, limit)
        })
        .await
    }
}

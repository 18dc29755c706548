//! Deletes approvals of any purpose `LOGIN_RETENTION` after their end, with what belongs to them.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{Retention, delete_older, every_minute};
use crate::{
    background::{Schedule, Task, TaskError},
    storage::Store,
};

/// Deletes approvals of any purpose `LOGIN_RETENTION` after their end, with what belongs to them.
pub struct DeleteApprovals {
    /// Storage.
    pub store: Store,
    /// How long rows are kept.
    pub retention: Retention,
}

#[async_trait]
impl Task for DeleteApprovals {
    fn schedule(&self) -> Schedule {
        every_minute("delete_approvals")
    }

    async fn run(&mut self, now: DateTime<Utc>) -> Result<(), TaskError> {
        delete_older("approvals", now, self.retention.login_retention, |before, limit| {
            self.store.remove_approvals(before, limit)
        })
        .await
    }
}

//! Deletes used codes after a day.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{delete_older, every_minute};
use crate::{
    background::{Schedule, Task, TaskError},
    storage::Store,
};

/// No provider accepts a code of its app for as long.
const KEPT_FOR: Duration = Duration::from_hours(24);

/// Deletes used codes after a day.
pub struct DeleteUsedCodes {
    /// Storage.
    pub store: Store,
}

#[async_trait]
impl Task for DeleteUsedCodes {
    fn schedule(&self) -> Schedule {
        every_minute("delete_used_codes")
    }

    async fn run(&mut self, now: DateTime<Utc>) -> Result<(), TaskError> {
        delete_older("used_codes", now, KEPT_FOR, |before, limit| self.store.remove_used_codes(before, limit))
            .await
    }
}

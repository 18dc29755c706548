//! Deletes the counts of SMS conversion once no decision reads them.

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};

use super::every_minute;
use crate::{
    background::{Schedule, Task, TaskError},
    storage::Store,
};

/// Decisions read the counts of one day.
const KEPT_FOR: TimeDelta = TimeDelta::hours(48);

/// Deletes the counts of SMS conversion once no decision reads them.
pub struct DeleteSmsConversions {
    /// Storage.
    pub store: Store,
}

#[async_trait]
impl Task for DeleteSmsConversions {
    fn schedule(&self) -> Schedule {
        every_minute("delete_sms_conversions")
    }

    async fn run(&mut self, now: DateTime<Utc>) -> Result<(), TaskError> {
        self.store.remove_code_returns(now - KEPT_FOR).await?;
        Ok(())
    }
}

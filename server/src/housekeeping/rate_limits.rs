//! Deletes rate limits of which nothing is used up.
//!
//! No index finds them, because each attempt would have to write it. The task reads the table a part at a time, in the order of its keys,
//! and more of it while many of the rows that it reads can be deleted.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use tokio::time::sleep;

use super::{BATCH, PAUSE, every_minute};
use crate::{
    background::{Schedule, Task, TaskError},
    model::BudgetKey,
    storage::Store,
};

/// How many rows a run reads of a table in which few can be deleted.
const READ_EACH_TIME: i64 = 20_000;
/// A run goes on past that while at least one row in so many can be deleted.
const ONE_IN: usize = 4;

/// Deletes rate limits of which nothing is used up.
pub struct DeleteRateLimits {
    store: Store,
    /// The key that the last run ended at; `None`: the next run begins with the first key.
    last: Option<BudgetKey>,
}

impl DeleteRateLimits {
    /// Joins its parts.
    #[must_use]
    pub const fn new(store: Store) -> Self {
        Self { store, last: None }
    }
}

#[async_trait]
impl Task for DeleteRateLimits {
    fn schedule(&self) -> Schedule {
        every_minute("delete_rate_limits")
    }

    async fn run(&mut self, now: DateTime<Utc>) -> Result<(), TaskError> {
        let (mut read, mut deleted) = (0, 0);
        loop {
            let batch = self.store.remove_full_budgets(self.last.as_ref(), now, BATCH).await?;
            read += BATCH;
            deleted += batch.removed;
            self.last = batch.last;
            let are_many =
                batch.removed.saturating_mul(ONE_IN) >= usize::try_from(BATCH).unwrap_or(usize::MAX);
            if self.last.is_none() || (read >= READ_EACH_TIME && !are_many) {
                break;
            }
            sleep(PAUSE).await;
        }
        if deleted > 0 {
            tracing::debug!(table = "rate_limits", deleted, "old rows deleted");
        }
        Ok(())
    }
}

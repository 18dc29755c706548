//! Deadlines: one timer for all logins. What is overdue ends, and what nobody may read any more is erased.
//!
//! A login with an open push is not ended here but asked about at its deadline (`ask`), unless nobody could be asked until
//! its grace was over. Instances share the work: each claims what it ends.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::{StreamExt, stream};

use super::{AWAY, Approvals, metrics::Source};
use crate::{
    background::{Schedule, Task, TaskError},
    model::{ApprovalId, Decision},
    storage::{OverdueClaim, StoreError},
};

/// For how long past its deadline a login waits for a provider that does not say how its push stands.
pub(super) const GRACE: TimeDelta = TimeDelta::seconds(30);
/// How many overdue logins are claimed at once.
const BATCH: i64 = 200;
/// How many are ended at once.
const AT_ONCE: usize = 16;
/// After this, what an instance has claimed and not ended is anybody's.
const LEASE: TimeDelta = TimeDelta::seconds(10);
/// From one look at what others are at to the next.
const PATIENCE: TimeDelta = TimeDelta::seconds(1);
/// The longest time without a run: then it finds what other instances started and did not live to end.
const EVERY: Duration = Duration::from_secs(5);

/// The background task that ends approvals at their deadline.
pub struct ExpireApprovals {
    approvals: Approvals,
    /// Since when the database has answered without a break: before, nobody could ask or be heard.
    answering_since: Option<DateTime<Utc>>,
}

#[async_trait]
impl Task for ExpireApprovals {
    fn schedule(&self) -> Schedule {
        Schedule::every(EVERY, "expire_approvals").retried_after(AWAY)
    }

    async fn run(&mut self, now: DateTime<Utc>) -> Result<(), TaskError> {
        let answering_since = self.answering_since.take().unwrap_or(now);
        if let Some(next) = self.approvals.expire_overdue(now, answering_since).await? {
            self.approvals.deadline.set(next);
        }
        self.answering_since = Some(answering_since);
        Ok(())
    }

    async fn woken(&mut self) {
        self.approvals.deadline.wait(&self.approvals.clock).await;
    }
}

impl Approvals {
    /// Returns the background task that ends approvals at their deadline.
    #[must_use]
    pub fn expiring(&self) -> ExpireApprovals {
        ExpireApprovals { approvals: self.clone(), answering_since: None }
    }

    /// Ends what is overdue. Returns when to look again.
    async fn expire_overdue(
        &self,
        now: DateTime<Utc>,
        answering_since: DateTime<Utc>,
    ) -> Result<Option<DateTime<Utc>>, StoreError> {
        let had_time = answering_since + GRACE <= now && self.retry_queue.is_empty();
        let unheard_before = had_time.then(|| now - GRACE);
        let claim = OverdueClaim { now, unheard_before, leased_until: now + LEASE, limit: BATCH };
        let overdue = self.store.claim_overdue(&claim).await?;
        let ended = overdue.len();
        stream::iter(overdue)
            .for_each_concurrent(AT_ONCE, async |id: ApprovalId| self.expire(id).await)
            .await;
        let stopped = match unheard_before {
            Some(before) => self.stop_polling(now, before).await?,
            None => 0,
        };
        let forgotten = self.store.forget_login_tokens(now, BATCH).await?;
        let is_whole_batch = |count: usize| i64::try_from(count).is_ok_and(|count| count >= BATCH);
        if [ended, stopped, forgotten].into_iter().any(is_whole_batch) {
            return Ok(Some(now));
        }
        let next = self.store.next_deadline(GRACE).await?;
        // One that has passed is in other hands.
        Ok(next.map(|next| if next > now { next } else { now + PATIENCE }))
    }

    /// Ends the polling of settled approvals. Returns the largest number of one provider.
    async fn stop_polling(
        &self,
        now: DateTime<Utc>,
        unheard_before: DateTime<Utc>,
    ) -> Result<usize, StoreError> {
        let mut most = 0;
        for polling in self.polling.iter() {
            let stopped = self.store.stop_polling(polling.provider(), now, unheard_before, BATCH).await?;
            most = most.max(stopped);
        }
        Ok(most)
    }

    async fn expire(&self, id: ApprovalId) {
        if let Err(error) = self.settle(id, Decision::Deadline, Source::Elsewhere).await {
            tracing::warn!(login.id = %id, %error, "a login was not ended at its deadline");
        }
    }
}

//! Deadlines: one timer for all logins. What is overdue ends, and what nobody may read any more is erased.
//!
//! A login with an open push is not ended here but asked about at its deadline (`ask`), unless nobody could be asked until
//! its grace was over. Instances share the work: each claims what it ends.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::{StreamExt, stream};

use super::{AWAY, Logins};
use crate::{
    model::{Decision, LoginId},
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
/// Deadlines that follow each other more closely are met together.
const BREATH: Duration = Duration::from_millis(50);

impl Logins {
    /// Ends logins at their deadline, until it is dropped.
    pub(super) async fn keep_expiring(self) {
        loop {
            match self.expire_overdue().await {
                Ok(Some(next)) => self.deadline.set(next),
                Ok(None) => {}
                Err(error) => {
                    tracing::warn!(%error, "deadlines cannot be read");
                    tokio::time::sleep(AWAY).await;
                    continue;
                }
            }
            tokio::time::sleep(BREATH).await;
            self.deadline.ring(&self.clock).await;
        }
    }

    /// Ends what is overdue. Returns when to look again.
    async fn expire_overdue(&self) -> Result<Option<DateTime<Utc>>, StoreError> {
        let now = self.clock.now();
        let claim = OverdueClaim { now, grace: GRACE, leased_until: now + LEASE, limit: BATCH };
        let overdue = self.store.claim_overdue(&claim).await?;
        let there_may_be_more = i64::try_from(overdue.len()).is_ok_and(|claimed| claimed >= BATCH);
        stream::iter(overdue).for_each_concurrent(AT_ONCE, async |id: LoginId| self.expire(id).await).await;
        self.store.erase_salts(now, BATCH).await?;
        if there_may_be_more {
            return Ok(Some(now));
        }
        let next = self.store.next_deadline(GRACE).await?;
        // One that has passed is in other hands.
        Ok(next.map(|next| if next > now { next } else { now + PATIENCE }))
    }

    async fn expire(&self, id: LoginId) {
        if let Err(error) = self.decide(id, Decision::Deadline, None).await {
            tracing::warn!(login.id = %id, %error, "a login was not ended at its deadline");
        }
    }
}

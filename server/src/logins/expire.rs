//! Deadlines: one timer for all logins. What is overdue ends, and what nobody may read any more is erased.

use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::{StreamExt, stream};

use super::Logins;
use crate::{
    model::Decision,
    storage::{OpenLogin, StoreError},
};

/// How many overdue logins are read at once.
const BATCH: i64 = 200;
/// How many are ended at once.
const AT_ONCE: usize = 16;
/// How long to wait for a database that is away.
const AWAY: Duration = Duration::from_secs(1);

impl Logins {
    /// Ends every login at its deadline, until it is dropped.
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
            self.deadline.ring(&self.clock).await;
        }
    }

    /// Ends what is overdue. Returns the next deadline.
    async fn expire_overdue(&self) -> Result<Option<DateTime<Utc>>, StoreError> {
        let now = self.clock.now();
        let mut overdue = self.store.overdue_logins(now, BATCH).await?;
        // Those that need no asking first: they need not wait for the provider.
        overdue.sort_by_key(|login| login.open_push.is_some());
        let ended: Vec<Result<(), StoreError>> = stream::iter(overdue)
            .map(async |login| self.expire(&login).await)
            .buffer_unordered(AT_ONCE)
            .collect()
            .await;
        self.store.erase_salts(now).await?;
        ended.into_iter().collect::<Result<(), StoreError>>()?;
        self.store.next_deadline().await
    }

    /// Ends one login. Where a push is open, the provider is asked once more: an approval given in time counts.
    async fn expire(&self, login: &OpenLogin) -> Result<(), StoreError> {
        if let Some(push) = &login.open_push {
            // Bounded: while the provider asks for a pause, deadlines still hold.
            let _ = tokio::time::timeout(self.settings.provider_timeout, self.pace.turn()).await;
            self.ask_provider(login.id, push).await?;
        }
        self.decide(login.id, Decision::Deadline, None).await?;
        Ok(())
    }
}

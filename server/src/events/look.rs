//! Looking for what changed, for those whose hint was lost: one indexed query every few seconds, whoever watches.

use std::{future::Future, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};

use super::{Events, Topic, Waking};
use crate::{clock::Clock, storage::StoreError};

/// How often an instance looks.
const EVERY: Duration = Duration::from_secs(3);
/// How soon it looks again where hints may have been lost: others reconnect at the same moment.
const SOONEST: Duration = Duration::from_millis(200);
/// By how much one look overlaps the one before: a change is dated when it begins, by the clock of the instance that
/// makes it, and seen when it is committed; in between it may wait for a connection and for locks.
const OVERLAP: TimeDelta = TimeDelta::seconds(30);

/// Something that changes, and can be asked what changed.
pub trait Changed: Send + Sync {
    /// What has changed since then.
    fn changed_since(
        &self,
        since: DateTime<Utc>,
    ) -> impl Future<Output = Result<Vec<Topic>, StoreError>> + Send;
}

impl Events {
    /// Wakes watchers whose hint was lost, until it is dropped.
    ///
    /// The first look goes back to when watching became possible; one that fails is made good by the next.
    pub async fn keep_looking(&self, clock: &Clock, changed: &impl Changed) {
        let mut missed = self.local.missed.subscribe();
        let mut since = clock.now();
        loop {
            tokio::select! {
                () = tokio::time::sleep(EVERY) => {}
                _ = missed.changed() => tokio::time::sleep(SOONEST).await,
            }
            let now = clock.now();
            if self.is_idle() {
                since = now;
                continue;
            }
            match changed.changed_since(since - OVERLAP).await {
                Ok(topics) => {
                    for topic in topics {
                        self.local.wake(topic, Waking::Look);
                    }
                    since = now;
                }
                Err(error) => tracing::warn!(%error, "what changed cannot be read"),
            }
        }
    }
}

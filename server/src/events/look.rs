//! Looking for what changed, for those whose hint was lost: one indexed query every few seconds, whoever watches.

use std::{collections::HashMap, future::Future, mem, time::Duration};

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

/// What has changed, and a number that no earlier change of it had.
pub type Change = (Topic, i32);

/// Something that changes, and can be asked what changed.
pub trait Changed: Send + Sync {
    /// What has changed since then.
    fn changed_since(
        &self,
        since: DateTime<Utc>,
    ) -> impl Future<Output = Result<Vec<Change>, StoreError>> + Send;
}

/// What the look before found. Looks overlap, and whoever was woken for a change has read it.
#[derive(Default)]
struct Found(HashMap<Topic, i32>);

impl Found {
    /// What of this look was not found by the one before.
    fn news(&mut self, changes: Vec<Change>) -> Vec<Topic> {
        let before = mem::replace(&mut self.0, changes.iter().copied().collect());
        let is_news = |(topic, number): &Change| before.get(topic) != Some(number);
        changes.into_iter().filter(is_news).map(|(topic, _)| topic).collect()
    }
}

impl Events {
    /// Wakes watchers whose hint was lost, until it is dropped.
    ///
    /// The first look goes back to when watching became possible; one that fails is made good by the next.
    pub async fn keep_looking(&self, clock: &Clock, changed: &impl Changed) {
        let mut missed = self.local.missed.subscribe();
        let (mut since, mut found) = (clock.now(), Found::default());
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
                Ok(look) => {
                    for topic in found.news(look) {
                        self.local.wake(topic, Waking::Look);
                    }
                    since = now;
                }
                Err(error) => tracing::warn!(%error, "what changed cannot be read"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{model::ApprovalId, random};

    #[test]
    fn a_change_that_several_looks_find_is_news_once() {
        let topic = || Topic::Approval(ApprovalId::new(random::id(DateTime::UNIX_EPOCH)));
        let (one, other) = (topic(), topic());
        let mut found = Found::default();
        assert_eq!(found.news(vec![(one, 1)]), [one]);
        assert_eq!(found.news(vec![(one, 1), (other, 1)]), [other]);
        assert_eq!(found.news(vec![(one, 2), (other, 1)]), [one]);
        assert_eq!(found.news(Vec::new()), []);
        assert_eq!(found.0.len(), 0, "what no look finds any more is forgotten");
    }
}

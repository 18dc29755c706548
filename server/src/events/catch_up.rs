//! Catch-up queries, for watchers whose hint was lost: one indexed query every few seconds, whoever watches.

use std::{collections::HashMap, future::Future, mem, time::Duration};

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::watch;

use super::{Events, Topic, Waking};
use crate::{
    background::{Schedule, Task, TaskError},
    storage::StoreError,
};

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
pub trait Changed: Send + Sync + 'static {
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

/// The background task that wakes watchers whose hint was lost.
pub struct CatchUp<Source> {
    name: &'static str,
    events: Events,
    source: Source,
    missed: watch::Receiver<()>,
    /// When the last query that succeeded was made, or else the first one.
    since: Option<DateTime<Utc>>,
    found: Found,
}

impl Events {
    /// Returns the background task that wakes watchers of what changed in `source`. A query that fails is made good by the next.
    pub fn catch_up<Source: Changed>(&self, name: &'static str, source: Source) -> CatchUp<Source> {
        let (events, missed) = (self.clone(), self.local.missed.subscribe());
        CatchUp { name, events, source, missed, since: None, found: Found::default() }
    }
}

#[async_trait]
impl<Source: Changed> Task for CatchUp<Source> {
    fn schedule(&self) -> Schedule {
        Schedule::every(EVERY, self.name).in_machine_time().not_at_start()
    }

    async fn run(&mut self, now: DateTime<Utc>) -> Result<(), TaskError> {
        // The overlap goes back to before the start.
        let since = *self.since.get_or_insert(now);
        if !self.events.is_idle() {
            let changes = self.source.changed_since(since - OVERLAP).await?;
            for topic in self.found.news(changes) {
                self.events.local.wake(topic, Waking::Look);
            }
        }
        self.since = Some(now);
        Ok(())
    }

    /// Hints may have been lost. The others reconnect at the same moment.
    async fn woken(&mut self) {
        let Ok(()) = self.missed.changed().await else { return std::future::pending().await };
        tokio::time::sleep(SOONEST).await;
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

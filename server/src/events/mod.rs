//! Who watches what. A hint that something changed, never what: whoever is woken reads again.
//!
//! Waking the watchers of one login costs the same however many others are watched. A hint may be lost, repeated or
//! merged with the next; nothing may depend on it but how soon somebody notices. Between instances hints travel through
//! PostgreSQL (`notify`) or NATS (`nats`); what gets lost there is looked for (`catch_up`).

mod catch_up;
mod nats;
mod notify;
mod topic;

use std::sync::Arc;

use dashmap::{DashMap, Entry};
use metrics::{counter, gauge};
use tokio::sync::watch;

pub use catch_up::{CatchUp, Change, Changed};
pub use nats::NatsUrl;
pub use topic::Topic;

use self::{nats::Nats, notify::Notify};
use crate::storage::Store;

/// How hints reach other instances.
#[derive(Clone, Debug)]
pub enum Transport {
    /// As the database does it: not at all with SQLite, which one process has for itself; by NOTIFY with PostgreSQL.
    Database,
    /// Through NATS, one subject for each topic.
    Nats(NatsUrl),
}

/// Watchers, here and on other instances. Clones share them.
#[derive(Clone, Debug)]
pub struct Events {
    local: Local,
    relay: Relay,
}

/// One watcher; dropping it ends the watch.
#[derive(Debug)]
pub struct Watcher {
    events: Events,
    topic: Topic,
    /// Which one of its topic it is.
    number: u64,
    /// Taken when it is dropped.
    changes: Option<watch::Receiver<Signal>>,
    /// The signal that it was last woken with.
    seen: Signal,
}

/// The number of a watcher that counts against no limit.
const NEVER_SUPERSEDED: u64 = u64::MAX;

/// What the watchers of a topic wait for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Signal {
    /// How many hints there were.
    hints: u64,
    /// How many looks found a change.
    looks: u64,
    /// Watchers with a lower number are superseded.
    lowest_number: u64,
}

/// A topic that is watched.
#[derive(Debug, Default)]
struct Watched {
    signal: watch::Sender<Signal>,
    /// The number of the next watcher.
    next_number: u64,
    /// The watchers that count against a limit, the oldest first.
    limited: Vec<u64>,
}

/// What wakes a watcher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waking {
    /// Somebody said that something has changed.
    Hint,
    /// Nobody did, and it was looked for.
    Look,
    /// Newer watchers of the same topic have taken all places: this watch is over.
    Superseded,
}

/// The watchers of this process.
#[derive(Clone, Debug)]
struct Local {
    topics: Arc<DashMap<Topic, Watched>>,
    /// Moves when hints may have been lost.
    missed: Arc<watch::Sender<()>>,
}

/// What tells other instances. Never waits: a hint that finds no room is lost.
#[derive(Clone, Debug)]
enum Relay {
    Nobody,
    Postgres(Notify),
    Nats(Nats),
}

/// The work of carrying hints between instances.
pub struct Carrier {
    relay: Carrying,
}

enum Carrying {
    Nothing,
    Postgres(notify::Carrier),
    Nats(nats::Carrier),
}

impl Waking {
    /// Counts a change that a watcher has learnt of, by how.
    pub fn count_learnt(self) {
        let by = match self {
            Self::Hint => "hint",
            Self::Look => "look",
            Self::Superseded => return,
        };
        counter!("countersign_changes_learnt_total", "by" => by).increment(1);
    }
}

/// Counts hints to other instances that are on their way.
fn count_sent(hints: usize) {
    counter!("countersign_hints_sent_total").increment(u64::try_from(hints).unwrap_or(u64::MAX));
}

/// Counts hints that other instances will not hear.
fn count_lost(hints: usize) {
    counter!("countersign_hints_lost_total").increment(u64::try_from(hints).unwrap_or(u64::MAX));
}

impl Default for Local {
    fn default() -> Self {
        Self { topics: Arc::default(), missed: Arc::new(watch::Sender::new(())) }
    }
}

impl Local {
    fn wake(&self, topic: Topic, waking: Waking) {
        if let Some(watched) = self.topics.get(&topic) {
            watched.signal.send_modify(|signal| match waking {
                Waking::Hint => signal.hints += 1,
                Waking::Look => signal.looks += 1,
                Waking::Superseded => {}
            });
        }
    }

    /// Another instance says that this has changed.
    fn hear(&self, topic: Topic) {
        counter!("countersign_hints_heard_total").increment(1);
        self.wake(topic, Waking::Hint);
    }

    /// Hints may have been lost: somebody has to look.
    fn may_have_missed(&self) {
        counter!("countersign_hints_missed_total").increment(1);
        self.missed.send_replace(());
    }
}

impl Events {
    /// Events of one process, told to nobody else.
    #[must_use]
    pub fn in_process() -> Self {
        Self { local: Local::default(), relay: Relay::Nobody }
    }

    /// Events of one of several instances. Nothing is carried until the carrier runs.
    #[must_use]
    pub fn over(transport: Transport, store: &Store) -> (Self, Carrier) {
        let local = Local::default();
        let (relay, carrying) = match transport {
            Transport::Nats(url) => {
                let (nats, carrier) = nats::new(url, local.clone());
                (Relay::Nats(nats), Carrying::Nats(carrier))
            }
            Transport::Database if store.is_shared() => {
                let (notify, carrier) = notify::new(store.clone(), local.clone());
                (Relay::Postgres(notify), Carrying::Postgres(carrier))
            }
            Transport::Database => (Relay::Nobody, Carrying::Nothing),
        };
        (Self { local, relay }, Carrier { relay: carrying })
    }

    /// Watches a topic from now on. Watch first, then read: then nothing is missed.
    #[must_use]
    pub fn watch(&self, topic: Topic) -> Watcher {
        self.watch_within(topic, None)
    }

    /// Watches a topic as one of `limit` watchers of this instance at most: the next one supersedes the oldest.
    #[must_use]
    pub fn watch_as_one_of(&self, limit: usize, topic: Topic) -> Watcher {
        self.watch_within(topic, Some(limit))
    }

    fn watch_within(&self, topic: Topic, limit: Option<usize>) -> Watcher {
        // The entry is held while the relay is told, so that it hears of watches in the order in which they began and
        // ended.
        let (number, changes) = match self.local.topics.entry(topic) {
            Entry::Occupied(mut entry) => entry.get_mut().join(limit),
            Entry::Vacant(entry) => {
                let mut watched = entry.insert(Watched::default());
                gauge!("countersign_topics_watched").increment(1);
                if let Relay::Nats(nats) = &self.relay {
                    nats.watched(topic);
                }
                watched.join(limit)
            }
        };
        let seen = *changes.borrow();
        Watcher { events: self.clone(), topic, number, changes: Some(changes), seen }
    }

    /// Wakes the watchers of a topic, here and on other instances.
    pub fn publish(&self, topic: Topic) {
        self.local.wake(topic, Waking::Hint);
        match &self.relay {
            Relay::Nobody => {}
            Relay::Postgres(notify) => notify.tell(topic),
            Relay::Nats(nats) => nats.tell(topic),
        }
    }

    /// Whether anybody watches anything.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.local.topics.is_empty()
    }
}

impl Carrier {
    /// Carries hints until it is dropped.
    pub async fn run(self) {
        match self.relay {
            Carrying::Nothing => std::future::pending().await,
            Carrying::Postgres(carrier) => carrier.run().await,
            Carrying::Nats(carrier) => carrier.run().await,
        }
    }
}

impl Watched {
    /// Adds a watcher: its number, and what it waits for.
    fn join(&mut self, limit: Option<usize>) -> (u64, watch::Receiver<Signal>) {
        let Some(limit) = limit else { return (NEVER_SUPERSEDED, self.signal.subscribe()) };
        let number = self.next_number;
        self.next_number += 1;
        self.limited.push(number);
        if self.limited.len() > limit {
            self.limited.remove(0);
            let lowest_number = self.limited.first().copied().unwrap_or(number);
            self.signal.send_modify(|signal| signal.lowest_number = lowest_number);
        }
        (number, self.signal.subscribe())
    }
}

impl Watcher {
    /// Returns when something has changed since the watch began or since this last returned, or when it is superseded.
    pub async fn changed(&mut self) -> Waking {
        let Some(changes) = &mut self.changes else { return std::future::pending().await };
        loop {
            if changes.changed().await.is_err() {
                // The entry was removed although it is watched, which `drop` never does.
                std::future::pending::<()>().await;
            }
            let seen = std::mem::replace(&mut self.seen, *changes.borrow_and_update());
            if self.number < self.seen.lowest_number {
                return Waking::Superseded;
            }
            if seen.hints != self.seen.hints {
                return Waking::Hint;
            }
            if seen.looks != self.seen.looks {
                return Waking::Look;
            }
            // Another watcher was superseded.
        }
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        // First the receiver, so that the last one out finds nobody left.
        self.changes = None;
        let Entry::Occupied(mut entry) = self.events.local.topics.entry(self.topic) else { return };
        entry.get_mut().limited.retain(|number| *number != self.number);
        if entry.get().signal.receiver_count() == 0 {
            if let Relay::Nats(nats) = &self.events.relay {
                nats.unwatched(self.topic);
            }
            entry.remove();
            gauge!("countersign_topics_watched").decrement(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;
    use crate::{model::ApprovalId, random};

    fn login() -> Topic {
        Topic::Approval(ApprovalId::new(random::id(chrono::DateTime::UNIX_EPOCH)))
    }

    #[test]
    fn a_hint_wakes_the_watchers_of_its_topic_and_nobody_else() {
        let (events, one, other) = (Events::in_process(), login(), login());
        let (mut first, mut second) = (events.watch(one), events.watch(one));
        let mut bystander = events.watch(other);
        events.publish(one);
        assert!(first.changed().now_or_never().is_some());
        assert!(second.changed().now_or_never().is_some());
        assert!(bystander.changed().now_or_never().is_none());
    }

    #[test]
    fn hints_merge_and_none_is_kept_for_later() {
        let (events, topic) = (Events::in_process(), login());
        events.publish(topic);
        let mut watcher = events.watch(topic);
        assert!(watcher.changed().now_or_never().is_none());
        events.publish(topic);
        events.publish(topic);
        assert!(watcher.changed().now_or_never().is_some());
        assert!(watcher.changed().now_or_never().is_none());
    }

    #[test]
    fn a_watcher_knows_whether_it_was_told_or_had_to_look() {
        let (events, topic) = (Events::in_process(), login());
        let mut watcher = events.watch(topic);
        let mut waking = |wakings: &[Waking]| {
            for waking in wakings {
                events.local.wake(topic, *waking);
            }
            watcher.changed().now_or_never()
        };
        assert_eq!(waking(&[Waking::Look]), Some(Waking::Look));
        assert_eq!(waking(&[Waking::Hint]), Some(Waking::Hint));
        // A look that comes between a hint and its watcher does not take the hint's merit.
        assert_eq!(waking(&[Waking::Hint, Waking::Look]), Some(Waking::Hint));
        assert_eq!(waking(&[Waking::Look]), Some(Waking::Look));
        assert_eq!(waking(&[]), None);
    }

    #[test]
    fn one_watcher_too_many_ends_the_oldest_and_wakes_no_other() {
        let (events, topic) = (Events::in_process(), login());
        let watch = || events.watch_as_one_of(2, topic);
        let waking = |watcher: &mut Watcher| watcher.changed().now_or_never();
        let (mut oldest, second, mut unlimited) = (watch(), watch(), events.watch(topic));
        let mut third = watch();
        assert_eq!(waking(&mut oldest), Some(Waking::Superseded));
        // One that has gone leaves its place.
        drop(second);
        let mut fourth = watch();
        assert_eq!([&mut third, &mut fourth, &mut unlimited].map(waking), [None, None, None]);
        let _fifth = watch();
        events.publish(topic);
        assert_eq!(waking(&mut third), Some(Waking::Superseded));
        assert_eq!([&mut fourth, &mut unlimited].map(waking), [Some(Waking::Hint); 2]);
    }

    #[test]
    fn nothing_is_left_of_a_topic_that_nobody_watches() {
        let (events, topic) = (Events::in_process(), login());
        let (first, second) = (events.watch(topic), events.watch(topic));
        drop(first);
        assert!(!events.is_idle());
        drop(second);
        assert!(events.is_idle());
    }
}

//! Who watches what. A hint that something changed, never what: whoever is woken reads again.
//!
//! Waking the watchers of one login costs the same however many others are watched. A hint may be lost, repeated or
//! merged with the next; nothing may depend on it but how soon somebody notices.

use std::sync::Arc;

use dashmap::DashMap;
use tokio::sync::watch;

use crate::model::{LoginId, SessionId};

/// What can be watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Topic {
    /// A login: any change of its status.
    Login(LoginId),
    /// A session: its end.
    Session(SessionId),
}

/// The watchers of this process. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Events {
    topics: Arc<DashMap<Topic, watch::Sender<()>>>,
}

/// One watcher; dropping it ends the watch.
#[derive(Debug)]
pub struct Watcher {
    events: Events,
    topic: Topic,
    /// Taken when it is dropped.
    changes: Option<watch::Receiver<()>>,
}

impl Events {
    /// Watches a topic from now on. Watch first, then read: then nothing is missed.
    #[must_use]
    pub fn watch(&self, topic: Topic) -> Watcher {
        let sender = self.topics.entry(topic).or_insert_with(|| watch::Sender::new(()));
        Watcher { events: self.clone(), topic, changes: Some(sender.subscribe()) }
    }

    /// Wakes the watchers of a topic.
    pub fn publish(&self, topic: Topic) {
        if let Some(sender) = self.topics.get(&topic) {
            sender.send_replace(());
        }
    }

    /// Whether anybody watches anything.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.topics.is_empty()
    }
}

impl Watcher {
    /// Returns when something has changed since the watch began, or since this last returned.
    pub async fn changed(&mut self) {
        let Some(changes) = &mut self.changes else { return };
        if changes.changed().await.is_err() {
            // The entry was removed although it is watched, which `drop` never does.
            std::future::pending::<()>().await;
        }
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        // First the receiver, so that the last one out finds nobody left.
        self.changes = None;
        self.events.topics.remove_if(&self.topic, |_, sender| sender.receiver_count() == 0);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;
    use crate::random;

    fn login() -> Topic {
        Topic::Login(LoginId::new(random::id(chrono::DateTime::UNIX_EPOCH)))
    }

    #[test]
    fn a_hint_wakes_the_watchers_of_its_topic_and_nobody_else() {
        let (events, one, other) = (Events::default(), login(), login());
        let (mut first, mut second) = (events.watch(one), events.watch(one));
        let mut bystander = events.watch(other);
        events.publish(one);
        assert!(first.changed().now_or_never().is_some());
        assert!(second.changed().now_or_never().is_some());
        assert!(bystander.changed().now_or_never().is_none());
    }

    #[test]
    fn hints_merge_and_none_is_kept_for_later() {
        let (events, topic) = (Events::default(), login());
        events.publish(topic);
        let mut watcher = events.watch(topic);
        assert!(watcher.changed().now_or_never().is_none());
        events.publish(topic);
        events.publish(topic);
        assert!(watcher.changed().now_or_never().is_some());
        assert!(watcher.changed().now_or_never().is_none());
    }

    #[test]
    fn nothing_is_left_of_a_topic_that_nobody_watches() {
        let (events, topic) = (Events::default(), login());
        let (first, second) = (events.watch(topic), events.watch(topic));
        drop(first);
        assert!(!events.is_idle());
        drop(second);
        assert!(events.is_idle());
    }
}

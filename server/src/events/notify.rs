//! Hints between instances through PostgreSQL's LISTEN and NOTIFY: no further part to run.
//!
//! Every instance hears every hint. NOTIFY takes a lock of the whole database at its commit, so hints are sent after the
//! commit of what they tell of, many in one message, and never by whoever waits for an answer.

use std::{collections::HashSet, time::Duration};

use tokio::sync::mpsc;

use super::{Local, Topic, count_lost, count_sent};
use crate::{random, storage::Store};

/// The one channel that all instances listen on. PostgreSQL's channels are per database.
const CHANNEL: &str = "countersign";
/// Hints in one message: PostgreSQL takes less than 8,000 bytes, and a hint has at most 45 with its blank.
const IN_ONE_MESSAGE: usize = 150;
/// Hints that wait to be sent; those past it are lost.
const WAITING: usize = 4_096;
/// From losing the connection to the next attempt at one, at the least; and how much more, at random.
const PAUSE: Duration = Duration::from_millis(200);
const JITTER: Duration = Duration::from_millis(300);

/// Tells other instances.
#[derive(Clone, Debug)]
pub(super) struct Notify {
    outgoing: mpsc::Sender<Topic>,
}

/// What carries the hints.
pub(super) struct Carrier {
    store: Store,
    local: Local,
    outgoing: mpsc::Receiver<Topic>,
    /// Tells our own messages from those of others.
    instance: String,
}

pub(super) fn new(store: Store, local: Local) -> (Notify, Carrier) {
    let (sender, outgoing) = mpsc::channel(WAITING);
    let instance = format!("{:016x}", u64::from_le_bytes(random::bytes()));
    (Notify { outgoing: sender }, Carrier { store, local, outgoing, instance })
}

impl Notify {
    pub(super) fn tell(&self, topic: Topic) {
        if self.outgoing.try_send(topic).is_err() {
            tracing::debug!("a hint to other instances was lost: too many wait");
            count_lost(1);
        }
    }
}

impl Carrier {
    pub(super) async fn run(self) {
        let Self { store, local, outgoing, instance } = self;
        tokio::join!(keep_telling(&store, outgoing, &instance), keep_listening(&store, &local, &instance));
    }
}

async fn keep_telling(store: &Store, mut outgoing: mpsc::Receiver<Topic>, instance: &str) {
    let mut topics = Vec::with_capacity(IN_ONE_MESSAGE);
    while outgoing.recv_many(&mut topics, IN_ONE_MESSAGE).await > 0 {
        let message = write(instance, topics.drain(..));
        let hints = message.matches(' ').count();
        match store.notify(CHANNEL, &message).await {
            Ok(()) => count_sent(hints),
            Err(error) => {
                tracing::warn!(%error, "hints to other instances were lost");
                count_lost(hints);
            }
        }
    }
}

async fn keep_listening(store: &Store, local: &Local, instance: &str) {
    loop {
        match store.listen(CHANNEL).await {
            Ok(mut notifications) => {
                tracing::debug!("listening for hints of other instances");
                // What was told while nobody listened.
                local.may_have_missed();
                while let Some(message) = notifications.next().await {
                    read(&message, instance).for_each(|topic| local.hear(topic));
                }
                tracing::warn!("the connection for hints of other instances was lost");
            }
            Err(error) => tracing::warn!(%error, "hints of other instances cannot be listened for"),
        }
        tokio::time::sleep(PAUSE + JITTER.mul_f64(random::fraction())).await;
    }
}

/// A message: who sends it, then its topics, each after a blank.
fn write(instance: &str, topics: impl Iterator<Item = Topic>) -> String {
    let mut message = instance.to_owned();
    for topic in topics.collect::<HashSet<_>>() {
        message.push(' ');
        message.push_str(&topic.to_string());
    }
    message
}

/// The topics of a message; none where it is our own. What is no topic is left out: a newer version may know more.
fn read(message: &str, instance: &str) -> impl Iterator<Item = Topic> {
    let mut words = message.split(' ');
    let is_own = words.next() == Some(instance);
    words.filter(move |_| !is_own).filter_map(Topic::parse)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ApprovalId;

    fn topics(count: usize) -> HashSet<Topic> {
        let id = || ApprovalId::new(random::id(chrono::DateTime::UNIX_EPOCH));
        std::iter::repeat_with(|| Topic::Approval(id())).take(count).collect()
    }

    #[test]
    fn a_message_is_read_by_others_and_not_by_its_sender() {
        let sent = topics(3);
        let message = write("one", sent.iter().copied().chain(sent.iter().copied()));
        assert_eq!(read(&message, "other").count(), 3);
        assert_eq!(read(&message, "other").collect::<HashSet<_>>(), sent);
        assert_eq!(read(&message, "one").count(), 0);
        assert_eq!(read("one nonsense login.x", "other").count(), 0);
    }

    #[test]
    fn a_hint_that_finds_no_room_is_counted_as_lost() {
        let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
        let (outgoing, _waiting) = mpsc::channel(2);
        let notify = Notify { outgoing };
        metrics::with_local_recorder(&recorder, || {
            for topic in topics(5) {
                notify.tell(topic);
            }
        });
        let text = recorder.handle().render();
        assert!(text.lines().any(|line| line == "countersign_hints_lost_total 3"), "{text}");
    }

    #[test]
    fn a_full_message_fits() {
        let session = |topic: Topic| match topic {
            // The longer of the two kinds.
            Topic::Approval(id) => Topic::Session(crate::model::SessionId::parse(&id.to_string()).unwrap()),
            session @ Topic::Session(_) => session,
        };
        let message = write("0123456789abcdef", topics(IN_ONE_MESSAGE).into_iter().map(session));
        assert!(message.len() < 8_000, "{}", message.len());
    }
}

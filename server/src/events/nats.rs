//! Hints between instances through NATS: core subjects, one for each topic, so that only instances with a watcher hear.
//!
//! The client reconnects and subscribes again by itself; what was told meanwhile is looked for. Nothing here is kept for
//! a server that is away but which topics are watched.

use std::{
    collections::{HashMap, hash_map::Entry},
    fmt,
    str::FromStr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_nats::{Client, ConnectOptions, Event, ServerAddr};
use futures_util::{StreamExt, stream::SelectAll};
use percent_encoding::percent_decode_str;
use tokio::sync::{Notify, mpsc, oneshot};

use super::{Local, Topic, count_lost, count_sent};

/// Hints that wait to be sent; those past it are lost.
const WAITING: usize = 4_096;
/// Hints that wait for one topic here. They say the same, so one is enough.
const WAITING_FOR_ONE: usize = 1;
/// From losing the connection to the next attempt at one, times the attempts, up to the longest.
const PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Where NATS is: `nats://…` or `tls://…`, several servers with commas, with one user and password or one token for all.
/// Its `Debug` hides what may hold a password.
#[derive(Clone)]
pub struct NatsUrl {
    servers: Vec<ServerAddr>,
    credentials: Option<Credentials>,
}

/// Who we are to NATS. The client library does not take it from the servers' addresses.
#[derive(Clone, PartialEq, Eq)]
enum Credentials {
    User(String, String),
    Token(String),
}

impl Credentials {
    /// Those of an address; `None` where it has none.
    fn of(server: &ServerAddr) -> Option<Self> {
        let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let user = decoded(server.username()?);
        Some(match server.password() {
            Some(password) => Self::User(user, decoded(password)),
            None => Self::Token(user),
        })
    }
}

impl FromStr for NatsUrl {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let servers = text.split(',').map(|server| {
            let is_nats = server.starts_with("nats://") || server.starts_with("tls://");
            let address: ServerAddr = server.parse().ok().filter(|_| is_nats)?;
            Some(address).filter(|address| !address.host().is_empty())
        });
        let servers: Option<Vec<ServerAddr>> = servers.collect();
        let servers =
            servers.ok_or("must be `nats://HOST:PORT` or `tls://HOST:PORT`, several with commas")?;
        if servers.iter().any(ServerAddr::tls_required) && !servers.iter().all(ServerAddr::tls_required) {
            return Err("must say tls:// of all servers or of none");
        }
        let mut all = servers.iter().filter_map(Credentials::of);
        let credentials = all.next();
        if all.any(|others| Some(others) != credentials) {
            return Err("must have the same user for all servers");
        }
        Ok(Self { servers, credentials })
    }
}

impl fmt::Debug for NatsUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("nats:…")
    }
}

/// Tells other instances, and is told what is watched here.
#[derive(Clone, Debug)]
pub(super) struct Nats {
    outgoing: mpsc::Sender<Topic>,
    watches: Arc<Watches>,
}

/// What carries the hints.
pub(super) struct Carrier {
    url: NatsUrl,
    local: Local,
    outgoing: mpsc::Receiver<Topic>,
    watches: Arc<Watches>,
}

/// What is to be subscribed to, or no longer. Never more than there are watchers and subscriptions, however long the
/// server is away.
#[derive(Debug, Default)]
struct Watches {
    changes: Mutex<HashMap<Topic, Change>>,
    moved: Notify,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    Subscribe,
    Unsubscribe,
}

impl Watches {
    fn note(&self, topic: Topic, change: Change) {
        let mut changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        match changes.entry(topic) {
            Entry::Occupied(entry) if *entry.get() != change => {
                // It was not carried out yet, and now need not be.
                entry.remove();
            }
            Entry::Occupied(_) => {}
            Entry::Vacant(entry) => {
                entry.insert(change);
            }
        }
        drop(changes);
        self.moved.notify_one();
    }

    /// The changes to be carried out, once there are some.
    async fn changed(&self) -> HashMap<Topic, Change> {
        self.moved.notified().await;
        std::mem::take(&mut *self.changes.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

pub(super) fn new(url: NatsUrl, local: Local) -> (Nats, Carrier) {
    let (sender, outgoing) = mpsc::channel(WAITING);
    let watches = Arc::<Watches>::default();
    (Nats { outgoing: sender, watches: watches.clone() }, Carrier { url, local, outgoing, watches })
}

impl Nats {
    pub(super) fn tell(&self, topic: Topic) {
        if self.outgoing.try_send(topic).is_err() {
            tracing::debug!("a hint to other instances was lost: too many wait");
            count_lost(1);
        }
    }

    pub(super) fn watched(&self, topic: Topic) {
        self.watches.note(topic, Change::Subscribe);
    }

    pub(super) fn unwatched(&self, topic: Topic) {
        self.watches.note(topic, Change::Unsubscribe);
    }
}

impl Carrier {
    pub(super) async fn run(self) {
        let Self { url, local, outgoing, watches } = self;
        let client = loop {
            match options(&url, &local).connect(&url.servers).await {
                Ok(client) => break client,
                Err(error) => tracing::warn!(%error, "NATS cannot be used"),
            }
            tokio::time::sleep(LONGEST_PAUSE).await;
        };
        tokio::join!(keep_telling(&client, outgoing), keep_hearing(&client, &local, &watches));
    }
}

impl NatsUrl {
    /// Connects once and leaves again. The answer is the server's version, or what is in the way.
    pub async fn reach(&self, within: Duration) -> Result<String, String> {
        match tokio::time::timeout(within, as_ourselves(self).connect(&self.servers)).await {
            Ok(Ok(client)) => Ok(client.server_info().version),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("no answer in time".to_owned()),
        }
    }
}

/// Who we are, and which servers are believed.
fn as_ourselves(url: &NatsUrl) -> ConnectOptions {
    let options = match url.credentials.clone() {
        None => ConnectOptions::new(),
        Some(Credentials::User(user, password)) => ConnectOptions::with_user_and_password(user, password),
        Some(Credentials::Token(token)) => ConnectOptions::with_token(token),
    };
    options
        .name("countersign")
        // Servers that a server speaks of, before anybody knows who it is, are none of ours.
        .ignore_discovered_servers()
        .require_tls(url.servers.iter().any(ServerAddr::tls_required))
}

fn options(url: &NatsUrl, local: &Local) -> ConnectOptions {
    let local = local.clone();
    as_ourselves(url)
        // Our own watchers have been woken already.
        .no_echo()
        .subscription_capacity(WAITING_FOR_ONE)
        // A service whose events are away is slower, and not out of service.
        .retry_on_initial_connect()
        .reconnect_delay_callback(|attempts| {
            PAUSE.saturating_mul(u32::try_from(attempts).unwrap_or(u32::MAX)).min(LONGEST_PAUSE)
        })
        .event_callback(move |event| {
            match event {
                // What was told while nobody listened.
                Event::Connected => local.may_have_missed(),
                Event::Disconnected => tracing::warn!("NATS is away; hints of other instances are late"),
                Event::ServerError(_) | Event::ClientError(_) => tracing::warn!("NATS: {event}"),
                _ => tracing::debug!("NATS: {event}"),
            }
            std::future::ready(())
        })
}

fn subject(topic: Topic) -> String {
    format!("countersign.{topic}")
}

async fn keep_telling(client: &Client, mut outgoing: mpsc::Receiver<Topic>) {
    while let Some(topic) = outgoing.recv().await {
        match client.publish(subject(topic), Vec::new().into()).await {
            Ok(()) => count_sent(1),
            Err(error) => {
                tracing::warn!(%error, "a hint to other instances was lost");
                count_lost(1);
            }
        }
    }
}

async fn keep_hearing(client: &Client, local: &Local, watches: &Watches) {
    let mut hints = SelectAll::new();
    // Dropping the sender ends the subscription.
    let mut subscribed: HashMap<Topic, oneshot::Sender<()>> = HashMap::new();
    loop {
        let changes = tokio::select! {
            Some(topic) = hints.next(), if !hints.is_empty() => {
                local.hear(topic);
                continue;
            }
            changes = watches.changed() => changes,
        };
        for (topic, change) in changes {
            if change == Change::Unsubscribe {
                subscribed.remove(&topic);
                continue;
            }
            match client.subscribe(subject(topic)).await {
                Ok(subscription) => {
                    let (end, ended) = oneshot::channel::<()>();
                    subscribed.insert(topic, end);
                    hints.push(subscription.map(move |_| topic).take_until(ended));
                }
                Err(error) => tracing::warn!(%error, "a topic cannot be subscribed to"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        events::{Events, Transport},
        model::ApprovalId,
        random,
        storage::{Store, StoreSettings},
    };

    #[test]
    fn a_url_names_servers_and_hides_passwords() {
        for right in ["nats://localhost", "nats://me:secret@a:4222,nats://b:4222", "tls://a,tls://b"] {
            assert_eq!(format!("{:?}", right.parse::<NatsUrl>().unwrap()), "nats:…");
        }
        let different =
            ["nats://a,tls://b", "nats://me:one@a,nats://me:two@b", "nats://me:one@a,nats://me@b"];
        for wrong in
            ["", "localhost:4222", "ws://a", "nats://a,", "http://a", "nats://"].iter().chain(&different)
        {
            assert!(wrong.parse::<NatsUrl>().is_err(), "{wrong}");
        }
    }

    #[tokio::test]
    async fn a_watch_that_ended_before_it_was_carried_out_leaves_nothing_to_do() {
        let watches = Watches::default();
        let topic = || Topic::Approval(ApprovalId::new(random::id(chrono::DateTime::UNIX_EPOCH)));
        let (short, long) = (topic(), topic());
        watches.note(short, Change::Subscribe);
        watches.note(long, Change::Subscribe);
        watches.note(short, Change::Unsubscribe);
        assert_eq!(watches.changed().await, HashMap::from([(long, Change::Subscribe)]));
        watches.note(long, Change::Unsubscribe);
        watches.note(long, Change::Subscribe);
        assert!(watches.changed().await.is_empty());
    }

    #[test]
    fn credentials_are_those_of_the_url_decoded() {
        let credentials = |url: &str| url.parse::<NatsUrl>().unwrap().credentials;
        assert!(credentials("nats://a").is_none());
        let user = Credentials::User("me".to_owned(), "p@ss:word".to_owned());
        assert!(credentials("nats://me:p%40ss%3Aword@a") == Some(user.clone()));
        assert!(credentials("nats://a,nats://me:p%40ss%3Aword@b") == Some(user));
        assert!(credentials("nats://s3cret@a") == Some(Credentials::Token("s3cret".to_owned())));
    }

    #[tokio::test]
    async fn a_hint_reaches_another_instance_through_a_server_that_asks_for_a_password() {
        let Some(server) = throwaway::require("nats", throwaway::Nats::start().await) else { return };
        let topic = Topic::Approval(ApprovalId::new(random::id(chrono::DateTime::UNIX_EPOCH)));
        let store = Store::open("sqlite:unused.db", &StoreSettings::default()).unwrap();
        let instance = || Events::over(Transport::Nats(server.url().parse().unwrap()), &store);
        let ((here, telling), (there, hearing)) = (instance(), instance());
        let mut watcher = there.watch(topic);
        let told = async {
            tokio::select! {
                _ = watcher.changed() => {}
                // Which of the two is connected first is not known, so it is told until it is heard.
                () = async { loop { here.publish(topic); tokio::task::yield_now().await; } } => {}
            }
        };
        let carried = async { tokio::join!(telling.run(), hearing.run()) };
        let in_time = tokio::time::timeout(Duration::from_secs(20), async {
            tokio::select! { () = told => {}, _ = carried => {} }
        });
        Box::pin(in_time).await.expect("no hint came");
    }
}

//! What each connection does, and which one gives way when the service is full.
//!
//! A connection is busy while a request is answered on it or an operation runs on its socket: a person may wait for a login
//! there. A request whose body still arrives does not make it busy: slow bodies would hold every place. The invariant: a busy
//! connection is never chosen, and of the others the network that holds most loses its oldest.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    future::poll_fn,
    mem,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::Poll,
    time::Duration,
};

use futures_util::task::AtomicWaker;
use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};

use crate::network::Network;

/// What a connection does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Nothing was sent on it, since then.
    New(Instant),
    /// It waits for the next request, since then.
    Idle(Instant),
    /// The head of a request arrives; its time began then.
    Head(Instant),
    /// The body of a request arrives.
    Body,
    /// A request is answered.
    Busy,
    /// It has become a socket, with so many that keep it busy.
    Socket(usize),
    /// It gives way, and ends.
    Evicted,
}

/// The state of one connection, shared by all that work on it.
pub(super) struct Activity {
    phase: Mutex<Phase>,
    /// Wakes the task that waits in [`Self::evicted`]: that of the connection, and after it that of the socket which it became.
    eviction: AtomicWaker,
    /// Notified when a connection of the service is not busy any more.
    one_is_idle: Arc<Notify>,
}

impl Activity {
    pub(super) fn new(one_is_idle: Arc<Notify>) -> Self {
        Self { phase: Mutex::new(Phase::New(Instant::now())), eviction: AtomicWaker::new(), one_is_idle }
    }

    pub(super) fn phase(&self) -> Phase {
        *self.lock()
    }

    /// The first bytes of a head have arrived.
    pub(super) fn begin_head(&self) {
        let mut phase = self.lock();
        *phase = match *phase {
            // Its time began when the connection was opened.
            Phase::New(since) => Phase::Head(since),
            Phase::Idle(_) => Phase::Head(Instant::now()),
            other => other,
        };
    }

    /// The head of a request has arrived and its body has not: the connection is busy from [`Self::end_body`] on, until this is
    /// dropped.
    pub(super) fn begin_body(self: &Arc<Self>) -> Busy {
        let mut phase = self.lock();
        if !matches!(*phase, Phase::Socket(_) | Phase::Evicted) {
            *phase = Phase::Body;
        }
        drop(phase);
        self.one_is_idle.notify_one();
        Busy(self.clone())
    }

    /// The body of the request has arrived.
    pub(super) fn end_body(&self) {
        let mut phase = self.lock();
        if *phase == Phase::Body {
            *phase = Phase::Busy;
        }
    }

    /// The connection is busy until this is dropped.
    pub(super) fn busy(self: &Arc<Self>) -> Busy {
        let mut phase = self.lock();
        *phase = match *phase {
            Phase::Socket(count) => Phase::Socket(count + 1),
            Phase::Evicted => Phase::Evicted,
            _ => Phase::Busy,
        };
        Busy(self.clone())
    }

    /// The request that is answered turns the connection into a socket.
    pub(super) fn become_socket(&self) {
        let mut phase = self.lock();
        if *phase == Phase::Busy {
            // The request itself still counts until it is answered.
            *phase = Phase::Socket(1);
        }
    }

    /// Completes when the connection has to end to make room. One task at a time may wait.
    pub(super) async fn evicted(&self) {
        poll_fn(|context| {
            self.eviction.register(context.waker());
            if self.phase() == Phase::Evicted { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    /// Completes when the connection has waited so long for its next request. Reading does not find that out: hyper does not
    /// read again after an answer while a read before it is still pending.
    pub(super) async fn idle_for(&self, limit: Duration) {
        loop {
            let now = Instant::now();
            let deadline = match self.phase() {
                Phase::Idle(since) => since + limit,
                _ => now + limit,
            };
            if deadline <= now {
                return;
            }
            sleep_until(deadline).await;
        }
    }

    /// Whether the connection was free to go; then it goes.
    fn evict(&self) -> bool {
        let mut phase = self.lock();
        if matches!(*phase, Phase::Busy | Phase::Evicted)
            || matches!(*phase, Phase::Socket(count) if count > 0)
        {
            return false;
        }
        *phase = Phase::Evicted;
        drop(phase);
        self.eviction.wake();
        true
    }

    fn lock(&self) -> MutexGuard<'_, Phase> {
        self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The network that a connection counts for. The largest one: an attacker has the smaller ones by the thousands.
fn network_of(address: IpAddr) -> Network {
    Network::of(address).outermost()
}

/// Keeps a connection busy until it is dropped.
pub(super) struct Busy(Arc<Activity>);

impl Drop for Busy {
    fn drop(&mut self) {
        let mut phase = self.0.lock();
        *phase = match *phase {
            Phase::Body | Phase::Busy => Phase::Idle(Instant::now()),
            Phase::Socket(count) => Phase::Socket(count.saturating_sub(1)),
            other => other,
        };
        drop(phase);
        self.0.one_is_idle.notify_one();
    }
}

/// The open connections, by network.
#[derive(Default)]
pub(super) struct OpenConnections {
    networks: Mutex<Networks>,
    one_is_idle: Arc<Notify>,
}

#[derive(Default)]
struct Networks {
    next_id: u64,
    /// The oldest first.
    connections: HashMap<Network, BTreeMap<u64, Arc<Activity>>>,
    /// How many each network has.
    by_count: BTreeSet<(usize, Network)>,
}

impl Networks {
    fn insert(&mut self, network: Network, id: u64, activity: Arc<Activity>) {
        let connections = self.connections.entry(network).or_default();
        self.by_count.remove(&(connections.len(), network));
        connections.insert(id, activity);
        self.by_count.insert((connections.len(), network));
    }

    fn remove(&mut self, network: Network, id: u64) -> Option<Arc<Activity>> {
        let connections = self.connections.get_mut(&network)?;
        self.by_count.remove(&(connections.len(), network));
        let removed = connections.remove(&id);
        if connections.is_empty() {
            self.connections.remove(&network);
        } else {
            self.by_count.insert((connections.len(), network));
        }
        removed
    }
}

impl OpenConnections {
    /// Adds a connection from this address, until the entry is dropped.
    pub(super) fn insert(self: &Arc<Self>, address: IpAddr) -> Entry {
        let entry = self.entry(address);
        self.lock().insert(network_of(address), entry.id, entry.activity.clone());
        entry
    }

    /// An entry for a connection that gives way to no other.
    pub(super) fn entry(self: &Arc<Self>, address: IpAddr) -> Entry {
        let activity = Arc::new(Activity::new(self.one_is_idle.clone()));
        let mut networks = self.lock();
        let id = networks.next_id;
        networks.next_id += 1;
        drop(networks);
        Entry { all: self.clone(), network: Mutex::new(network_of(address)), id, activity }
    }

    /// Ends a connection that is not busy, as soon as there is one.
    pub(super) async fn evict_next(&self) {
        while !self.evict_one() {
            self.one_is_idle.notified().await;
        }
    }

    /// Ends a connection that is not busy, of the network that has most; false: all are busy.
    pub(super) fn evict_one(&self) -> bool {
        let networks = self.lock();
        let largest_first =
            networks.by_count.iter().rev().filter_map(|(_, network)| networks.connections.get(network));
        largest_first.flat_map(BTreeMap::values).any(|activity| activity.evict())
    }

    fn lock(&self) -> MutexGuard<'_, Networks> {
        self.networks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An open connection; removed when it is dropped.
pub(super) struct Entry {
    all: Arc<OpenConnections>,
    network: Mutex<Network>,
    id: u64,
    pub(super) activity: Arc<Activity>,
}

impl Entry {
    /// Counts the connection as one of its client, where a proxy has opened it.
    pub(super) fn count_for(&self, client: IpAddr) {
        let mut networks = self.all.lock();
        let network = network_of(client);
        let before = mem::replace(&mut *self.network(), network);
        if let Some(activity) = networks.remove(before, self.id) {
            networks.insert(network, self.id, activity);
        }
    }

    fn network(&self) -> MutexGuard<'_, Network> {
        self.network.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let network = *self.network();
        self.all.lock().remove(network, self.id);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{Entry, OpenConnections, Phase};

    fn open(all: &Arc<OpenConnections>, address: &str) -> Entry {
        all.insert(address.parse().unwrap())
    }

    fn is_evicted(entry: &Entry) -> bool {
        entry.activity.phase() == Phase::Evicted
    }

    #[test]
    fn the_network_with_most_connections_loses_its_oldest_that_is_not_busy() {
        let all = Arc::<OpenConnections>::default();
        let small = open(&all, "192.0.2.1");
        let large: Vec<_> = (0..3).map(|_| open(&all, "198.51.100.2")).collect();
        let busy = large[0].activity.busy();
        assert!(all.evict_one() && is_evicted(&large[1]));
        assert!(all.evict_one() && is_evicted(&large[2]));
        // The busy one stays, so the next network is asked.
        assert!(all.evict_one() && is_evicted(&small));
        assert!(!all.evict_one());
        drop(busy);
        assert!(all.evict_one() && is_evicted(&large[0]));
    }

    #[test]
    fn a_request_makes_its_connection_busy_when_its_body_is_there() {
        let all = Arc::<OpenConnections>::default();
        let (slow, whole) = (open(&all, "192.0.2.1"), open(&all, "192.0.2.1"));
        let requests = [&slow, &whole].map(|entry| entry.activity.begin_body());
        whole.activity.end_body();
        assert!(all.evict_one() && is_evicted(&slow));
        assert!(!all.evict_one());
        drop(requests);
        assert!(all.evict_one() && is_evicted(&whole));
    }

    #[tokio::test]
    async fn a_connection_that_is_no_longer_busy_gives_way_to_one_that_waits() {
        let all = Arc::<OpenConnections>::default();
        let entries = [open(&all, "192.0.2.1"), open(&all, "192.0.2.2")];
        let mut busy = entries.each_ref().map(|entry| Some(entry.activity.busy()));
        let waiting = all.evict_next();
        tokio::pin!(waiting);
        assert!(futures_util::poll!(&mut waiting).is_pending());
        busy[1] = None;
        assert!(futures_util::poll!(&mut waiting).is_ready());
        assert!(is_evicted(&entries[1]) && !is_evicted(&entries[0]));
    }

    #[test]
    fn a_socket_is_busy_while_an_operation_runs_on_it() {
        let all = Arc::<OpenConnections>::default();
        let socket = open(&all, "192.0.2.1");
        let request = socket.activity.busy();
        socket.activity.become_socket();
        assert!(!all.evict_one());
        let operation = socket.activity.busy();
        drop(request);
        assert!(!all.evict_one());
        drop(operation);
        assert!(all.evict_one() && is_evicted(&socket));
    }

    #[test]
    fn a_connection_of_a_proxy_counts_for_its_client() {
        let all = Arc::<OpenConnections>::default();
        let of_proxy: Vec<_> = (0..3).map(|_| open(&all, "10.0.0.1")).collect();
        let direct: Vec<_> = (0..2).map(|_| open(&all, "192.0.2.1")).collect();
        of_proxy[0].count_for("198.51.100.2".parse().unwrap());
        of_proxy[1].count_for("203.0.113.3".parse().unwrap());
        assert!(all.evict_one() && is_evicted(&direct[0]));
        drop((of_proxy, direct));
        let networks = all.lock();
        assert!(networks.connections.is_empty() && networks.by_count.is_empty());
    }
}

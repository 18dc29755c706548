//! The accept loop, and the life of a connection up to its end.
//!
//! axum's own server has no timeout for the head of a request; this one stands on hyper itself. The invariant:
//! every open connection, sockets included, is counted against the limit and waited for at shutdown, and none
//! can hold the server up longer than the settings say. Accepting never waits for a place, so that the operator's connections
//! are accepted when the service is full.

use std::{
    convert::Infallible,
    io,
    net::{IpAddr, SocketAddr},
    pin::pin,
    sync::Arc,
    time::Duration,
};

use axum::{Router, body::Body, extract::Request};
use hyper::{
    body::{Body as _, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use metrics::counter;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tokio_io_timeout::TimeoutStream;
use tokio_util::{
    sync::CancellationToken,
    task::{TaskTracker, task_tracker::TaskTrackerToken},
};
use tower::ServiceExt as _;

use super::{
    activity::{Entry, OpenConnections},
    body::Arriving,
    paced::{Pace, Paced},
    per_address::{Held, PerAddress},
    settings::{HttpSettings, ListenerSettings, TrustedProxies},
};

/// How long the loop rests when the system has nothing to accept with (no file descriptors, no memory).
const PAUSE_WITHOUT_RESOURCES: Duration = Duration::from_millis(200);

/// By how much the buffer for a head is larger than the largest head, in bytes.
const HEAD_BUFFER_MARGIN: usize = 8 * 1024;

/// How many connections may wait for a place while all others are busy. Further ones are closed at once.
const MAX_WAITING: usize = 64;

/// The address that a connection comes from.
#[derive(Clone, Copy, Debug)]
pub(super) struct PeerAddress(pub(super) IpAddr);

/// An address that is listened on.
pub struct Listener {
    socket: TcpListener,
    address: SocketAddr,
    settings: ListenerSettings,
    trusted_proxies: TrustedProxies,
}

impl Listener {
    /// Listens on `address`; port 0 takes a free one.
    pub async fn bind(address: SocketAddr, settings: &HttpSettings) -> io::Result<Self> {
        Self::over(TcpListener::bind(address).await?, settings)
    }

    /// Takes over a socket that listens already.
    pub fn over(socket: TcpListener, settings: &HttpSettings) -> io::Result<Self> {
        let address = socket.local_addr()?;
        let (settings, trusted_proxies) = (settings.listener.clone(), settings.trusted_proxies.clone());
        Ok(Self { socket, address, settings, trusted_proxies })
    }

    /// The address that is listened on, with its port.
    #[must_use]
    pub fn local_address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `shutdown` is cancelled, and then until every connection has ended or the drain timeout is
    /// over. Operations outlive their connections: whoever shuts down waits for their tracker too.
    pub async fn serve(self, router: Router, shutdown: CancellationToken) {
        let places = Arc::new(Places::new(&self.settings));
        let per_address = PerAddress::new(self.settings.max_connections_per_address);
        let connections = TaskTracker::new();
        let cut = CancellationToken::new();
        loop {
            let accepted = tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                accepted = self.accept(&per_address, &places) => accepted,
            };
            let Some(Accepted { stream, peer, held, claim }) = accepted else { continue };
            let connection = Connection {
                peer: PeerAddress(peer),
                write_timeout: self.settings.write_timeout,
                pace: self.pace(),
                router: router.clone(),
                shutdown: shutdown.clone(),
                cut: cut.clone(),
            };
            let (http, places, token) = (self.http(), places.clone(), connections.token());
            connections.spawn(async move {
                let place = places.take(claim, connection.pace.head, &connection.shutdown).await;
                let Some(Place { permit, is_reserved }) = place else { return };
                let entry = if is_reserved { places.open.entry(peer) } else { places.open.insert(peer) };
                let guard = ConnectionGuard { entry, _permit: permit, _held: held, _token: token };
                connection.serve(stream, Arc::new(guard), http).await;
            });
        }
        let drain_timeout = self.settings.drain_timeout;
        drop(self.socket);
        connections.close();
        if tokio::time::timeout(drain_timeout, connections.wait()).await.is_err() {
            let open = self.settings.max_connections.saturating_sub(places.free.available_permits());
            tracing::warn!(connections.open = open, "{open} connections did not end in time and are cut.");
            cut.cancel();
        }
    }

    /// The next connection; `None` where accepting failed and may be tried again, or there is no place for it.
    async fn accept(&self, per_address: &Arc<PerAddress>, places: &Places) -> Option<Accepted> {
        match self.socket.accept().await {
            Ok((stream, peer)) => {
                let peer = peer.ip().to_canonical();
                let is_proxy = self.trusted_proxies.contain(peer);
                let held = per_address.take(peer);
                if held.is_none() && !is_proxy {
                    return None;
                }
                // Where a proxy runs on this machine, everybody comes from it.
                let claim = places.claim(peer.is_loopback() && !is_proxy)?;
                Some(Accepted { stream, peer, held, claim })
            }
            Err(error) => {
                if let Some(pause) = pause_after(&error) {
                    tracing::warn!(%error, "No connection can be accepted just now.");
                    tokio::time::sleep(pause).await;
                }
                None
            }
        }
    }

    fn http(&self) -> http1::Builder {
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new())
            // It would end idle connections as well: see `paced`.
            .header_read_timeout(None)
            // Somewhat more than the limit, so that a head somewhat past it is read, and its refusal is received.
            .max_buf_size(self.settings.head_limit_bytes + HEAD_BUFFER_MARGIN);
        http
    }

    fn pace(&self) -> Pace {
        Pace { head: self.settings.header_read_timeout, idle: self.settings.idle_timeout }
    }
}

/// A connection that was accepted, and what it holds of the limits.
struct Accepted {
    stream: TcpStream,
    peer: IpAddr,
    held: Option<Held>,
    claim: Claim,
}

/// The places that connections take.
struct Places {
    free: Arc<Semaphore>,
    reserved: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
    open: Arc<OpenConnections>,
}

/// A place that a connection has taken.
struct Place {
    permit: OwnedSemaphorePermit,
    /// Whether it is one of the operator's: nothing is gained for others by ending this connection.
    is_reserved: bool,
}

/// What a connection has of the places.
enum Claim {
    /// A place.
    Taken(Place),
    /// The right to wait for one.
    Waits(OwnedSemaphorePermit),
}

impl Places {
    fn new(settings: &ListenerSettings) -> Self {
        Self {
            free: Arc::new(Semaphore::new(settings.max_connections)),
            reserved: Arc::new(Semaphore::new(settings.reserved_connections)),
            waiting: Arc::new(Semaphore::new(MAX_WAITING)),
            open: Arc::default(),
        }
    }

    /// Claims a place for one more connection; `None`: too many wait for one already.
    fn claim(&self, is_operator: bool) -> Option<Claim> {
        let take = |places: &Arc<Semaphore>| places.clone().try_acquire_owned().ok();
        if let Some(permit) = take(&self.free) {
            return Some(Claim::Taken(Place { permit, is_reserved: false }));
        }
        if is_operator && let Some(permit) = take(&self.reserved) {
            return Some(Claim::Taken(Place { permit, is_reserved: true }));
        }
        take(&self.waiting).map(Claim::Waits)
    }

    /// Takes the claimed place. A connection that waits has another one give way; where all are busy, it waits until one is not,
    /// and is closed (`None`) after the limit, or at shutdown.
    async fn take(&self, claim: Claim, limit: Duration, shutdown: &CancellationToken) -> Option<Place> {
        let _waiting = match claim {
            Claim::Taken(place) => return Some(place),
            Claim::Waits(permit) => permit,
        };
        let permit = tokio::select! {
            biased;
            () = shutdown.cancelled() => None,
            freed = tokio::time::timeout(limit, self.free_one()) => freed.ok().flatten(),
        };
        permit.map(|permit| Place { permit, is_reserved: false })
    }

    async fn free_one(&self) -> Option<OwnedSemaphorePermit> {
        let mut freed = pin!(self.free.clone().acquire_owned());
        tokio::select! {
            biased;
            permit = freed.as_mut() => return permit.ok(),
            () = self.open.evict_next() => counter!("countersign_connections_evicted_total").increment(1),
        }
        freed.await.ok()
    }
}

/// Errors of one connection that ended before it was taken say nothing about the next one; any other means
/// that the system lacks something, and asking again at once would spin.
fn pause_after(error: &io::Error) -> Option<Duration> {
    match error.kind() {
        io::ErrorKind::ConnectionAborted
        | io::ErrorKind::ConnectionRefused
        | io::ErrorKind::ConnectionReset
        | io::ErrorKind::Interrupted => None,
        _ => Some(PAUSE_WITHOUT_RESOURCES),
    }
}

/// Counts a connection for as long as anyone holds it: its task, and the socket that it became.
pub(super) struct ConnectionGuard {
    pub(super) entry: Entry,
    _permit: OwnedSemaphorePermit,
    _held: Option<Held>,
    _token: TaskTrackerToken,
}

struct Connection {
    peer: PeerAddress,
    write_timeout: Duration,
    pace: Pace,
    router: Router,
    shutdown: CancellationToken,
    cut: CancellationToken,
}

impl Connection {
    async fn serve(self, stream: TcpStream, guard: Arc<ConnectionGuard>, http: http1::Builder) {
        let Self { peer, write_timeout, pace, router, shutdown, cut } = self;
        let activity = guard.entry.activity.clone();
        // Answers are small and whole; waiting for more to send only delays them.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "A connection was gone before it was served.");
            return;
        }
        let answering = activity.clone();
        let service = service_fn(move |request: hyper::Request<Incoming>| {
            let is_whole = request.body().is_end_stream();
            let busy = if is_whole { answering.busy() } else { answering.begin_body() };
            let mut request: Request = request.map(|body| Body::new(Arriving::new(body, answering.clone())));
            request.extensions_mut().insert(peer);
            request.extensions_mut().insert(guard.clone());
            let router = router.clone();
            async move {
                let response = router.oneshot(request).await.unwrap_or_else(|never| match never {});
                drop(busy);
                Ok::<_, Infallible>(response)
            }
        });
        let mut stream = TimeoutStream::new(stream);
        stream.set_write_timeout(Some(write_timeout));
        let stream = TokioIo::new(Paced::new(Box::pin(stream), activity.clone(), pace));
        let mut connection = pin!(http.serve_connection(stream, service).with_upgrades());
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = activity.evicted() => return,
            () = activity.idle_for(pace.idle) => return,
            () = shutdown.cancelled() => {
                connection.as_mut().graceful_shutdown();
                tokio::select! {
                    ended = connection => ended,
                    () = cut.cancelled() => return,
                }
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "A connection ended before its time.");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Error, ErrorKind};

    use super::pause_after;

    #[test]
    fn a_peer_that_was_gone_again_does_not_slow_the_next_one_down() {
        assert_eq!(pause_after(&Error::from(ErrorKind::ConnectionAborted)), None);
        assert_eq!(pause_after(&Error::from(ErrorKind::ConnectionReset)), None);
    }

    #[test]
    fn running_out_of_file_descriptors_makes_the_loop_rest() {
        const EMFILE: i32 = 24;
        assert!(pause_after(&Error::from_raw_os_error(EMFILE)).is_some());
    }
}

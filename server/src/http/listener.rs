//! The accept loop, and the life of a connection up to its end.
//!
//! axum's own server has no timeout for the head of a request; this one stands on hyper itself. The invariant:
//! every open connection, sockets included, is counted against the limit and waited for at shutdown, and none
//! can hold the server up longer than the settings say.

use std::{
    convert::Infallible,
    io,
    net::{IpAddr, SocketAddr},
    pin::pin,
    sync::Arc,
    time::Duration,
};

use axum::{Router, body::Body, extract::Request};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
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
    paced::{Pace, Paced},
    per_address::{Held, PerAddress},
    settings::{HttpSettings, ListenerSettings, TrustedProxies},
};

/// How long the loop rests when the system has nothing to accept with (no file descriptors, no memory).
const PAUSE_WITHOUT_RESOURCES: Duration = Duration::from_millis(200);

/// By how much the buffer for a head is larger than the largest head, in bytes.
const HEAD_BUFFER_MARGIN: usize = 8 * 1024;

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
        let places = Places::new(&self.settings);
        let per_address = PerAddress::new(self.settings.max_connections_per_address);
        let connections = TaskTracker::new();
        let cut = CancellationToken::new();
        loop {
            let accepted = tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                accepted = self.accept(&per_address, &places) => accepted,
            };
            let Some(Accepted { stream, peer, held, permit }) = accepted else {
                continue;
            };
            let entry = places.open.insert(peer);
            let guard = ConnectionGuard { entry, _permit: permit, _held: held, _token: connections.token() };
            let connection = Connection {
                peer: PeerAddress(peer),
                guard: Arc::new(guard),
                write_timeout: self.settings.write_timeout,
                pace: self.pace(),
                router: router.clone(),
                shutdown: shutdown.clone(),
                cut: cut.clone(),
            };
            let http = self.http();
            connections.spawn(connection.serve(stream, http));
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

    /// The next connection; `None` where accepting failed and may be tried again, or its address has too many.
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
                let permit = places.take(peer.is_loopback() && !is_proxy).await?;
                Some(Accepted { stream, peer, held, permit })
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
    permit: OwnedSemaphorePermit,
}

/// The places that connections take.
struct Places {
    free: Arc<Semaphore>,
    reserved: Arc<Semaphore>,
    open: Arc<OpenConnections>,
}

impl Places {
    fn new(settings: &ListenerSettings) -> Self {
        Self {
            free: Arc::new(Semaphore::new(settings.max_connections)),
            reserved: Arc::new(Semaphore::new(settings.reserved_connections)),
            open: Arc::default(),
        }
    }

    /// A place for one more connection. Where there is none, another connection gives way; where all are busy, it waits.
    async fn take(&self, is_operator: bool) -> Option<OwnedSemaphorePermit> {
        if let Ok(permit) = self.free.clone().try_acquire_owned() {
            return Some(permit);
        }
        if is_operator && let Ok(permit) = self.reserved.clone().try_acquire_owned() {
            return Some(permit);
        }
        if self.open.evict_one() {
            counter!("countersign_connections_evicted_total").increment(1);
        }
        self.free.clone().acquire_owned().await.ok()
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
    guard: Arc<ConnectionGuard>,
    write_timeout: Duration,
    pace: Pace,
    router: Router,
    shutdown: CancellationToken,
    cut: CancellationToken,
}

impl Connection {
    async fn serve(self, stream: TcpStream, http: http1::Builder) {
        let Self { peer, guard, write_timeout, pace, router, shutdown, cut } = self;
        let activity = guard.entry.activity.clone();
        // Answers are small and whole; waiting for more to send only delays them.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "A connection was gone before it was served.");
            return;
        }
        let answering = activity.clone();
        let service = service_fn(move |request: hyper::Request<Incoming>| {
            let busy = answering.busy();
            let mut request: Request = request.map(Body::new);
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

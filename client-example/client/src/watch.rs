//! Following one login to its end, as a stream that connects again by itself. Losing a connection loses nothing:
//! the service tells the present state first. The stream yields each status once, in order, and its last item is a
//! status with nothing left to do, or an error.

use std::{
    error::Error,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use futures_util::Stream;
use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{Instant, sleep},
};

use crate::{
    address::websocket_url,
    backoff::Backoff,
    client::Client,
    error::{GraphqlError, Listed, TokenWithheld},
    login::LoginStatus,
    random,
    socket::{Break, Destination, Socket, TOO_MANY_WATCHERS},
    token::LoginToken,
};

const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// A login changes a handful of times. A reader that is further behind holds up its own socket, and only that.
const UNREAD: usize = 16;

/// The statuses of one login, each as soon as it is known.
///
/// ```no_run
/// # async fn example(client: countersign_client::Client, login_token: countersign_client::LoginToken) {
/// use futures_util::StreamExt;
///
/// let mut watch = client.watch(&login_token);
/// while let Some(status) = watch.next().await {
///     match status {
///         Ok(status) => println!("{}", status.state),
///         Err(error) => println!("{error}"),
///     }
/// }
/// # }
/// ```
#[must_use = "dropping it ends the watch"]
#[derive(Debug)]
pub struct Watch {
    items: mpsc::Receiver<Result<LoginStatus, WatchError>>,
    is_over: bool,
    /// Held for its drop, which ends the task and with it the socket.
    _task: JoinSet<()>,
}

impl Watch {
    pub(crate) fn begin(client: &Client, login_token: LoginToken) -> Self {
        let (sender, items) = mpsc::channel(UNREAD);
        let follower = Follower {
            destination: Destination {
                url: websocket_url(client.endpoint()),
                bearer: client.bearer().cloned(),
                connect_timeout: client.timeout(),
            },
            login_token,
            reader: Reader::new(sender),
        };
        let mut task = JoinSet::new();
        task.spawn(follower.run(client.patience()));
        Self { items, is_over: false, _task: task }
    }
}

impl Stream for Watch {
    type Item = Result<LoginStatus, WatchError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        let item = ready!(self.items.poll_recv(context));
        self.is_over = !matches!(&item, Some(Ok(status)) if !status.is_over());
        Poll::Ready(item)
    }
}

/// Why a watch ended before its login did. Always the last item.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WatchError {
    /// The service knows no such login, or no longer.
    #[error("there is no such login, or no longer")]
    LoginNotFound,
    /// The session that the client asked with has ended. Watch without a bearer, or with another one.
    #[error("the session has ended")]
    SessionEnded,
    /// The service closed the connection for good, with this code of graphql-transport-ws.
    #[error("the service closed the connection for good, with code {0}")]
    Closed(u16),
    /// The service refused the connection for good, with this HTTP status.
    #[error("the service refused the connection with HTTP status {0}")]
    Status(u16),
    /// The subscription was wrong or not allowed.
    #[error("{}", Listed(.0))]
    Graphql(Vec<GraphqlError>),
    /// An answer that does not fit the schema.
    #[error("the service's answer does not fit the schema")]
    Malformed,
    /// A session whose token is not told.
    #[error(transparent)]
    TokenWithheld(#[from] TokenWithheld),
    /// The service could not be reached for as long as the client has patience.
    #[error("the service cannot be reached")]
    Unreachable(#[source] Interruption),
}

/// What kept a watch from the service the last time it tried.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Interruption {
    /// No connection.
    #[error("no connection")]
    Connect(#[source] Box<dyn Error + Send + Sync>),
    /// The connection was not made, or not acknowledged, in time.
    #[error("the connection was not made in time")]
    ConnectTimeout,
    /// The service refused the connection for now, with this HTTP status.
    #[error("the connection was refused for now, with HTTP status {0}")]
    Status(u16),
    /// The service closed the connection with this code.
    #[error("the connection was closed with code {0}")]
    Closed(u16),
    /// The connection was lost, or the answers ended.
    #[error("the connection was lost")]
    Ended,
    /// The service had a fault.
    #[error("{}", Listed(.0))]
    Fault(Vec<GraphqlError>),
}

impl Interruption {
    /// Whether the service ended this watch because the login has too many. Connecting again at once would end another one.
    fn asks_for_fewer(&self) -> bool {
        matches!(self, Self::Fault(errors) if errors.iter().any(|error| error.has_code(TOO_MANY_WATCHERS)))
    }
}

/// The part of a watch that runs by itself.
struct Follower {
    destination: Destination,
    login_token: LoginToken,
    reader: Reader,
}

impl Follower {
    async fn run(mut self, patience: Duration) {
        let mut backoff = Backoff::new(FIRST_WAIT, LONGEST_WAIT);
        let mut last_contact = Instant::now();
        loop {
            let end = match Socket::connect(&self.destination).await {
                Ok(socket) => {
                    let connected = Instant::now();
                    let known = self.reader.newest;
                    let end = socket.follow(&self.login_token, &mut self.reader).await;
                    backoff.rest(self.reader.newest != known, connected.elapsed());
                    last_contact = Instant::now();
                    end
                }
                Err(end) => Err(end),
            };
            let error = match end {
                Ok(()) => return,
                Err(Break::Final(error)) => error,
                Err(Break::Interruption(cause)) if last_contact.elapsed() >= patience => {
                    WatchError::Unreachable(cause)
                }
                Err(Break::Interruption(cause)) => {
                    if cause.asks_for_fewer() {
                        backoff.slow_down();
                    }
                    sleep(backoff.next_wait(random::number())).await;
                    continue;
                }
            };
            // Nobody listens any more: nothing is left to say.
            let _ = self.reader.items.send(Err(error)).await;
            return;
        }
    }
}

/// Whoever reads the stream, as its connections see them: one reader over all of them.
pub(crate) struct Reader {
    newest: Option<i64>,
    items: mpsc::Sender<Result<LoginStatus, WatchError>>,
}

/// Whether a reader wants to be told more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wants {
    More,
    NoMore,
}

impl Reader {
    fn new(items: mpsc::Sender<Result<LoginStatus, WatchError>>) -> Self {
        Self { newest: None, items }
    }

    /// Takes a status, and passes it on only if it is newer than all before it: after a reconnect the service tells
    /// the present state again.
    pub(crate) async fn take(&mut self, status: LoginStatus) -> Wants {
        let is_over = status.is_over();
        let mut is_heard = true;
        if self.newest.is_none_or(|newest| status.sequence > newest) {
            self.newest = Some(status.sequence);
            is_heard = self.items.send(Ok(status)).await.is_ok();
        }
        if is_over || !is_heard { Wants::NoMore } else { Wants::More }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt;
    use tokio::{io::AsyncReadExt, net::TcpListener};

    use super::*;
    use crate::login::{LoginState, LoginStep, tests::status};

    #[tokio::test]
    async fn a_status_told_again_after_a_reconnect_is_no_news() {
        let (sender, mut items) = mpsc::channel(UNREAD);
        let mut reader = Reader::new(sender);
        for sequence in [0, 0, 3, 2, 3, 4] {
            let pending = status(sequence, LoginState::Pending, LoginStep::ApproveOnPhone);
            assert_eq!(reader.take(pending).await, Wants::More);
        }
        drop(reader);
        let mut told = Vec::new();
        while let Some(status) = items.recv().await {
            told.push(status.unwrap().sequence);
        }
        assert_eq!(told, [0, 3, 4]);
    }

    #[tokio::test]
    async fn a_reader_wants_no_more_after_the_last_status_or_when_nobody_reads() {
        let (sender, items) = mpsc::channel(UNREAD);
        let mut reader = Reader::new(sender);
        let pending = status(1, LoginState::Pending, LoginStep::EnterCode);
        let failed = status(2, LoginState::Failed, LoginStep::None);
        assert_eq!(reader.take(pending).await, Wants::More);
        assert_eq!(reader.take(failed).await, Wants::NoMore);
        drop(items);
        let later = status(3, LoginState::Pending, LoginStep::EnterCode);
        assert_eq!(reader.take(later).await, Wants::NoMore);
    }

    fn watch_of(items: Vec<Result<LoginStatus, WatchError>>) -> Watch {
        let (sender, receiver) = mpsc::channel(UNREAD);
        for item in items {
            sender.try_send(item).unwrap();
        }
        // The sender stays alive: the end must come from what was said, not from a task that is gone.
        let mut task = JoinSet::new();
        task.spawn(async move { sender.closed().await });
        Watch { items: receiver, is_over: false, _task: task }
    }

    #[tokio::test]
    async fn the_stream_ends_after_a_status_with_nothing_left_to_do() {
        let denied = status(1, LoginState::Denied, LoginStep::EnterCode);
        let expired = status(2, LoginState::Expired, LoginStep::None);
        let mut watch = watch_of(vec![Ok(denied.clone()), Ok(expired.clone())]);
        assert_eq!(watch.next().await.unwrap().unwrap(), denied);
        assert_eq!(watch.next().await.unwrap().unwrap(), expired);
        assert!(watch.next().await.is_none());
    }

    #[tokio::test]
    async fn the_stream_ends_after_an_error() {
        let mut watch = watch_of(vec![Err(WatchError::LoginNotFound)]);
        assert!(matches!(watch.next().await, Some(Err(WatchError::LoginNotFound))));
        assert!(watch.next().await.is_none());
    }

    fn client(address: &str, patience: Duration) -> Client {
        let _ = rustls::crypto::ring::default_provider().install_default();
        Client::builder(address).patience(patience).build().unwrap()
    }

    async fn listener() -> (TcpListener, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        (listener, address)
    }

    #[tokio::test]
    async fn dropping_a_watch_that_nobody_polled_closes_its_connection() {
        let (listener, address) = listener().await;
        let watch = client(&address, Duration::MAX).watch(&LoginToken::new("planted"));
        let (mut connection, _) = listener.accept().await.unwrap();
        let mut upgrade = [0; 1024];
        let length = connection.read(&mut upgrade).await.unwrap();
        let upgrade = String::from_utf8_lossy(&upgrade[..length]);
        assert!(upgrade.starts_with("GET /graphql HTTP/1.1\r\n"), "{upgrade}");
        assert!(!upgrade.contains("planted"), "{upgrade}");
        drop(watch);
        assert_eq!(connection.read(&mut [0; 1]).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn a_lost_connection_is_followed_by_another() {
        let (listener, address) = listener().await;
        let _watch = client(&address, Duration::MAX).watch(&LoginToken::new("token"));
        for _ in 0..3 {
            listener.accept().await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_watch_gives_up_when_its_patience_is_over() {
        let (listener, address) = listener().await;
        drop(listener);
        let mut watch = client(&address, Duration::ZERO).watch(&LoginToken::new("token"));
        let error = watch.next().await.unwrap().unwrap_err();
        assert!(matches!(error, WatchError::Unreachable(Interruption::Connect(_))), "{error:?}");
        assert!(watch.next().await.is_none());
    }

    #[test]
    fn a_watch_can_be_sent_to_another_thread() {
        fn is_sendable<T: Send + 'static>() {}
        is_sendable::<Watch>();
    }
}

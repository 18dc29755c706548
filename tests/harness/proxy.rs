//! A line to PostgreSQL that can lose things: notifications alone, or everything.
//!
//! It reads as much of the protocol as it takes to know where a message of the server begins and whether it is a
//! notification. TLS is declined.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, BufReader, BufWriter},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
    task::JoinSet,
};
use url::Url;

/// What a client sends before anything else where it would like TLS, and where it would like GSSAPI.
const ENCRYPTION_REQUESTS: [[u8; 8]; 2] = [[0, 0, 0, 8, 4, 210, 22, 47], [0, 0, 0, 8, 4, 210, 22, 48]];
/// The answer: go on without.
const NO: u8 = b'N';
/// The type of the server's message that a NOTIFY becomes.
const NOTIFICATION: u8 = b'A';

/// How the line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    /// Everything passes.
    Whole,
    /// Everything passes but notifications.
    WithoutNotifications,
    /// Connections stay, and nothing passes.
    Silent,
    /// Connections are cut, and new ones refused.
    Cut,
}

/// A line to a database, whole at first. Dropping it cuts it.
#[derive(Debug)]
pub struct Proxy {
    url: Url,
    line: watch::Sender<Line>,
    lost: Arc<AtomicU64>,
    _task: JoinSet<()>,
}

impl Proxy {
    /// A line to the database at this URL.
    pub async fn start(database_url: &str) -> Self {
        let mut url = Url::parse(database_url).unwrap();
        let server = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap_or(5432));
        let port = throwaway::free_port();
        url.set_host(Some("127.0.0.1")).unwrap();
        url.set_port(Some(port)).unwrap();
        let (line, lost) = (watch::Sender::new(Line::Whole), Arc::default());
        let ends = Ends { port, server, line: line.subscribe(), lost: Arc::clone(&lost) };
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        let mut task = JoinSet::new();
        task.spawn(ends.keep(listener));
        Self { url, line, lost, _task: task }
    }

    /// The same database, at this end of the line.
    #[must_use]
    pub fn url(&self) -> &str {
        self.url.as_str()
    }

    /// Changes how the line is.
    pub fn set(&self, line: Line) {
        self.line.send_replace(line);
    }

    /// How many notifications were lost.
    #[must_use]
    pub fn notifications_lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }
}

#[derive(Clone)]
struct Ends {
    port: u16,
    server: String,
    line: watch::Receiver<Line>,
    lost: Arc<AtomicU64>,
}

impl Ends {
    /// Takes connections while the line is not cut.
    async fn keep(self, mut listener: TcpListener) {
        let mut line = self.line.clone();
        loop {
            let mut connections = JoinSet::new();
            loop {
                tokio::select! {
                    accepted = listener.accept() => {
                        let (ends, (client, _)) = (self.clone(), accepted.unwrap());
                        connections.spawn(async move { let _ = ends.join(client).await; });
                    }
                    _ = line.wait_for(|line| *line == Line::Cut) => break,
                }
                while connections.try_join_next().is_some() {}
            }
            drop((listener, connections));
            if line.wait_for(|line| *line != Line::Cut).await.is_err() {
                return;
            }
            listener = TcpListener::bind(("127.0.0.1", self.port)).await.unwrap();
        }
    }

    /// One connection, until either side ends it.
    async fn join(self, mut client: TcpStream) -> std::io::Result<()> {
        let mut first = [0; 8];
        client.read_exact(&mut first).await?;
        while ENCRYPTION_REQUESTS.contains(&first) {
            client.write_all(&[NO]).await?;
            client.read_exact(&mut first).await?;
        }
        let mut server = TcpStream::connect(&self.server).await?;
        client.set_nodelay(true)?;
        server.set_nodelay(true)?;
        server.write_all(&first).await?;
        let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
        tokio::select! {
            ended = self.clone().pass_requests(from_client, to_server) => ended,
            ended = self.pass_answers(from_server, to_client) => ended,
        }
    }

    async fn pass_requests(mut self, mut from: OwnedReadHalf, mut to: OwnedWriteHalf) -> std::io::Result<()> {
        let mut bytes = vec![0; 16 * 1024];
        loop {
            let length = from.read(&mut bytes).await?;
            if length == 0 {
                return Ok(());
            }
            self.while_silent().await;
            to.write_all(&bytes[..length]).await?;
        }
    }

    async fn pass_answers(mut self, from: OwnedReadHalf, to: OwnedWriteHalf) -> std::io::Result<()> {
        let (mut from, mut to) = (BufReader::new(from), BufWriter::new(to));
        loop {
            // The length counts itself and not the type.
            let kind = from.read_u8().await?;
            let length = from.read_u32().await?;
            let mut body = vec![0; usize::try_from(length).unwrap_or_default().saturating_sub(4)];
            from.read_exact(&mut body).await?;
            self.while_silent().await;
            if kind == NOTIFICATION && *self.line.borrow() == Line::WithoutNotifications {
                self.lost.fetch_add(1, Ordering::Relaxed);
                continue;
            }
            to.write_u8(kind).await?;
            to.write_u32(length).await?;
            to.write_all(&body).await?;
            if from.buffer().is_empty() {
                to.flush().await?;
            }
        }
    }

    async fn while_silent(&mut self) {
        // Where nobody can say any more how the line is, it is about to end.
        let _ = self.line.wait_for(|line| *line != Line::Silent).await;
    }
}

//! A line to an HTTP server that keeps what is said to it.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
};

/// A recorded line. Connections wait until it is said where it leads.
#[derive(Debug)]
pub struct Recorder {
    url: String,
    server: watch::Sender<Option<String>>,
    said: Arc<Mutex<Vec<u8>>>,
    _task: JoinSet<()>,
}

impl Recorder {
    /// A line that leads nowhere yet.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (server, said) = (watch::Sender::new(None), Arc::<Mutex<Vec<u8>>>::default());
        let (mut task, leads_to, kept) = (JoinSet::new(), server.subscribe(), said.clone());
        task.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (client, _) = listener.accept().await.unwrap();
                let (leads_to, kept) = (leads_to.clone(), kept.clone());
                connections.spawn(async move {
                    let _ = join(client, leads_to, kept).await;
                });
            }
        });
        Self { url, server, said, _task: task }
    }

    /// This end of the line.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Says where the line leads: `http://…`.
    pub fn lead_to(&self, server: &str) {
        self.server.send_replace(server.strip_prefix("http://").map(ToOwned::to_owned));
    }

    /// What was said to the server so far.
    #[must_use]
    pub fn said(&self) -> String {
        String::from_utf8_lossy(&self.said.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }
}

async fn join(
    client: TcpStream,
    mut leads_to: watch::Receiver<Option<String>>,
    said: Arc<Mutex<Vec<u8>>>,
) -> std::io::Result<()> {
    let Ok(server) = leads_to.wait_for(Option::is_some).await.map(|server| server.clone().unwrap()) else {
        return Ok(());
    };
    let server = TcpStream::connect(server).await?;
    let ((mut from_client, mut to_client), (mut from_server, mut to_server)) =
        (client.into_split(), server.into_split());
    let requests = async {
        let mut bytes = vec![0; 16 * 1024];
        loop {
            let length = from_client.read(&mut bytes).await?;
            if length == 0 {
                return to_server.shutdown().await;
            }
            said.lock().unwrap_or_else(PoisonError::into_inner).extend(&bytes[..length]);
            to_server.write_all(&bytes[..length]).await?;
        }
    };
    let answers = tokio::io::copy(&mut from_server, &mut to_client);
    tokio::try_join!(requests, answers).map(|_| ())
}

//! A pooler in transaction mode, as far as simple queries go: one connection to the server for all clients.

use std::sync::Arc;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::Mutex,
};
use tokio_util::task::AbortOnDropHandle;

use super::*;

/// The server is ready for the next question.
const READY: u8 = b'Z';

struct Server {
    stream: TcpStream,
    /// What it said to the first client, and so to all others.
    greeting: Vec<u8>,
}

/// A message: its type and all of it.
async fn message(stream: &mut TcpStream) -> std::io::Result<(u8, Vec<u8>)> {
    let mut whole = vec![0; 5];
    stream.read_exact(&mut whole).await?;
    let length = u32::from_be_bytes(whole[1..5].try_into().unwrap()) as usize;
    whole.resize(1 + length, 0);
    stream.read_exact(&mut whole[5..]).await?;
    Ok((whole[0], whole))
}

impl Server {
    async fn ask(&mut self, question: &[u8]) -> std::io::Result<Vec<u8>> {
        self.stream.write_all(question).await?;
        let mut answer = Vec::new();
        loop {
            let (kind, whole) = message(&mut self.stream).await?;
            answer.extend(whole);
            if kind == READY {
                return Ok(answer);
            }
        }
    }
}

async fn pool(mut client: TcpStream, server: Arc<Mutex<Server>>) -> std::io::Result<()> {
    let length = client.read_u32().await?;
    let mut hello = length.to_be_bytes().to_vec();
    hello.resize(length as usize, 0);
    client.read_exact(&mut hello[4..]).await?;
    {
        let mut server = server.lock().await;
        if server.greeting.is_empty() {
            server.greeting = server.ask(&hello).await?;
        }
        client.write_all(&server.greeting).await?;
    }
    loop {
        let (_, question) = message(&mut client).await?;
        let answer = server.lock().await.ask(&question).await?;
        client.write_all(&answer).await?;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pooler_that_shares_connections_by_the_transaction_is_seen() {
    let Some(database) = Database::postgres().await else { return };
    assert!(!database.store.is_shared_by_transaction().await.unwrap());
    let (_, place) = database.url.split_once('@').unwrap();
    let (address, name) = place.split_once('/').unwrap();
    let stream = TcpStream::connect(address).await.unwrap();
    let server = Arc::new(Mutex::new(Server { stream, greeting: Vec::new() }));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("postgres://postgres@{}/{name}", listener.local_addr().unwrap());
    #[expect(clippy::disallowed_methods, reason = "it ends with the test")]
    let _pooling = AbortOnDropHandle::new(tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(pool(client, server.clone()));
        }
    }));
    let store = Store::open_to_look(&url, &settings()).unwrap();
    assert!(store.is_shared_by_transaction().await.unwrap());
}

//! The wire of the whole service under attack: what one document may cost, and whether anything breaks it.

mod documents;
mod generated;
mod known;
mod limited;
mod memory;
mod sockets;

use std::net::SocketAddr;

use clap::Parser;
use countersign::{
    app::{App, Ending},
    clock::Clock,
    config::{self, Arguments, Settings, Task},
    http::HttpSettings,
    storage::{Durability, Store, StoreSettings},
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    runtime::{Builder, Runtime},
};

/// A service on one thread, the one that makes it: what it costs can be measured there. Only passwords are hashed elsewhere,
/// and SQLite waits for its disk.
struct Service {
    runtime: Runtime,
    address: SocketAddr,
    _folder: TempDir,
}

impl Service {
    /// Without the limits on what one address may send: all that these tests send comes from one.
    fn start(introspection: bool) -> Self {
        Self::with(|http| {
            http.graphql.introspection = introspection;
            lift_admission(http);
        })
    }

    /// With the limits of production, adjusted.
    fn with(adjust: impl FnOnce(&mut HttpSettings)) -> Self {
        // Nobody is there, and nobody needs to be.
        Self::with_provider("http://127.0.0.1:9", adjust)
    }

    fn with_provider(provider: &str, adjust: impl FnOnce(&mut HttpSettings)) -> Self {
        let mut http = HttpSettings::default();
        adjust(&mut http);
        // Whoever comes first.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = TempDir::new().unwrap();
        let url = format!("sqlite:{}", folder.path().join("wire.db").display());
        let storage = StoreSettings { durability: Durability::Process, ..StoreSettings::default() };
        // Migrations need more than one thread.
        let migrated = async { Store::open(&url, &storage).unwrap().migrate().await.unwrap() };
        Builder::new_multi_thread().enable_all().build().unwrap().block_on(migrated);

        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let address = runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let store = Store::open(&url, &storage).unwrap();
            let app = {
                let settings = settings(&url, storage, address, provider, http);
                App::build(settings, store, Clock::system()).await.unwrap()
            };
            #[expect(clippy::disallowed_methods, reason = "it ends with its runtime")]
            drop(tokio::spawn(app.serve(listener, Ending::default())));
            address
        });
        Self { runtime, address, _folder: folder }
    }
}

/// Lifts the limits on what one address may send.
fn lift_admission(http: &mut HttpSettings) {
    http.graphql.admission.operations.count = u32::MAX;
    http.graphql.admission.statements = 1_000;
}

/// The settings of `serve`, with cheap password hashes.
fn settings(
    url: &str,
    store: StoreSettings,
    listen: SocketAddr,
    provider: &str,
    http: HttpSettings,
) -> Settings {
    let line = format!(
        "countersign serve --database-url {url} --listen {listen} --public-url https://x.example --authy-api-key key \
         --authy-api-url {provider} --authy-callback-url http://127.0.0.1:9/authy/callback --hash-threads 1 --hash-queue 16 \
         --hash-memory-kib 8 --hash-passes 1 --shutdown-delay 0s --shutdown-timeout 1s"
    );
    let arguments = Arguments::try_parse_from(line.split(' ')).unwrap();
    match config::check(arguments).unwrap().task {
        Task::Serve(settings) => Settings { store, http, ..*settings },
        other => panic!("{other:?}"),
    }
}

/// A connection that is kept, with next to no cost of its own.
struct Connection(TcpStream);

impl Connection {
    async fn open(service: &Service) -> Self {
        let stream = TcpStream::connect(service.address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self(stream)
    }

    /// `POST /graphql`: the status, and the body.
    async fn post(&mut self, body: &str) -> (u16, Vec<u8>) {
        self.post_with("", body).await
    }

    /// The same, with further headers, each with its line end.
    async fn post_with(&mut self, headers: &str, body: &str) -> (u16, Vec<u8>) {
        let head = format!(
            "POST /graphql HTTP/1.1\r\nhost: x\r\naccept: application/graphql-response+json\r\ncontent-type: application/json\r\n{headers}content-length: {}\r\n\r\n",
            body.len()
        );
        self.0.write_all(head.as_bytes()).await.unwrap();
        self.0.write_all(body.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let head_end = loop {
            assert!(
                self.0.read_buf(&mut answer).await.unwrap() > 0,
                "the connection ended without an answer"
            );
            if let Some(end) = answer.windows(4).position(|window| window == b"\r\n\r\n") {
                break end + 4;
            }
        };
        let head = String::from_utf8(answer[..head_end].to_vec()).unwrap();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        let length: usize = length.parse().unwrap();
        while answer.len() < head_end + length {
            assert!(self.0.read_buf(&mut answer).await.unwrap() > 0, "the answer broke off");
        }
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, answer.split_off(head_end))
    }
}

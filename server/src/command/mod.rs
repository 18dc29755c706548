//! What each command does, from its settings to its exit code.

#[cfg(feature = "sandbox")]
mod sandboxed;

use std::{io::Write, net::SocketAddr, path::Path};

use anyhow::{Context, bail};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{
    app::App,
    clock::Clock,
    config::{DatabaseUrl, Settings, Task},
    graphql,
    storage::{Durability, Store},
};

/// Runs one command until it is done, or until the process is asked to end.
pub(crate) async fn run(task: Task) -> anyhow::Result<()> {
    let shutdown = CancellationToken::new();
    match task {
        #[cfg(feature = "sandbox")]
        Task::Dev(settings) => sandboxed::dev(settings, ended_by_signal(shutdown)?).await,
        Task::Serve(settings) => serve(*settings, ended_by_signal(shutdown)?).await,
        #[cfg(feature = "sandbox")]
        Task::Sandbox(settings) => sandboxed::sandbox(settings, ended_by_signal(shutdown)?).await,
        Task::Migrate(url) => migrate(&url).await,
        Task::Schema => print(&graphql::sdl()),
    }
}

/// Ends the token at SIGINT or SIGTERM.
fn ended_by_signal(shutdown: CancellationToken) -> anyhow::Result<CancellationToken> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let ended = shutdown.clone();
    #[expect(clippy::disallowed_methods, reason = "it ends the others, and lives as long as the process")]
    tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        tracing::info!("shutting down");
        ended.cancel();
    });
    Ok(shutdown)
}

async fn serve(settings: Settings, shutdown: CancellationToken) -> anyhow::Result<()> {
    let store = open(&settings.database_url, settings.durability)?;
    refuse_another_schema(&store).await?;
    let listener = bind(settings.listen).await?;
    let app = App::build(settings, store, Clock::system()).context("the service cannot be built")?;
    print(&format!("service http://{}\n", listener.local_addr()?))?;
    app.serve(listener, shutdown).await
}

/// A binary and a schema that do not fit ruin data quietly, so they do not start together.
async fn refuse_another_schema(store: &Store) -> anyhow::Result<()> {
    refuse_newer_schema(store).await?;
    let pending = store.pending_migrations().await.context("the database cannot be read")?;
    if !pending.is_empty() {
        bail!("the database is older than this binary; run `countersign migrate`: {}", pending.join(", "));
    }
    Ok(())
}

async fn refuse_newer_schema(store: &Store) -> anyhow::Result<()> {
    let unknown = store.unknown_migrations().await.context("the database cannot be read")?;
    if !unknown.is_empty() {
        bail!(
            "the database is newer than this binary, which does not know these migrations: {}",
            unknown.join(", ")
        );
    }
    Ok(())
}

async fn migrate(url: &DatabaseUrl) -> anyhow::Result<()> {
    let ran = migrated(&open(url, Durability::PowerCut)?).await?;
    if ran.is_empty() {
        return print("nothing to migrate\n");
    }
    ran.iter().try_for_each(|name| print(&format!("migrated {name}\n")))
}

/// Brings the schema up to this binary, and names the migrations that ran.
async fn migrated(store: &Store) -> anyhow::Result<Vec<String>> {
    refuse_newer_schema(store).await?;
    store.migrate().await.context("the migrations failed")
}

fn open(url: &DatabaseUrl, durability: Durability) -> anyhow::Result<Store> {
    if let Some(folder) = url.sqlite_path().and_then(|path| Path::new(path).parent()) {
        let exists = folder.as_os_str().is_empty() || folder.is_dir();
        anyhow::ensure!(exists, "the folder of DATABASE_URL does not exist");
    }
    Store::open(url.as_str(), durability).context("the database cannot be opened")
}

async fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))
}

/// Standard output is for what programs read: one line per listener, the schema, the migrations that ran.
fn print(text: &str) -> anyhow::Result<()> {
    let mut output = std::io::stdout().lock();
    output.write_all(text.as_bytes()).and_then(|()| output.flush()).context("standard output is closed")
}

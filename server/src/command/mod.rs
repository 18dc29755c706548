//! What each command does, from its settings to its exit code.

mod metrics;
mod open_files;
#[cfg(feature = "sandbox")]
mod sandboxed;

use std::{io::Write, net::SocketAddr, path::Path, process::ExitCode, time::Duration};

use anyhow::{Context, bail};
use tokio::net::TcpListener;

use crate::{
    app::{App, Ending},
    clock::Clock,
    config::{DatabaseUrl, DoctorSettings, Settings, Task},
    doctor::{self, Diagnosis},
    graphql,
    storage::{Store, StoreError, StoreSettings, is_open_to_eavesdroppers},
};

const UNREADABLE: &str = "the database of DATABASE_URL cannot be read";

/// Runs one command until it is done, or until the process is asked to end.
pub(crate) async fn run(task: Task) -> anyhow::Result<ExitCode> {
    match task {
        Task::Doctor(settings) => return Box::pin(doctor(*settings)).await,
        #[cfg(feature = "sandbox")]
        Task::Dev(settings) => sandboxed::dev(*settings, ending_by_signal(Duration::ZERO)?).await,
        Task::Serve(settings) => {
            let ending = ending_by_signal(settings.shutdown_delay)?;
            serve(*settings, ending).await
        }
        #[cfg(feature = "sandbox")]
        Task::Sandbox(settings) => {
            sandboxed::sandbox(settings, ending_by_signal(Duration::ZERO)?.begun).await
        }
        Task::Migrate(url) => migrate(&url).await,
        Task::Schema => print(&graphql::sdl()),
    }?;
    Ok(ExitCode::SUCCESS)
}

/// Announces the end at SIGINT or SIGTERM and begins it after the delay; a second signal ends the process at once.
fn ending_by_signal(delay: Duration) -> anyhow::Result<Ending> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let ending = Ending::default();
    let Ending { announced, begun } = ending.clone();
    let mut signalled = async move || {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    };
    #[expect(clippy::disallowed_methods, reason = "it ends the others, and lives as long as the process")]
    tokio::spawn(async move {
        signalled().await;
        tracing::info!(?delay, "shutting down");
        announced.cancel();
        let _ = tokio::time::timeout(delay, signalled()).await.map(|()| leave());
        begun.cancel();
        signalled().await;
        leave();
    });
    Ok(ending)
}

/// Somebody who signals twice does not want to wait.
#[expect(clippy::exit, reason = "what is lost thereby is what a crash loses: nothing that is committed")]
fn leave() {
    tracing::warn!("ended by a second signal");
    std::process::exit(1);
}

async fn serve(settings: Settings, ending: Ending) -> anyhow::Result<()> {
    if is_open_to_eavesdroppers(settings.database_url.as_str()) {
        tracing::warn!(
            "DATABASE_URL asks for no TLS (sslmode): others on the way can read and change what is said"
        );
    }
    let store = open(&settings.database_url, &settings.store)?;
    refuse_another_schema(&store).await?;
    let listener = bind(settings.listen).await?;
    open_files::allow(settings.http.listener.max_connections);
    let metrics = metrics::listen(settings.metrics_listen).await?;
    let app = App::build(settings, store, Clock::system()).await.context("the service cannot be built")?;
    print(&format!("service http://{}\n", listener.local_addr()?))?;
    metrics::announce(metrics.as_ref())?;
    let counts = metrics::serve(metrics, ending.begun.clone());
    tokio::join!(app.serve(listener, ending), counts).0
}

/// Whatever is wrong with the settings, it says what it can; and still tells by its exit code that they are.
async fn doctor(settings: DoctorSettings) -> anyhow::Result<ExitCode> {
    let http = settings.examined.http.as_ref();
    let open_files = http.and_then(|http| open_files::shortage(http.listener.max_connections));
    let (diagnosis, report) = Box::pin(doctor::examine(settings, open_files)).await?;
    print(&report)?;
    Ok(match diagnosis {
        Diagnosis::Healthy => ExitCode::SUCCESS,
        Diagnosis::Ill => ExitCode::FAILURE,
        Diagnosis::WrongSettings => ExitCode::from(2),
    })
}

/// A binary and a schema that do not fit ruin data quietly, so they do not start together.
async fn refuse_another_schema(store: &Store) -> anyhow::Result<()> {
    let unknown = store.unknown_migrations().await.context(UNREADABLE)?;
    if !unknown.is_empty() {
        return Err(StoreError::Newer(unknown).into());
    }
    let pending = store.pending_migrations().await.context(UNREADABLE)?;
    if !pending.is_empty() {
        bail!("the database is older than this binary; run `countersign migrate`: {}", pending.join(", "));
    }
    Ok(())
}

async fn migrate(url: &DatabaseUrl) -> anyhow::Result<()> {
    let ran = migrated(&open(url, &StoreSettings::default())?).await?;
    if ran.is_empty() {
        return print("nothing to migrate\n");
    }
    ran.iter().try_for_each(|name| print(&format!("migrated {name}\n")))
}

/// Brings the schema up to this binary, and names the migrations that ran.
async fn migrated(store: &Store) -> anyhow::Result<Vec<String>> {
    store.migrate().await.map_err(|error| match error {
        StoreError::Newer(_) => error.into(),
        StoreError::Migration(_) => anyhow::Error::new(error).context("the migrations failed"),
        other => anyhow::Error::new(other).context(UNREADABLE),
    })
}

fn open(url: &DatabaseUrl, settings: &StoreSettings) -> anyhow::Result<Store> {
    if let Some(folder) = url.sqlite_path().and_then(|path| Path::new(path).parent()) {
        let exists = folder.as_os_str().is_empty() || folder.is_dir();
        anyhow::ensure!(exists, "the folder of DATABASE_URL does not exist");
    }
    Store::open(url.as_str(), settings).context("the database cannot be opened")
}

async fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))
}

/// Standard output is for what programs read: one line per listener, the schema, the migrations that ran.
fn print(text: &str) -> anyhow::Result<()> {
    let mut output = std::io::stdout().lock();
    output.write_all(text.as_bytes()).and_then(|()| output.flush()).context("standard output is closed")
}

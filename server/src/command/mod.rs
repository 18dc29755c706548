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
    config::{self, DatabaseUrl, DoctorSettings, HealthSettings, Settings, Task},
    doctor::{self, Diagnosis, is_below_owasp_minimum, is_healthy},
    graphql,
    storage::{Store, StoreError, StoreSettings, is_open_to_eavesdroppers, process_using},
    users::PasswordSettings,
};

#[cfg(feature = "sandbox")]
pub use sandboxed::DevService;

const UNREADABLE: &str = "the database of DATABASE_URL cannot be read";

/// Runs one command until it is done, or until the process is asked to end.
pub(crate) async fn run(task: Task) -> anyhow::Result<ExitCode> {
    match task {
        Task::Doctor(settings) => return Box::pin(doctor(*settings)).await,
        #[cfg(feature = "sandbox")]
        Task::Dev(settings) => Box::pin(sandboxed::dev(*settings, ending_by_signal(Duration::ZERO)?)).await,
        Task::Serve(settings) => {
            let ending = ending_by_signal(settings.shutdown_delay)?;
            serve(*settings, ending).await
        }
        #[cfg(feature = "sandbox")]
        Task::Sandbox(settings) => {
            sandboxed::sandbox(settings, ending_by_signal(Duration::ZERO)?.begun).await
        }
        Task::Health(settings) => return health(settings).await,
        Task::Migrate(url) => migrate(&url).await,
        Task::Schema => print(&graphql::sdl()),
        Task::Reference(form) => print(&config::reference(form)),
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

async fn serve(mut settings: Settings, ending: Ending) -> anyhow::Result<()> {
    warn_of_weak_settings(&settings);
    warn_of_another_process(&settings.database_url);
    let store = open(&settings.database_url, &settings.store)?;
    store.check_encoding().await.map_err(readable)?;
    refuse_another_schema(&store).await?;
    warn_of_missing_providers(&store, &settings).await?;
    let listener = bind(settings.listen).await?;
    let listener_settings = &mut settings.http.listener;
    listener_settings.max_connections =
        open_files::allow(listener_settings.max_connections, settings.store.database_pool_size);
    let metrics = metrics::listen(settings.metrics_listen).await?;
    let metrics_hosts = settings.http.metrics_hosts.clone();
    let app = App::build(settings, store, Clock::system()).await.context("the service cannot be built")?;
    print(&format!("service http://{}\n", listener.local_addr()?))?;
    metrics::announce(metrics.as_ref())?;
    let counts = metrics::serve(metrics, metrics_hosts, &app, &ending);
    tokio::join!(app.serve(listener, ending), counts).0
}

/// Logs what the settings allow and a public service should not have.
fn warn_of_weak_settings(settings: &Settings) {
    if is_open_to_eavesdroppers(settings.database_url.as_str()) {
        tracing::warn!(
            "DATABASE_URL asks for no TLS (sslmode): others on the way can read and change what is said"
        );
    }
    if settings.is_public_in_the_clear() {
        tracing::warn!("PUBLIC_URL is not https: others on the network can read passwords and sessions");
    }
    if is_below_owasp_minimum(&settings.passwords) {
        let PasswordSettings { hash_memory_kib, hash_passes, .. } = settings.passwords;
        tracing::warn!(
            memory_kib = hash_memory_kib,
            passes = hash_passes,
            "HASH_MEMORY_KIB and HASH_PASSES are below OWASP's minimum; remove both to use 19456 and 2"
        );
    }
}

/// Open logins keep the provider that they were started with: without it, they end at their deadline.
async fn warn_of_missing_providers(store: &Store, settings: &Settings) -> anyhow::Result<()> {
    if settings.providers.is_empty() {
        tracing::warn!("PROVIDERS is `none`: nobody can countersign a login");
    }
    let needed = store.providers_of_open_approvals().await.context(UNREADABLE)?;
    for provider in needed {
        if settings.providers.iter().all(|configured| configured.name() != provider) {
            tracing::warn!(
                provider,
                "open logins need a provider that is not configured; add it to PROVIDERS until they have ended"
            );
        }
    }
    Ok(())
}

/// Asks a running service whether it can serve, or only whether it responds.
async fn health(settings: HealthSettings) -> anyhow::Result<ExitCode> {
    let is_healthy =
        is_healthy(settings).await.with_context(|| format!("no response from {}", settings.listen))?;
    let state = if settings.is_liveness { "live" } else { "ready" };
    print(&if is_healthy { format!("{state}\n") } else { format!("not {state}\n") })?;
    Ok(if is_healthy { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Whatever is wrong with the settings, it says what it can; and still tells by its exit code that they are.
async fn doctor(settings: DoctorSettings) -> anyhow::Result<ExitCode> {
    let service = &settings.settings.given.service;
    let open_files = open_files::shortage(service.wire.max_connections, service.store.database_pool_size);
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
    store.migrate().await.map_err(readable)
}

/// Says that the database cannot be read, where the error does not say enough.
fn readable(error: StoreError) -> anyhow::Error {
    match error {
        StoreError::Newer(_) | StoreError::Encoding(_) | StoreError::Migration(_) => error.into(),
        other => anyhow::Error::new(other).context(UNREADABLE),
    }
}

/// SQLite takes writes of two processes, and each loses what only the other hears of: hints, open sockets, what is remembered.
fn warn_of_another_process(url: &DatabaseUrl) {
    let other = url.sqlite_path().and_then(|path| process_using(Path::new(path)));
    if let Some(process) = other {
        tracing::warn!(
            process,
            "another process has the file of DATABASE_URL open; if it is a service, end one of the two: for several instances, \
             take PostgreSQL"
        );
    }
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

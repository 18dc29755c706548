//! The commands with a sandbox.

use std::{
    io::ErrorKind,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    path::PathBuf,
    sync::Arc,
};

use countersign_sandbox::{Sandbox, SandboxConfig, SystemClock};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::{App, Clock, Context, Ending, bind, metrics, migrated, open, print, warn_of_another_process};
use crate::{
    config::{DatabaseUrl, DevSettings, SandboxSettings},
    provider::ProviderSettings,
};

pub(super) async fn dev(dev: DevSettings, ending: Ending) -> anyhow::Result<()> {
    let DevSettings { mut settings, mut authy, sandbox_listen } = dev;
    let clock = Clock::system();
    warn_of_another_process(&settings.database_url);
    let store = open(&settings.database_url, &settings.store)?;
    migrated(&store).await?;
    let (listener, sandbox_listener) = (bind(settings.listen).await?, bind(sandbox_listen).await?);
    let (service, phones) = (listener.local_addr()?, sandbox_listener.local_addr()?);
    let second = SecondAddress::of(service).await;
    // Only now are the ports known.
    let phone_url = format!("http://{phones}");
    authy.api_url = Url::parse(&phone_url)?;
    authy.callback_url = format!("http://{service}/authy/callback");
    settings.http.phone = Some(phone_url);
    settings.http.session_cookie_port = Some(service.port());
    let sandbox = SandboxConfig {
        api_key: authy.api_key.expose().to_owned(),
        callback_url: Some(authy.callback_url.clone()),
        state_file: Some(state_beside(&settings.database_url)),
        exposed: false,
    };
    let sandbox =
        Sandbox::open(sandbox, Arc::new(Shared(clock.clone()))).context("the sandbox cannot be opened")?;
    settings.providers.push(ProviderSettings::Authy(authy));
    let metrics = metrics::listen(settings.metrics_listen).await?;
    let metrics_hosts = settings.http.metrics_hosts.clone();
    let app = App::build(settings, store, clock).await.context("the service cannot be built")?;
    print(&format!("service http://{}\nsandbox http://{phones}\n", second.name_of(service)))?;
    let app = app.also_on(second.into_socket());
    metrics::announce(metrics.as_ref())?;
    let counts = metrics::serve(metrics, metrics_hosts, &app, &ending);
    let served = sandbox.serve(sandbox_listener, ending.begun.clone());
    let (service, sandbox, ()) = tokio::join!(app.serve(listener, ending), served, counts);
    service.and(sandbox.context("the sandbox failed"))
}

/// The other address that `localhost` has beside `127.0.0.1`.
enum SecondAddress {
    /// `[::1]`, with the same port.
    Listening(TcpListener),
    /// This machine has no IPv6: `localhost` means one address alone.
    Missing,
    /// Another program listens there, or the first address is not `127.0.0.1`.
    Taken,
}

impl SecondAddress {
    async fn of(first: SocketAddr) -> Self {
        if first.ip() != Ipv4Addr::LOCALHOST {
            return Self::Taken;
        }
        match TcpListener::bind((Ipv6Addr::LOCALHOST, first.port())).await {
            Ok(socket) => Self::Listening(socket),
            Err(error) if error.kind() == ErrorKind::AddrInUse => Self::Taken,
            Err(_no_ipv6) => Self::Missing,
        }
    }

    /// What a browser opens: the name wherever it leads here, since some of what browsers do is bound to a name.
    fn name_of(&self, first: SocketAddr) -> String {
        match self {
            Self::Listening(_) | Self::Missing => format!("localhost:{}", first.port()),
            Self::Taken => first.to_string(),
        }
    }

    fn into_socket(self) -> Option<TcpListener> {
        match self {
            Self::Listening(socket) => Some(socket),
            Self::Missing | Self::Taken => None,
        }
    }
}

pub(super) async fn sandbox(settings: SandboxSettings, shutdown: CancellationToken) -> anyhow::Result<()> {
    let config = SandboxConfig {
        api_key: settings.api_key.expose().to_owned(),
        callback_url: settings.callback_url,
        state_file: settings.state_file,
        exposed: settings.is_exposed,
    };
    let sandbox = Sandbox::open(config, Arc::new(SystemClock)).context("the sandbox cannot be opened")?;
    let listener = bind(settings.listen).await?;
    print(&format!("sandbox http://{}\n", listener.local_addr()?))?;
    sandbox.serve(listener, shutdown).await.context("the sandbox failed")
}

/// Beside the SQLite file, or in the working folder by the name of the PostgreSQL database, so that a restart forgets
/// neither users nor their phones.
fn state_beside(url: &DatabaseUrl) -> PathBuf {
    let path = url.sqlite_path().map_or_else(|| PathBuf::from(url.server_database()), PathBuf::from);
    path.with_extension("sandbox.json")
}

/// The service's clock, lent to the sandbox: in `dev`, both parts live in the same time.
struct Shared(Clock);

impl countersign_sandbox::Clock for Shared {
    fn now(&self) -> chrono::DateTime<chrono::Utc> {
        self.0.now()
    }

    fn advance(&self, by: std::time::Duration) -> bool {
        self.0.advance(by);
        true
    }
}

//! The commands with a sandbox, and the service that `dev` runs.

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

/// Runs the service and the sandbox until the end.
pub(super) async fn dev(dev: DevSettings, ending: Ending) -> anyhow::Result<()> {
    let (url, metrics_listen) = (&dev.settings.database_url, dev.settings.metrics_listen);
    warn_of_another_process(url);
    let (state_file, metrics_hosts) = (state_beside(url), dev.settings.http.metrics_hosts.clone());
    // Before the parts are joined: what they count until then is lost.
    let metrics = metrics::listen(metrics_listen).await?;
    let service = DevService::build(dev, Some(state_file)).await?;
    let names = (service.second.name_of(service.address()?), service.sandbox_address()?);
    print(&format!("service http://{}\nsandbox http://{}\n", names.0, names.1))?;
    metrics::announce(metrics.as_ref())?;
    let counts = metrics::serve(metrics, metrics_hosts, &service.app, &ending);
    tokio::join!(service.serve(ending), counts).0
}

/// A service and its sandbox with one clock, listening but not serving yet. `dev` runs one; tests run many in one process.
pub struct DevService {
    app: App,
    listener: TcpListener,
    second: SecondAddress,
    sandbox: Sandbox,
    sandbox_listener: TcpListener,
}

impl DevService {
    /// Migrates the database, listens, and joins the parts. `state_file` keeps the phones over a restart.
    pub async fn build(dev: DevSettings, state_file: Option<PathBuf>) -> anyhow::Result<Self> {
        let DevSettings { mut settings, mut authy, sandbox_listen } = dev;
        let clock = Clock::system();
        let store = open(&settings.database_url, &settings.store)?;
        migrated(&store).await?;
        let (listener, sandbox_listener) = (bind(settings.listen).await?, bind(sandbox_listen).await?);
        let service = listener.local_addr()?;
        let second = SecondAddress::of(service).await;
        // Only now are the ports known.
        let phone_url = format!("http://{}", sandbox_listener.local_addr()?);
        authy.api_url = Url::parse(&phone_url)?;
        authy.callback_url = format!("http://{service}/authy/callback");
        settings.http.phone = Some(phone_url);
        settings.http.session_cookie_port = Some(service.port());
        let sandbox = SandboxConfig {
            api_key: authy.api_key.expose().to_owned(),
            callback_url: Some(authy.callback_url.clone()),
            state_file,
            exposed: false,
        };
        let sandbox = Sandbox::open(sandbox, Arc::new(Shared(clock.clone())))
            .context("the sandbox cannot be opened")?;
        settings.providers.push(ProviderSettings::Authy(authy));
        let app = App::build(settings, store, clock).await.context("the service cannot be built")?;
        Ok(Self { app, listener, second, sandbox, sandbox_listener })
    }

    /// Returns the address of the service.
    pub fn address(&self) -> anyhow::Result<SocketAddr> {
        Ok(self.listener.local_addr()?)
    }

    /// Returns the address of the sandbox.
    pub fn sandbox_address(&self) -> anyhow::Result<SocketAddr> {
        Ok(self.sandbox_listener.local_addr()?)
    }

    /// Serves until the end has begun, and until what runs then has ended.
    pub async fn serve(self, ending: Ending) -> anyhow::Result<()> {
        let served = self.sandbox.serve(self.sandbox_listener, ending.begun.clone());
        let app = self.app.also_on(self.second.into_socket());
        let (service, sandbox) = tokio::join!(app.serve(self.listener, ending), served);
        service.and(sandbox.context("the sandbox failed"))
    }
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

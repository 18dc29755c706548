//! The settings of the service, and the one check that `serve`, `dev` and `doctor` share.

use std::{net::SocketAddr, time::Duration};

use clap::Args;
use url::Url;

use super::{
    problems::{Problems, SettingError},
    providers::ProviderArguments,
    proxy::ProxyArguments,
    telemetry::ExportArguments,
    values::{DatabaseUrl, http_url, listen_address},
    wire::WireArguments,
};
use crate::{
    approvals::ApprovalSettings,
    events::{NatsUrl, Transport},
    housekeeping::Retention,
    http::HttpSettings,
    limits::LimitSettings,
    model::{parse_duration_or_none, parse_short_duration},
    provider::ProviderSettings,
    storage::StoreSettings,
    users::PasswordSettings,
};

/// The shortest time after which unused sessions may end.
const SHORTEST_IDLE: Duration = Duration::from_mins(5);
/// How long a login is needed past its deadline: to be read, and by a phone that objects.
const READ_AFTER_THE_END: Duration = Duration::from_mins(3);

/// The address of the service.
#[derive(Args, Clone, Copy, Debug)]
#[command(next_help_heading = "Service")]
pub(crate) struct ListenArgument {
    /// The address on which the service listens: an address or name of this machine, and a port. Port 0 takes a free one.
    #[arg(long, env = "LISTEN", default_value = "127.0.0.1:3000", value_parser = listen_address)]
    pub listen: SocketAddr,
}

/// The database.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Database and instances")]
pub struct DatabaseArgument {
    /// The database: `sqlite:PATH` or `postgres://USER:PASSWORD@HOST/NAME`. `?sslmode=verify-full` encrypts and checks the
    /// server's certificate and name; `&sslrootcert=PATH` names the authority, otherwise the system's are trusted.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    pub database_url: Option<DatabaseUrl>,
}

impl DatabaseArgument {
    pub(super) fn check(self, mut problems: Problems) -> Result<DatabaseUrl, Vec<SettingError>> {
        let url = problems.require("DATABASE_URL", self.database_url);
        problems.or(url)
    }
}

/// The settings that `serve` and `dev` share.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Service")]
pub(crate) struct ServiceArguments {
    #[command(flatten)]
    pub(crate) listen: ListenArgument,
    #[command(flatten)]
    pub(crate) wire: WireArguments,
    #[command(flatten)]
    pub(crate) database: DatabaseArgument,
    #[command(flatten)]
    pub(crate) store: StoreSettings,
    /// How instances notify each other of changes: `nats://USER:PASSWORD@HOST:PORT` or `tls://…`, several separated by commas
    /// [default: by the database; PostgreSQL with NOTIFY].
    #[arg(long, env = "EVENTS_URL", hide_env_values = true, help_heading = "Database and instances")]
    pub(crate) events_url: Option<NatsUrl>,
    #[command(flatten)]
    pub(crate) retention: Retention,
    #[command(flatten)]
    pub(crate) logins: ApprovalSettings,
    #[command(flatten)]
    pub(crate) passwords: PasswordSettings,
    #[command(flatten)]
    pub(crate) limits: LimitSettings,
    /// The address on which Prometheus reads the metrics, at `/metrics`. Only the operator should reach it. Port 0 takes a free
    /// one [default: none].
    #[arg(long, env = "METRICS_LISTEN", value_parser = listen_address, help_heading = "Metrics, logs and traces")]
    pub(crate) metrics_listen: Option<SocketAddr>,
    #[command(flatten)]
    pub(crate) export: ExportArguments,
}

/// The settings of `serve`.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Service")]
pub struct ServeArguments {
    /// The URL at which browsers reach the service: `https://login.example.com`. `serve` requires it.
    #[arg(long, env = "PUBLIC_URL", value_parser = http_url)]
    pub(crate) public_url: Option<Url>,
    #[command(flatten)]
    pub(crate) providers: ProviderArguments,
    #[command(flatten)]
    pub(crate) service: ServiceArguments,
    #[command(flatten)]
    pub(crate) proxy: ProxyArguments,
    /// How long the service still accepts connections after SIGTERM. `/health/ready` says 503 meanwhile, so that a load balancer
    /// stops sending requests. A second signal ends the service at once.
    #[arg(long, env = "SHUTDOWN_DELAY", default_value = "3s", value_parser = parse_duration_or_none, help_heading = "Service")]
    pub(crate) shutdown_delay: Duration,
    /// How long running requests may then take to finish.
    #[arg(long, env = "SHUTDOWN_TIMEOUT", default_value = "10s", value_parser = parse_short_duration, help_heading = "Service")]
    pub(crate) shutdown_timeout: Duration,
}

/// All that the service needs to know to run, checked.
#[derive(Debug)]
pub struct Settings {
    /// The address on which the service listens.
    pub listen: SocketAddr,
    /// The address on which its metrics are read, if any.
    pub metrics_listen: Option<SocketAddr>,
    /// The database.
    pub database_url: DatabaseUrl,
    /// The database's connections.
    pub store: StoreSettings,
    /// The providers, in the order in which codes are sent by them.
    pub providers: Vec<ProviderSettings>,
    /// Logins and sessions.
    pub logins: ApprovalSettings,
    /// Passwords and their hashes.
    pub passwords: PasswordSettings,
    /// Rate limits.
    pub limits: LimitSettings,
    /// How notifications reach other instances.
    pub events: Transport,
    /// How long ended logins and sessions are kept.
    pub retention: Retention,
    /// How long the service still accepts connections after a signal.
    pub shutdown_delay: Duration,
    /// How long running requests may then take to finish.
    pub shutdown_timeout: Duration,
    /// Who may talk to the service, and how much.
    pub http: HttpSettings,
}

/// The settings in which commands differ.
pub(super) struct CommandParts {
    pub(super) http: Option<HttpSettings>,
    pub(super) providers: Option<Vec<ProviderSettings>>,
    pub(super) shutdown_delay: Duration,
    pub(super) shutdown_timeout: Duration,
}

impl ServiceArguments {
    /// Returns how notifications reach other instances.
    pub(super) fn transport(&self) -> Transport {
        self.events_url.clone().map_or(Transport::Database, Transport::Nats)
    }

    /// Joins all settings of a command, or returns every error in them.
    pub(super) fn check(
        self,
        parts: CommandParts,
        mut problems: Problems,
    ) -> Result<Settings, Vec<SettingError>> {
        let events = self.transport();
        let database_url = problems.require("DATABASE_URL", self.database.database_url);
        if self.retention.login_retention < self.logins.login_ttl + READ_AFTER_THE_END {
            let problem = "must be at least LOGIN_TTL and three minutes: the login is needed until then";
            problems.add(SettingError::new("LOGIN_RETENTION", problem));
        }
        if self.logins.session_idle_ttl < SHORTEST_IDLE {
            let problem = "must be at least five minutes: use is recorded once a minute";
            problems.add(SettingError::new("SESSION_IDLE_TTL", problem));
        }
        let settings = (|| {
            Some(Settings {
                listen: self.listen.listen,
                metrics_listen: self.metrics_listen,
                database_url: database_url?,
                store: self.store,
                providers: parts.providers?,
                logins: self.logins,
                passwords: self.passwords,
                limits: self.limits,
                events,
                retention: self.retention,
                shutdown_delay: parts.shutdown_delay,
                shutdown_timeout: parts.shutdown_timeout,
                http: parts.http?,
            })
        })();
        problems.or(settings)
    }
}

impl ServeArguments {
    /// Returns all settings of `serve`, or every error in them.
    pub(super) fn check(self, mut problems: Problems) -> Result<Settings, Vec<SettingError>> {
        let Self { service, proxy, public_url, .. } = self;
        let proxy = proxy.check();
        problems.keep(service.export.check(proxy.clone()));
        let timeout = service.logins.provider_timeout;
        let providers = self.providers.check(public_url.as_ref(), timeout, &proxy, &mut problems);
        let public_url = problems.require("PUBLIC_URL", public_url);
        let http = problems.keep(service.wire.clone().check());
        let http =
            http.zip(public_url).and_then(|(http, url)| problems.keep(service.wire.publish(http, &url)));
        let parts = CommandParts {
            http,
            providers,
            shutdown_delay: self.shutdown_delay,
            shutdown_timeout: self.shutdown_timeout,
        };
        service.check(parts, problems)
    }
}

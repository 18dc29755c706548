//! The command line: commands, flags, environment variables, defaults.

use std::{net::SocketAddr, num::NonZeroUsize, time::Duration};

use clap::{Args, Parser, Subcommand, ValueEnum};
use tracing::Level;
use url::Url;

#[cfg(feature = "sandbox")]
use super::sandboxed;
use super::{
    SettingError,
    examined::{DoctorArguments, Examined, Parts},
    limits::LimitArguments,
    proxy::ProxyArguments,
    telemetry::{ExportArguments, LogFormatArgument},
    values::{
        DatabaseUrl, Logos, duration, duration_or_none, http_url, is_loopback, listen_address, required,
        short_duration,
    },
    wire::WireArguments,
};
use crate::{
    events::{NatsUrl, Transport},
    housekeeping::Retention,
    logins::LoginSettings,
    provider::authy::ApiKey,
    storage::{Durability, StoreSettings},
    users::PasswordSettings,
};

/// For how long a login may be needed past its deadline: to be read, and by a phone that objects.
const READ_AFTER_THE_END: Duration = Duration::from_mins(3);

/// A login service with two factors behind one GraphQL schema.
#[derive(Debug, Parser)]
#[command(name = "countersign", version, max_term_width = 110)]
pub struct Arguments {
    /// What to run.
    #[command(subcommand)]
    pub command: Command,
    /// How much to log: error, warn, info, debug or trace. Secrets are never logged.
    #[arg(long, env = "LOG_LEVEL", default_value = "info", global = true)]
    pub log_level: Level,
    /// What a line of the log looks like [default: `json` in `serve`, otherwise `text`].
    #[arg(long, env = "LOG_FORMAT", global = true)]
    pub log_format: Option<LogFormatArgument>,
}

/// What can be run.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Everything on one machine, with nothing to install or configure: the service on SQLite, and the sandbox.
    #[cfg(feature = "sandbox")]
    Dev(Box<sandboxed::DevArguments>),
    /// The service, from its configuration.
    Serve(Box<ServeArguments>),
    /// The sandbox alone: an emulator of Authy with phones to click on.
    #[cfg(feature = "sandbox")]
    Sandbox(sandboxed::SandboxArguments),
    /// Looks at everything that `serve` needs with these settings, and says what to do about what is wrong. Changes nothing,
    /// and sends nobody a message. Exit codes: 0 nothing failed, 1 something did, 2 wrong settings.
    Doctor(Box<DoctorArguments>),
    /// Asks a running service on this machine whether it can serve, for containers. Exit codes: 0 yes, 1 no, 2 wrong settings.
    Health(HealthArguments),
    /// Runs pending migrations, and says which.
    Migrate {
        /// The database: `sqlite:PATH` or `postgres://…`.
        #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
        database_url: Option<DatabaseUrl>,
    },
    /// Prints the GraphQL schema.
    Schema,
}

/// The flags of `serve`.
#[derive(Args, Debug)]
pub struct ServeArguments {
    /// Where the service listens; port 0 takes a free one.
    #[arg(long, env = "LISTEN", default_value = "127.0.0.1:3000", value_parser = listen_address)]
    listen: SocketAddr,
    /// Where Prometheus reads what was counted, at `/metrics`: an address that only the operator reaches; port 0 takes a free
    /// one [default: nowhere].
    #[arg(long, env = "METRICS_LISTEN", value_parser = listen_address)]
    metrics_listen: Option<SocketAddr>,
    /// The database: `sqlite:PATH` or `postgres://…`.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    database_url: Option<DatabaseUrl>,
    /// Where browsers find the service: `https://login.example.com`.
    #[arg(long, env = "PUBLIC_URL", value_parser = http_url)]
    public_url: Option<Url>,
    /// The key of the Authy application.
    #[arg(long, env = "AUTHY_API_KEY", hide_env_values = true, value_parser = ApiKey::parse)]
    authy_api_key: Option<ApiKey>,
    /// Where Authy's API is.
    #[arg(long, env = "AUTHY_API_URL", default_value = "https://api.authy.com", value_parser = http_url)]
    authy_api_url: Url,
    /// Where Authy calls back, exactly as entered in its console: that is what it signs [default: `PUBLIC_URL` +
    /// `/authy/callback`].
    #[arg(long, env = "AUTHY_CALLBACK_URL")]
    authy_callback_url: Option<String>,
    /// From the signal to end to the end of taking connections: `/health/ready` says no meanwhile, so that a load balancer
    /// finds out before anybody is turned away. A second signal ends the service at once.
    #[arg(long, env = "SHUTDOWN_DELAY", default_value = "3s", value_parser = duration_or_none)]
    shutdown_delay: Duration,
    /// How long what runs may then take to finish.
    #[arg(long, env = "SHUTDOWN_TIMEOUT", default_value = "10s", value_parser = short_duration)]
    shutdown_timeout: Duration,
    #[command(flatten)]
    database: DatabaseArguments,
    #[command(flatten)]
    fleet: FleetArguments,
    #[command(flatten)]
    logins: LoginArguments,
    #[command(flatten)]
    passwords: PasswordArguments,
    #[command(flatten)]
    limits: LimitArguments,
    #[command(flatten)]
    wire: WireArguments,
    #[command(flatten)]
    pub(super) proxy: ProxyArguments,
    #[command(flatten)]
    pub(super) export: ExportArguments,
}

/// The flags of `health`.
#[derive(Args, Debug)]
pub struct HealthArguments {
    /// Where the service listens.
    #[arg(long, env = "LISTEN", default_value = "127.0.0.1:3000", value_parser = listen_address)]
    listen: SocketAddr,
    /// Ask only whether the process responds, instead of whether it can serve a login.
    #[arg(long)]
    live: bool,
}

/// Which question `countersign health` asks, and where.
#[derive(Clone, Copy, Debug)]
pub struct HealthSettings {
    /// Where the service listens.
    pub listen: SocketAddr,
    /// Whether to ask only for a sign of life.
    pub is_liveness: bool,
}

impl HealthArguments {
    pub(super) fn check(self) -> Result<HealthSettings, SettingError> {
        if self.listen.port() == 0 {
            return Err(SettingError::new(
                "LISTEN",
                "must name a port: with port 0 only the service knows which",
            ));
        }
        Ok(HealthSettings { listen: self.listen, is_liveness: self.live })
    }
}

/// The flags that say how instances work together, and what they keep.
#[derive(Args, Debug)]
pub(super) struct FleetArguments {
    /// How instances tell each other of changes: `nats://HOST:PORT`, several with commas [default: as the database does it,
    /// PostgreSQL by NOTIFY].
    #[arg(long, env = "EVENTS_URL", hide_env_values = true)]
    events_url: Option<NatsUrl>,
    /// For how long logins that are over are kept.
    #[arg(long, env = "LOGIN_RETENTION", default_value = "30d", value_parser = duration)]
    login_retention: Duration,
    /// For how long sessions are kept past their end.
    #[arg(long, env = "SESSION_RETENTION", default_value = "30d", value_parser = duration)]
    session_retention: Duration,
}

/// The flags that say how a database is used.
#[derive(Args, Debug)]
pub(super) struct DatabaseArguments {
    /// Connections to PostgreSQL of this instance. SQLite has one writer and needs no setting.
    #[arg(long, env = "DATABASE_POOL_SIZE", default_value_t = 16, value_parser = clap::value_parser!(u16).range(2..=1_000))]
    database_pool_size: u16,
    /// How long a query waits for a free connection.
    #[arg(long, env = "DATABASE_POOL_WAIT", default_value = "5s", value_parser = short_duration)]
    database_pool_wait: Duration,
    /// How long connecting to PostgreSQL may take.
    #[arg(long, env = "DATABASE_CONNECT_TIMEOUT", default_value = "3s", value_parser = short_duration)]
    database_connect_timeout: Duration,
    /// How long one statement may take on PostgreSQL, waiting for locks included.
    #[arg(long, env = "DATABASE_STATEMENT_TIMEOUT", default_value = "5s", value_parser = short_duration)]
    database_statement_timeout: Duration,
}

/// The flags that say how logins live.
#[derive(Args, Debug)]
pub(super) struct LoginArguments {
    /// From the beginning of a login to its deadline.
    #[arg(long, env = "LOGIN_TTL", default_value = "10m", value_parser = duration)]
    pub(super) login_ttl: Duration,
    /// How long a session lasts.
    #[arg(long, env = "SESSION_TTL", default_value = "12h", value_parser = duration)]
    session_ttl: Duration,
    /// How long one call to the provider may take; a whole mutation takes at most twice that.
    #[arg(long, env = "PROVIDER_TIMEOUT", default_value = "3s", value_parser = short_duration)]
    provider_timeout: Duration,
    /// From one code to the next of the same login.
    #[arg(long, env = "RESEND_PAUSE", default_value = "30s", value_parser = duration)]
    resend_pause: Duration,
    /// Which logins a code may still approve after the phone denied them: those from a `known_device`, all of them (`code`),
    /// or none (`final`). The code has to be asked for after the denial, and a denied signup is always over.
    #[arg(long, env = "AFTER_DENIAL", default_value = "known_device", value_enum)]
    after_denial: AfterDenial,
    /// Codes that one login may have judged; when all were wrong, it is over.
    #[arg(long, env = "WRONG_CODES_PER_LOGIN", default_value_t = 5, value_parser = clap::value_parser!(i32).range(1..=100))]
    wrong_codes_per_login: i32,
    /// How long a browser is known after somebody has signed in in it.
    #[arg(long, env = "DEVICE_TTL", default_value = "180d", value_parser = duration)]
    device_ttl: Duration,
    /// The logos of the push: `default=https://…,low=https://…`.
    #[arg(long, env = "APPROVAL_LOGOS", default_value = "")]
    pub(super) approval_logos: Logos,
}

/// Which logins a code may still approve after a denial, as it is written in the settings.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum AfterDenial {
    #[value(name = "known_device")]
    KnownDevice,
    Code,
    Final,
}

impl From<AfterDenial> for crate::model::AfterDenial {
    fn from(given: AfterDenial) -> Self {
        match given {
            AfterDenial::KnownDevice => Self::KnownDevice,
            AfterDenial::Code => Self::Code,
            AfterDenial::Final => Self::Final,
        }
    }
}

/// The flags that say how passwords are hashed.
#[derive(Args, Debug)]
pub(super) struct PasswordArguments {
    /// Threads that hash passwords [default: as many as there are cores].
    #[arg(long, env = "HASH_THREADS")]
    hash_threads: Option<NonZeroUsize>,
    /// Passwords that may wait for a thread; past that, the answer is "busy".
    #[arg(long, env = "HASH_QUEUE", default_value_t = 128, value_parser = clap::value_parser!(u32).range(..=1_000_000))]
    hash_queue: u32,
    /// Memory of one password hash, in KiB (argon2id).
    #[arg(long, env = "HASH_MEMORY_KIB", default_value_t = 19_456, value_parser = clap::value_parser!(u32).range(8..=4_194_304))]
    hash_memory_kib: u32,
    /// Passes of one password hash (argon2id).
    #[arg(long, env = "HASH_PASSES", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=100))]
    hash_passes: u32,
    /// What people call this service: no new password may be made of it.
    #[arg(long, env = "SERVICE_NAME", default_value = "Countersign")]
    service_name: String,
}

impl DatabaseArguments {
    pub(super) fn check(&self, durability: Durability) -> StoreSettings {
        StoreSettings {
            durability,
            pool_size: self.database_pool_size.into(),
            pool_wait: self.database_pool_wait,
            connect_timeout: self.database_connect_timeout,
            statement_timeout: self.database_statement_timeout,
        }
    }
}

impl FleetArguments {
    pub(super) fn transport(&self) -> Transport {
        self.events_url.clone().map_or(Transport::Database, Transport::Nats)
    }

    /// `login_ttl`: how long a login waits, and then can still be read and objected to.
    pub(super) fn retention(&self, login_ttl: Duration) -> Result<Retention, SettingError> {
        if self.login_retention < login_ttl + READ_AFTER_THE_END {
            let problem =
                "must be LOGIN_TTL and three minutes at least: until then the login is still needed";
            return Err(SettingError::new("LOGIN_RETENTION", problem));
        }
        Ok(Retention { logins: self.login_retention, sessions: self.session_retention })
    }
}

impl LoginArguments {
    pub(super) fn check(&self) -> LoginSettings {
        LoginSettings {
            ttl: self.login_ttl,
            session_ttl: self.session_ttl,
            provider_timeout: self.provider_timeout,
            resend_pause: self.resend_pause,
            after_denial: self.after_denial.into(),
            tries: self.wrong_codes_per_login,
            device_ttl: self.device_ttl,
        }
    }
}

impl PasswordArguments {
    pub(super) fn check(&self) -> PasswordSettings {
        let cores = || std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        PasswordSettings {
            threads: self.hash_threads.map_or_else(cores, NonZeroUsize::get),
            queue: usize::try_from(self.hash_queue).unwrap_or(usize::MAX),
            memory_kib: self.hash_memory_kib,
            passes: self.hash_passes,
            service_name: self.service_name.clone(),
        }
    }
}

impl From<ServeArguments> for Examined {
    fn from(given: ServeArguments) -> Self {
        let public_url = given.public_url;
        let http = public_url.as_ref().map(|url| given.wire.check_public(url));
        Parts {
            listen: given.listen,
            metrics_listen: given.metrics_listen,
            database_url: required("DATABASE_URL", given.database_url),
            store: given.database.check(Durability::PowerCut),
            api_key: required("AUTHY_API_KEY", given.authy_api_key),
            api_url: api_url(given.authy_api_url),
            callback_url: callback_url(given.authy_callback_url, public_url.as_ref()),
            public_url: required("PUBLIC_URL", public_url),
            logos: given.logins.approval_logos.0.clone(),
            logins: given.logins.check(),
            passwords: given.passwords.check(),
            limits: given.limits.check_public(),
            events: given.fleet.transport(),
            retention: given.fleet.retention(given.logins.login_ttl),
            export: given.export.check(given.proxy.check()),
            proxy: given.proxy.check(),
            http,
            shutdown_delay: given.shutdown_delay,
            shutdown_timeout: given.shutdown_timeout,
        }
        .into()
    }
}

/// Where the key is sent, and with it whatever it protects.
fn api_url(url: Url) -> Result<Url, SettingError> {
    if url.scheme() != "https" && !is_loopback(&url) {
        let problem = "must be https: the key and the codes travel there in the clear otherwise";
        return Err(SettingError::new("AUTHY_API_URL", problem));
    }
    if !url.username().is_empty() || url.password().is_some() {
        let problem = "must be without a user: it is the key that says who we are";
        return Err(SettingError::new("AUTHY_API_URL", problem));
    }
    Ok(url)
}

/// The callback's URL as it was given, or below the public one; `None` where there is neither.
fn callback_url(given: Option<String>, public_url: Option<&Url>) -> Option<Result<String, SettingError>> {
    match given {
        Some(url) => Some(match http_url(&url) {
            Ok(_) => Ok(url),
            Err(problem) => Err(SettingError::new("AUTHY_CALLBACK_URL", problem)),
        }),
        None => Some(Ok(format!("{}/authy/callback", public_url?.as_str().trim_end_matches('/')))),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Arguments::command().debug_assert();
    }
}

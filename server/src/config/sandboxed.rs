//! The settings of the commands with a sandbox: `dev` and `sandbox`.

use std::{net::SocketAddr, path::PathBuf};

use clap::Args;

use super::{
    SettingError,
    arguments::{DatabaseArguments, FleetArguments, LoginArguments, PasswordArguments},
    limits::LimitArguments,
    telemetry::ExportArguments,
    values::{DatabaseUrl, http_url, listen_address, required},
    wire::WireArguments,
};
use crate::{
    events::Transport,
    housekeeping::Retention,
    http::HttpSettings,
    limits::LimitSettings,
    logins::LoginSettings,
    provider::authy::{ApiKey, Logo},
    storage::{Durability, StoreSettings},
    users::PasswordSettings,
};

/// The flags of `dev`.
#[derive(Args, Debug)]
pub struct DevArguments {
    /// Where the service listens; port 0 takes a free one.
    #[arg(long, env = "LISTEN", default_value = "127.0.0.1:3000", value_parser = listen_address)]
    listen: SocketAddr,
    /// Where Prometheus reads what was counted, at `/metrics`: an address that only the operator reaches; port 0 takes a free
    /// one [default: nowhere].
    #[arg(long, env = "METRICS_LISTEN", value_parser = listen_address)]
    metrics_listen: Option<SocketAddr>,
    /// Where the sandbox listens; port 0 takes a free one.
    #[arg(long, env = "SANDBOX_LISTEN", default_value = "127.0.0.1:3001", value_parser = listen_address)]
    sandbox_listen: SocketAddr,
    /// The service's database. The sandbox keeps its own state beside an SQLite file.
    #[arg(long, env = "DATABASE_URL", default_value = "sqlite:countersign.db", hide_env_values = true)]
    database_url: DatabaseUrl,
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
    pub(super) export: ExportArguments,
}

/// The flags of `sandbox`.
#[derive(Args, Debug)]
pub struct SandboxArguments {
    /// Where the sandbox listens; port 0 takes a free one.
    #[arg(long, env = "SANDBOX_LISTEN", default_value = "127.0.0.1:3001", value_parser = listen_address)]
    sandbox_listen: SocketAddr,
    /// The key that it takes and signs with.
    #[arg(long, env = "AUTHY_API_KEY", hide_env_values = true, value_parser = ApiKey::parse)]
    authy_api_key: Option<ApiKey>,
    /// Where it calls back.
    #[arg(long, env = "AUTHY_CALLBACK_URL")]
    authy_callback_url: Option<String>,
    /// The file that it keeps its state in. Without one it forgets everything when it ends.
    #[arg(long, env = "SANDBOX_STATE")]
    sandbox_state: Option<PathBuf>,
    /// Listen beyond loopback, although anybody who reaches it can approve anything.
    #[arg(long)]
    expose: bool,
}

/// What `countersign dev` needs to know.
#[derive(Debug)]
pub struct DevSettings {
    /// Where the service listens: on loopback.
    pub listen: SocketAddr,
    /// Where its counts are read, if anywhere: on loopback.
    pub metrics_listen: Option<SocketAddr>,
    /// Where the sandbox listens: on loopback.
    pub sandbox_listen: SocketAddr,
    /// The service's database.
    pub database_url: DatabaseUrl,
    /// How it is used.
    pub store: StoreSettings,
    /// How hints reach other instances.
    pub events: Transport,
    /// For how long what is over is kept.
    pub retention: Retention,
    /// How logins live.
    pub logins: LoginSettings,
    /// How passwords are hashed.
    pub passwords: PasswordSettings,
    /// How often what may be done.
    pub limits: LimitSettings,
    /// The logos of the push.
    pub logos: Vec<Logo>,
    /// Who may talk to it, and how much.
    pub http: HttpSettings,
}

/// What `countersign sandbox` needs to know.
#[derive(Debug)]
pub struct SandboxSettings {
    /// Where it listens.
    pub listen: SocketAddr,
    /// The key that it takes and signs with.
    pub api_key: ApiKey,
    /// Where it calls back, unless it is told otherwise later.
    pub callback_url: Option<String>,
    /// The file that it keeps its state in; without one it forgets everything when it ends.
    pub state_file: Option<PathBuf>,
    /// Whether it may be reached from other machines.
    pub is_exposed: bool,
}

impl DevArguments {
    pub(super) fn check(self) -> Result<DevSettings, SettingError> {
        let why = "`dev` is for this machine alone";
        Ok(DevSettings {
            listen: loopback("LISTEN", self.listen, why)?,
            metrics_listen: self
                .metrics_listen
                .map(|address| loopback("METRICS_LISTEN", address, why))
                .transpose()?,
            sandbox_listen: loopback("SANDBOX_LISTEN", self.sandbox_listen, why)?,
            database_url: self.database_url,
            store: self.database.check(Durability::Process),
            events: self.fleet.transport(),
            retention: self.fleet.retention(self.logins.login_ttl)?,
            logins: self.logins.check(),
            passwords: self.passwords.check(),
            limits: self.limits.check_local(),
            logos: self.logins.approval_logos.0,
            http: self.wire.check_local()?,
        })
    }
}

impl SandboxArguments {
    pub(super) fn check(self) -> Result<SandboxSettings, SettingError> {
        let why = "anybody who reaches the sandbox can approve anything; `--expose` allows it";
        let listen = if self.expose {
            self.sandbox_listen
        } else {
            loopback("SANDBOX_LISTEN", self.sandbox_listen, why)?
        };
        if let Some(url) = &self.authy_callback_url {
            http_url(url).map_err(|problem| SettingError::new("AUTHY_CALLBACK_URL", problem))?;
        }
        Ok(SandboxSettings {
            listen,
            api_key: required("AUTHY_API_KEY", self.authy_api_key)?,
            callback_url: self.authy_callback_url,
            state_file: self.sandbox_state,
            is_exposed: self.expose,
        })
    }
}

/// An address that only this machine can reach.
fn loopback(variable: &'static str, address: SocketAddr, why: &str) -> Result<SocketAddr, SettingError> {
    if address.ip().is_loopback() {
        Ok(address)
    } else {
        Err(SettingError::new(variable, format_args!("must be an address of loopback: {why}")))
    }
}

//! The settings of the commands with a sandbox: `dev` and `sandbox`.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use clap::{Arg, Args};
use url::Url;

use super::{
    authy::{AuthyOptions, SharedAuthyArguments},
    problems::{Problems, SettingError},
    service::{CommandParts, ServiceArguments, Settings},
    values::listen_address,
};
use crate::{
    outgoing::OutgoingProxy,
    provider::authy::{ApiKey, AuthyConfig},
    random,
    storage::Durability,
};

/// The defaults that differ in `dev`, where all clients share one address and messages cost nothing.
const DEV_DEFAULTS: &[(&str, &str)] = &[
    ("CODES_FOR_ALL", "100000/1h"),
    ("CODES_PER_CALLING_CODE", "100000/1h"),
    ("DATABASE_URL", "sqlite:countersign.db"),
    ("GRAPHIQL", "true"),
    ("INTROSPECTION", "true"),
    ("OPERATIONS_PER_ADDRESS", "100000/1m"),
    ("RETURNED_CODES_SAMPLE", "100000"),
    ("SIGNUPS_PER_ADDRESS", "10000/1h"),
    ("SIGNUP_ATTEMPTS_PER_ADDRESS", "100000/1h"),
    ("WRONG_PASSWORDS_PER_ADDRESS", "10000/1h"),
];

/// The address of the sandbox.
#[derive(Args, Clone, Copy, Debug)]
#[command(next_help_heading = "Sandbox")]
pub(crate) struct SandboxListenArgument {
    /// The address on which the sandbox listens. Port 0 takes a free one.
    #[arg(long, env = "SANDBOX_LISTEN", default_value = "127.0.0.1:3001", value_parser = listen_address)]
    sandbox_listen: SocketAddr,
}

/// The flags of `dev`.
#[derive(Args, Debug)]
#[command(mut_args(with_dev_default))]
pub struct DevArguments {
    #[command(flatten)]
    pub(super) service: ServiceArguments,
    #[command(flatten)]
    authy: AuthyOptions,
    #[command(flatten)]
    sandbox: SandboxListenArgument,
}

/// The flags of `sandbox`.
#[derive(Args, Debug)]
pub struct SandboxArguments {
    #[command(flatten)]
    sandbox: SandboxListenArgument,
    #[command(flatten)]
    authy: SharedAuthyArguments,
    /// The file in which `sandbox` keeps its state [default: none, its state ends with the process]. `dev` keeps it beside the
    /// SQLite file, or in the working folder.
    #[arg(long, env = "SANDBOX_STATE", help_heading = "Sandbox")]
    sandbox_state: Option<PathBuf>,
    /// Listen beyond loopback, although anybody who reaches it can approve anything.
    #[arg(long, help_heading = None::<&str>)]
    expose: bool,
}

/// What `countersign dev` needs to know.
#[derive(Debug)]
pub struct DevSettings {
    /// The service, without a provider.
    pub settings: Settings,
    /// The sandbox as its provider. The addresses have the ports that the settings name, which may be 0.
    pub authy: AuthyConfig,
    /// The address on which the sandbox listens, on loopback.
    pub sandbox_listen: SocketAddr,
}

/// What `countersign sandbox` needs to know.
#[derive(Debug)]
pub struct SandboxSettings {
    /// The address on which it listens.
    pub listen: SocketAddr,
    /// The key that it accepts and signs with.
    pub api_key: ApiKey,
    /// The URL that it calls back, unless it is changed at run time.
    pub callback_url: Option<String>,
    /// The file in which it keeps its state, if any.
    pub state_file: Option<PathBuf>,
    /// Whether other machines may reach it.
    pub is_exposed: bool,
}

fn with_dev_default(argument: Arg) -> Arg {
    let variable = argument.get_env().and_then(|variable| variable.to_str());
    let default = DEV_DEFAULTS.iter().find(|(name, _)| Some(*name) == variable);
    match default {
        Some((_, default)) => argument.default_value(*default),
        None => argument,
    }
}

impl DevArguments {
    pub(super) fn check(self, mut problems: Problems) -> Result<DevSettings, Vec<SettingError>> {
        let Self { mut service, authy, sandbox: SandboxListenArgument { sandbox_listen } } = self;
        let listen = service.listen.listen;
        let addresses = [
            ("LISTEN", Some(listen)),
            ("METRICS_LISTEN", service.metrics_listen),
            ("SANDBOX_LISTEN", Some(sandbox_listen)),
        ];
        for (variable, address) in addresses {
            let why = "`dev` is for this machine alone";
            address.map(|address| problems.keep(loopback(variable, address, why)));
        }
        problems.keep(service.export.check(OutgoingProxy::default()));
        service.store.durability = Durability::Process;
        let timeout = service.logins.provider_timeout;
        let authy = problems.keep(sandbox_as_authy((listen, sandbox_listen), timeout, authy));
        let parts = CommandParts {
            http: problems.keep(service.wire.clone().check_local()),
            providers: Some(Vec::new()),
            shutdown_delay: Duration::ZERO,
            shutdown_timeout: Duration::from_secs(10),
        };
        let settings = service.check(parts, problems);
        match (settings, authy) {
            (Ok(settings), Some(authy)) => Ok(DevSettings { settings, authy, sandbox_listen }),
            (settings, _) => Err(settings.err().unwrap_or_default()),
        }
    }
}

/// The sandbox in the place of Authy, with a key that only the two know.
fn sandbox_as_authy(
    (listen, sandbox_listen): (SocketAddr, SocketAddr),
    timeout: Duration,
    options: AuthyOptions,
) -> Result<AuthyConfig, SettingError> {
    let key = uuid::Uuid::from_bytes(random::bytes()).simple().to_string();
    Ok(AuthyConfig {
        api_key: ApiKey::parse(&key).map_err(|error| SettingError::new("AUTHY_API_KEY", error))?,
        api_url: Url::parse(&format!("http://{sandbox_listen}"))
            .map_err(|error| SettingError::new("SANDBOX_LISTEN", error))?,
        callback_url: format!("http://{listen}/authy/callback"),
        timeout,
        proxy: OutgoingProxy::default(),
        logos: options.approval_logos.0,
        enroll_new: options.authy_enroll_new,
        bind_codes: options.authy_bind_codes,
    })
}

impl SandboxArguments {
    pub(super) fn check(self, mut problems: Problems) -> Result<SandboxSettings, Vec<SettingError>> {
        let why = "anybody who reaches the sandbox can approve anything; `--expose` allows it";
        let mut listen = Some(self.sandbox.sandbox_listen);
        if !self.expose {
            listen = problems.keep(loopback("SANDBOX_LISTEN", self.sandbox.sandbox_listen, why));
        }
        let callback_url = problems.keep(self.authy.callback_url());
        let api_key = problems.require("AUTHY_API_KEY", self.authy.authy_api_key);
        let settings = (|| {
            Some(SandboxSettings {
                listen: listen?,
                api_key: api_key?,
                callback_url: callback_url?,
                state_file: self.sandbox_state,
                is_exposed: self.expose,
            })
        })();
        problems.or(settings)
    }
}

/// Returns an address if only this machine can reach it.
fn loopback(variable: &str, address: SocketAddr, why: &str) -> Result<SocketAddr, SettingError> {
    if address.ip().is_loopback() {
        Ok(address)
    } else {
        Err(SettingError::new(variable, format_args!("must be an address of loopback: {why}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_default_of_dev_belongs_to_a_setting() {
        let command = DevArguments::augment_args(clap::Command::new("dev"));
        for (variable, default) in DEV_DEFAULTS {
            let argument =
                command.get_arguments().find(|argument| argument.get_env() == Some(variable.as_ref()));
            assert_eq!(argument.unwrap().get_default_values(), [*default], "{variable}");
        }
    }
}

//! Every setting: a flag and an environment variable with one definition. Nothing else reads the environment.
//!
//! What is wrong with a setting is told in one line that names its variable. `.env` in the working folder is read first;
//! what the environment says wins.

mod arguments;
mod environment;
mod examined;
mod limits;
mod login_limits;
mod proxy;
mod replaced;
#[cfg(feature = "sandbox")]
mod sandboxed;
mod telemetry;
mod values;
mod wire;

use std::{ffi::OsString, fmt, io::Write, net::SocketAddr, process::ExitCode, time::Duration};

use clap::{
    CommandFactory as _, FromArgMatches as _,
    error::{ContextKind, ContextValue, ErrorKind},
};
use url::Url;

pub use arguments::{Arguments, Command, HealthSettings};
pub use examined::{DoctorArguments, DoctorSettings, Examined};
#[cfg(feature = "sandbox")]
pub use sandboxed::{DevSettings, SandboxSettings};
pub(crate) use telemetry::are_headers_in_the_clear;
pub(crate) use values::is_loopback;
pub use values::{DatabaseUrl, Logos};

use self::environment::{EnvFile, allows_colours};
use crate::{
    events::Transport,
    housekeeping::Retention,
    http::HttpSettings,
    limits::LimitSettings,
    logins::LoginSettings,
    outgoing::OutgoingProxy,
    provider::authy::{ApiKey, Logo},
    storage::StoreSettings,
    telemetry::{LogFormat, TelemetrySettings},
    users::PasswordSettings,
};

/// What is wrong with a setting.
#[derive(Debug, thiserror::Error)]
#[error("{variable} {problem}")]
pub struct SettingError {
    /// Its environment variable.
    pub variable: &'static str,
    /// What is wrong with it; never its value where that is a secret.
    pub problem: String,
}

impl SettingError {
    fn new(variable: &'static str, problem: impl fmt::Display) -> Self {
        Self { variable, problem: problem.to_string() }
    }
}

/// Why nothing was run: the command line or a setting is wrong, or help was asked for.
#[derive(Debug, thiserror::Error)]
pub enum UsageError {
    /// The command line, or a value that cannot be read.
    #[error(transparent)]
    CommandLine(#[from] clap::Error),
    /// A setting.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// `.env` cannot be used.
    #[error(".env {0}")]
    EnvFile(String),
}

impl UsageError {
    /// Says what is wrong in one line, or prints the help that was asked for, and gives the exit code: 2, or 0.
    #[must_use]
    pub fn exit(&self) -> ExitCode {
        let line = match self {
            Self::CommandLine(error)
                if !error.use_stderr()
                    || error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand =>
            {
                let _ = error.print();
                return if error.use_stderr() { ExitCode::from(2) } else { ExitCode::SUCCESS };
            }
            Self::CommandLine(error) => format!("error: {}", without_value(error)),
            Self::Setting(_) | Self::EnvFile(_) => format!("error: {self}"),
        };
        let _ = writeln!(std::io::stderr(), "{line}");
        ExitCode::from(2)
    }
}

/// What is wrong with a command line. clap's own words show a wrong value, which may be a secret, and are used only where
/// there is none.
fn without_value(error: &clap::Error) -> String {
    let text = |kind| context(error, kind);
    let problem = std::error::Error::source(error).map(ToString::to_string).or_else(|| {
        text(ContextKind::ValidValue)
            .filter(|valid| !valid.is_empty())
            .map(|valid| format!("must be {valid}"))
    });
    match (error.kind(), text(ContextKind::InvalidArg)) {
        (ErrorKind::InvalidSubcommand, _) => {
            return "there is no such command; `countersign help` names them".to_owned();
        }
        (ErrorKind::UnknownArgument, Some(flag)) if flag.starts_with("--") => {
            let flag = flag.split('=').next().unwrap_or_default();
            return format!("{flag} is no flag of this command");
        }
        (ErrorKind::UnknownArgument, _) => return "something stands where only flags are taken".to_owned(),
        _ => {}
    }
    if let (Some(argument), Some(problem)) = (text(ContextKind::InvalidArg), problem) {
        // `--listen <LISTEN>`: in brackets stands the variable.
        let variable = argument.split(['<', '>']).nth(1).unwrap_or(&argument);
        return format!("{variable} is wrong: {problem}");
    }
    let message = error.to_string();
    message.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned()
}

/// The argument that is wrong, as clap names it: `--listen <LISTEN>`.
fn invalid_argument(error: &clap::Error) -> Option<String> {
    context(error, ContextKind::InvalidArg)
}

fn context(error: &clap::Error, kind: ContextKind) -> Option<String> {
    match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        Some(ContextValue::Strings(texts)) => Some(texts.join(" or ")),
        _ => None,
    }
}

/// Reads the command line, the environment and `.env`, and checks all settings of the command.
pub fn read() -> Result<(Task, TelemetrySettings), UsageError> {
    let line: Vec<_> = std::env::args_os().collect();
    let documented = Arguments::command();
    let command = environment::without_environment(documented.clone());
    let name = command_name(&command, &line);
    if name == "doctor" {
        let doctor = examined::read(&documented, &command, line)?;
        let telemetry = TelemetrySettings {
            level: doctor.level,
            format: LogFormat::Text,
            is_coloured: allows_colours(&std::io::stderr()),
            export: None,
        };
        return Ok((Task::Doctor(Box::new(doctor)), telemetry));
    }
    let line = match &*name {
        "" | "schema" => line,
        _ => {
            // A wrong `.env` does not keep the commands without settings from running.
            let file = EnvFile::read()?;
            replaced::check(&file)?;
            file.complete(line, &documented, &name)
        }
    };
    let matches = parse(&documented, &command, &line)?;
    Ok(Arguments::from_arg_matches(&matches)?.into_task()?)
}

/// Parses a command line. Only `documented` knows the variables, which the help names.
fn parse(
    documented: &clap::Command,
    command: &clap::Command,
    line: &[OsString],
) -> Result<clap::ArgMatches, clap::Error> {
    command.clone().try_get_matches_from(line).map_err(|error| match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            documented.clone().try_get_matches_from(line).err().unwrap_or(error)
        }
        _ => error,
    })
}

/// The name of the command that a line runs; empty if it runs none, asks for help or cannot be understood.
fn command_name(command: &clap::Command, line: &[OsString]) -> String {
    let matches = command.clone().ignore_errors(true).try_get_matches_from(line).ok();
    matches.and_then(|matches| matches.subcommand_name().map(str::to_owned)).unwrap_or_default()
}

/// All that the service needs to know to run.
#[derive(Debug)]
pub struct Settings {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Where its counts are read, if anywhere.
    pub metrics_listen: Option<SocketAddr>,
    /// Its database.
    pub database_url: DatabaseUrl,
    /// How it is used.
    pub store: StoreSettings,
    /// Its provider.
    pub authy: AuthySettings,
    /// How logins live.
    pub logins: LoginSettings,
    /// How passwords are hashed.
    pub passwords: PasswordSettings,
    /// How often what may be done.
    pub limits: LimitSettings,
    /// How hints reach other instances.
    pub events: Transport,
    /// For how long what is over is kept.
    pub retention: Retention,
    /// How long the service says that it is about to end before it does.
    pub shutdown_delay: Duration,
    /// How long what runs may then take to finish.
    pub shutdown_timeout: Duration,
    /// Who may talk to it, and how much.
    pub http: HttpSettings,
}

impl Settings {
    /// Whether browsers reach the service over a network without TLS.
    pub(crate) fn is_public_in_the_clear(&self) -> bool {
        let own = self.http.origins.own.as_deref().and_then(|own| Url::parse(own).ok());
        own.is_some_and(|own| own.scheme() != "https" && !is_loopback(&own))
    }
}

/// How to reach Authy, and how it reaches us.
#[derive(Debug)]
pub struct AuthySettings {
    /// The key of the application: it authenticates us, and signs callbacks.
    pub api_key: ApiKey,
    /// Where Authy's API is.
    pub api_url: Url,
    /// Where Authy calls back: exactly as it was entered there, for that is what is signed.
    pub callback_url: String,
    /// The proxy that calls go through, if any.
    pub proxy: OutgoingProxy,
    /// The logos of the push.
    pub logos: Vec<Logo>,
}

/// What is to be run, with all its settings checked.
#[derive(Debug)]
pub enum Task {
    /// The service and the sandbox, on one machine.
    #[cfg(feature = "sandbox")]
    Dev(Box<DevSettings>),
    /// The service.
    Serve(Box<Settings>),
    /// The sandbox.
    #[cfg(feature = "sandbox")]
    Sandbox(SandboxSettings),
    /// A look at what the service needs.
    Doctor(Box<DoctorSettings>),
    /// One question to a running service.
    Health(HealthSettings),
    /// Pending migrations.
    Migrate(DatabaseUrl),
    /// Printing the schema.
    Schema,
}

impl Arguments {
    /// Checks all settings of the command, and gives them their types.
    pub fn into_task(self) -> Result<(Task, TelemetrySettings), SettingError> {
        let (export, usual_format) = match &self.command {
            #[cfg(feature = "sandbox")]
            Command::Dev(dev) => (dev.export.check(OutgoingProxy::default())?, LogFormat::Text),
            Command::Serve(serve) => (serve.export.check(serve.proxy.check())?, LogFormat::Json),
            _ => (None, LogFormat::Text),
        };
        let format = self.log_format.map_or(usual_format, LogFormat::from);
        let is_coloured = allows_colours(&std::io::stderr());
        let telemetry = TelemetrySettings { level: self.log_level, format, is_coloured, export };
        let task = match self.command {
            #[cfg(feature = "sandbox")]
            Command::Dev(dev) => Task::Dev(Box::new(dev.check()?)),
            Command::Serve(serve) => Task::Serve(Box::new(Examined::from(*serve).into_settings()?)),
            Command::Doctor(doctor) => Task::Doctor(Box::new(doctor.examine(telemetry.level, Vec::new()))),
            #[cfg(feature = "sandbox")]
            Command::Sandbox(sandbox) => Task::Sandbox(sandbox.check()?),
            Command::Health(health) => Task::Health(health.check()?),
            Command::Migrate { database_url } => {
                Task::Migrate(values::required("DATABASE_URL", database_url)?)
            }
            Command::Schema => Task::Schema,
        };
        Ok((task, telemetry))
    }
}

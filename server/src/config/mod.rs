//! Every setting: a flag and an environment variable with one definition. Nothing else reads the environment.
//!
//! A definition is a field with its variable, default and help; it stands in the struct that its module uses (`LimitSettings`,
//! `ApprovalSettings`), or here where a setting needs a check. All errors in the settings of a command are reported together, each
//! in a line that names its variable. `docs/SETTINGS.md` and `.env.sample` are generated ([`reference()`]).

mod arguments;
mod authy;
mod environment;
mod partial_settings;
mod problems;
mod providers;
mod proxy;
mod reference;
mod replaced;
#[cfg(feature = "sandbox")]
mod sandboxed;
mod service;
mod sources;
mod telemetry;
mod values;
mod wire;

use std::{ffi::OsString, io::Write, process::ExitCode};

use clap::error::ErrorKind;
use url::Url;

pub use arguments::{Arguments, Command, HealthSettings, Reference};
pub use authy::Logos;
pub use partial_settings::{DoctorSettings, PartialSettings};
pub use problems::SettingError;
pub use reference::reference;
#[cfg(feature = "sandbox")]
pub use sandboxed::{DevSettings, SandboxSettings};
pub use service::Settings;
pub(crate) use telemetry::are_headers_in_the_clear;
pub use values::DatabaseUrl;
pub(crate) use values::is_loopback;

use self::{environment::allows_colours, problems::Problems, sources::Given};
use crate::telemetry::{LogFormat, TelemetrySettings};

/// Why no command runs: the command line or settings are wrong, or help was requested.
#[derive(Debug, thiserror::Error)]
pub enum UsageError {
    /// The command line.
    #[error(transparent)]
    CommandLine(#[from] clap::Error),
    /// Settings, all that are wrong.
    #[error("wrong settings")]
    Settings(Vec<SettingError>),
}

impl From<Vec<SettingError>> for UsageError {
    fn from(problems: Vec<SettingError>) -> Self {
        Self::Settings(problems)
    }
}

impl UsageError {
    /// Prints one line for each error, or the help that was requested, and returns the exit code: 2, or 0.
    #[must_use]
    pub fn exit(&self) -> ExitCode {
        let lines = match self {
            Self::CommandLine(error)
                if !error.use_stderr()
                    || error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand =>
            {
                let _ = error.print();
                return if error.use_stderr() { ExitCode::from(2) } else { ExitCode::SUCCESS };
            }
            Self::CommandLine(error) => vec![sources::without_value(error)],
            Self::Settings(problems) => problems.iter().map(ToString::to_string).collect(),
        };
        let mut output = std::io::stderr().lock();
        for line in lines {
            let _ = writeln!(output, "error: {line}");
        }
        ExitCode::from(2)
    }
}

/// A command with all its settings.
#[derive(Debug)]
pub struct Run {
    /// What to run.
    pub task: Task,
    /// How the process logs and traces.
    pub telemetry: TelemetrySettings,
    /// The names in `.env` that no setting has, for a warning.
    pub unknown_names: Vec<String>,
}

/// Reads the command line, the environment and `.env`, and checks all settings of the command.
pub fn read() -> Result<Run, UsageError> {
    let line: Vec<_> = std::env::args_os().collect();
    Ok(check_given(sources::read(&line)?)?)
}

/// Reads a command line alone, and checks all settings of its command: the environment and `.env` change nothing.
pub fn read_line(line: &[OsString]) -> Result<Run, UsageError> {
    Ok(check(sources::read_line(line)?)?)
}

/// Checks all settings of a command whose values could be parsed.
pub fn check(arguments: Arguments) -> Result<Run, Vec<SettingError>> {
    check_given(Given { arguments, problems: Problems::default(), unknown_names: Vec::new() })
}

impl Settings {
    /// Whether browsers reach the service over a network without TLS.
    pub(crate) fn is_public_in_the_clear(&self) -> bool {
        let own = self.http.origins.own.as_deref().and_then(|own| Url::parse(own).ok());
        own.is_some_and(|own| own.scheme() != "https" && !is_loopback(&own))
    }
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
    /// Checking what the service needs.
    Doctor(Box<DoctorSettings>),
    /// One question to a running service.
    Health(HealthSettings),
    /// Pending migrations.
    Migrate(DatabaseUrl),
    /// Printing the schema.
    Schema,
    /// Printing what settings there are.
    Reference(Reference),
}

/// Checks all settings of a command, and returns them or every error in them.
fn check_given(given: Given) -> Result<Run, Vec<SettingError>> {
    let Given { arguments: Arguments { command, log_level: level, log_format }, problems, mut unknown_names } =
        given;
    // An export that cannot be is an error of the settings, which are checked below.
    let (export, default_format) = match &command {
        #[cfg(feature = "sandbox")]
        Command::Dev(dev) => {
            (dev.service.export.check(crate::outgoing::OutgoingProxy::default()), LogFormat::Text)
        }
        Command::Serve(serve) => (serve.service.export.check(serve.proxy.check()), LogFormat::Json),
        _ => (Ok(None), LogFormat::Text),
    };
    let task = match command {
        #[cfg(feature = "sandbox")]
        Command::Dev(dev) => Task::Dev(Box::new(dev.check(problems)?)),
        Command::Serve(serve) => Task::Serve(Box::new(serve.check(problems)?)),
        Command::Doctor(doctor) => {
            let unknown_names = std::mem::take(&mut unknown_names);
            Task::Doctor(Box::new(doctor.check(level, problems, unknown_names)))
        }
        #[cfg(feature = "sandbox")]
        Command::Sandbox(sandbox) => Task::Sandbox(sandbox.check(problems)?),
        Command::Health(health) => Task::Health(health.check(problems)?),
        Command::Migrate(database) => Task::Migrate(database.check(problems)?),
        Command::Schema => Task::Schema,
        Command::Settings(reference) => Task::Reference(reference.form()),
    };
    let format = log_format.map_or(default_format, LogFormat::from);
    let is_coloured = allows_colours(&std::io::stderr());
    let telemetry = TelemetrySettings { level, format, is_coloured, export: export.ok().flatten() };
    Ok(Run { task, telemetry, unknown_names })
}

//! The command line: the commands, and the flags of those that have few.

use std::net::SocketAddr;

use clap::{Args, Parser, Subcommand};
use tracing::Level;

#[cfg(feature = "sandbox")]
use super::sandboxed;
use super::{
    partial_settings::DoctorArguments,
    problems::{Problems, SettingError},
    service::{DatabaseArgument, ListenArgument, ServeArguments},
    telemetry::LogFormatArgument,
};

/// A login service with two factors behind one GraphQL schema.
#[derive(Debug, Parser)]
#[command(name = "countersign", version, max_term_width = 110)]
pub struct Arguments {
    /// What to run.
    #[command(subcommand)]
    pub command: Command,
    /// How much to log: error, warn, info, debug or trace. Secrets are never logged.
    #[arg(long, env = "LOG_LEVEL", default_value = "info", value_parser = log_level, global = true, help_heading = "Metrics, logs and traces")]
    pub log_level: Level,
    /// The format of the log: `text` for people, `json` (one object a line) for machines [default: `json` in `serve`, otherwise
    /// `text`].
    #[arg(long, env = "LOG_FORMAT", global = true, help_heading = "Metrics, logs and traces")]
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
    /// Checks everything that `serve` needs with these settings, and says what to do about what is wrong. Changes nothing,
    /// and sends no message. Exit codes: 0 nothing failed, 1 something did, 2 wrong settings.
    Doctor(Box<DoctorArguments>),
    /// Asks a running service on this machine whether it can serve, for containers. Exit codes: 0 yes, 1 no, 2 wrong settings.
    Health(HealthArguments),
    /// Runs pending migrations, and says which.
    Migrate(DatabaseArgument),
    /// Prints the GraphQL schema.
    Schema,
    /// Prints what settings there are, with their defaults: the page `docs/SETTINGS.md`, or `.env.sample`.
    Settings(ReferenceArguments),
}

/// The flags of `health`.
#[derive(Args, Debug)]
pub struct HealthArguments {
    #[command(flatten)]
    listen: ListenArgument,
    /// Ask only whether the process responds, instead of whether it can serve a login.
    #[arg(long, help_heading = None::<&str>)]
    live: bool,
}

/// The flags of `settings`.
#[derive(Args, Debug)]
pub struct ReferenceArguments {
    /// Print `docs/SETTINGS.md` [default].
    #[arg(long, conflicts_with = "env_sample")]
    markdown: bool,
    /// Print `.env.sample`.
    #[arg(long)]
    env_sample: bool,
}

/// Which question `countersign health` asks, and where.
#[derive(Clone, Copy, Debug)]
pub struct HealthSettings {
    /// The address on which the service listens.
    pub listen: SocketAddr,
    /// Whether to ask only for a sign of life.
    pub is_liveness: bool,
}

/// The form in which `countersign settings` prints all settings.
#[derive(Clone, Copy, Debug)]
pub enum Reference {
    /// `docs/SETTINGS.md`.
    Markdown,
    /// `.env.sample`.
    EnvSample,
}

fn log_level(text: &str) -> Result<Level, &'static str> {
    text.parse().map_err(|_| "must be error, warn, info, debug or trace")
}

impl HealthArguments {
    pub(super) fn check(self, mut problems: Problems) -> Result<HealthSettings, Vec<SettingError>> {
        let listen = self.listen.listen;
        if listen.port() == 0 {
            let problem = "must name a port: with port 0 only the service knows which";
            problems.add(SettingError::new("LISTEN", problem));
        }
        problems.or(Some(HealthSettings { listen, is_liveness: self.live }))
    }
}

impl ReferenceArguments {
    pub(super) fn form(&self) -> Reference {
        if self.env_sample { Reference::EnvSample } else { Reference::Markdown }
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

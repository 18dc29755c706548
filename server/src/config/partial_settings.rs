//! The settings of `serve` as `doctor` needs them: those that are right, beside every error in the others.

use std::net::SocketAddr;

use clap::Args;
use tracing::Level;
use url::Url;

use super::{
    environment::allows_colours,
    problems::{Problems, SettingError},
    service::ServeArguments,
};
use crate::events::Transport;

/// The flags of `doctor`.
#[derive(Args, Debug)]
pub struct DoctorArguments {
    #[command(flatten)]
    serve: ServeArguments,
    /// Print one JSON document, for programs.
    #[arg(long, help_heading = None::<&str>)]
    json: bool,
}

/// What `doctor` checks.
#[derive(Debug)]
pub struct DoctorSettings {
    /// The settings of `serve`.
    pub settings: PartialSettings,
    /// The names in `.env` that no setting has.
    pub unknown_names: Vec<String>,
    /// How much is logged.
    pub level: Level,
    /// Whether a program reads the report.
    pub is_for_programs: bool,
    /// Whether the report may contain colours.
    pub is_coloured: bool,
}

/// The settings of `serve`, some of which may be wrong.
#[derive(Debug)]
pub struct PartialSettings {
    /// What was given, and the defaults of all that was not given or is wrong.
    pub(crate) given: ServeArguments,
    problems: Problems,
}

impl DoctorArguments {
    pub(super) fn check(
        self,
        level: Level,
        problems: Problems,
        unknown_names: Vec<String>,
    ) -> DoctorSettings {
        let settings = PartialSettings::new(self.serve, problems);
        let is_coloured = allows_colours(&std::io::stdout());
        DoctorSettings { settings, unknown_names, level, is_for_programs: self.json, is_coloured }
    }
}

impl PartialSettings {
    fn new(given: ServeArguments, problems: Problems) -> Self {
        let problems = given.clone().check(problems).err().unwrap_or_default().into();
        Self { given, problems }
    }

    /// Returns every error.
    pub(crate) fn problems(&self) -> &[SettingError] {
        self.problems.as_slice()
    }

    /// Whether one of these has an error. Then its value is a default that the operator did not choose.
    pub(crate) fn are_wrong(&self, variables: &[&str]) -> bool {
        variables.iter().any(|variable| self.problems.has(variable))
    }

    /// Returns the value of a setting that has no error.
    fn right<T>(&self, variable: &str, value: T) -> Option<T> {
        (!self.are_wrong(&[variable])).then_some(value)
    }

    /// Returns the address of the service.
    pub(crate) fn listen(&self) -> Option<SocketAddr> {
        self.right("LISTEN", self.given.service.listen.listen)
    }

    /// Returns the URL of Authy's API, if the key is safe there.
    pub(crate) fn api_url(&self) -> Option<Url> {
        self.right("AUTHY_API_URL", self.given.providers.authy.api_url().ok()?)
    }

    /// Returns the URL that Authy calls back.
    pub(crate) fn callback_url(&self) -> Option<String> {
        let authy = &self.given.providers.authy;
        self.right("AUTHY_CALLBACK_URL", authy.callback_url(self.given.public_url.as_ref()).ok()??)
    }

    /// Returns how notifications reach other instances.
    pub(crate) fn events(&self) -> Option<Transport> {
        self.right("EVENTS_URL", self.given.service.transport())
    }
}

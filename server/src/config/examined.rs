//! The settings of `serve` one by one: what can be used, and all that is wrong with the others.
//!
//! `serve` takes them as a whole or not at all; `doctor` goes on with what there is. Both read them here, so that neither
//! believes what the other refuses.

use std::{ffi::OsString, net::SocketAddr, time::Duration};

use clap::{Args, FromArgMatches, error::ErrorKind};
use tracing::Level;
use url::Url;

use super::{
    Arguments, AuthySettings, Command, DatabaseUrl, SettingError, Settings, UsageError,
    arguments::ServeArguments,
    environment::{EnvFile, allows_colours},
    invalid_argument, parse, replaced,
    values::required,
    without_value,
};
use crate::{
    events::Transport,
    housekeeping::Retention,
    http::HttpSettings,
    limits::LimitSettings,
    logins::LoginSettings,
    outgoing::OutgoingProxy,
    provider::authy::{ApiKey, Logo},
    storage::StoreSettings,
    telemetry::ExportSettings,
    users::PasswordSettings,
};

/// The flags of `doctor`.
#[derive(Args, Debug)]
pub struct DoctorArguments {
    #[command(flatten)]
    serve: ServeArguments,
    /// One JSON document, for programs.
    #[arg(long)]
    json: bool,
}

/// What `doctor` is to look at.
#[derive(Debug)]
pub struct DoctorSettings {
    /// What is wrong with the settings, one line each, that names the variable and never shows a secret.
    pub problems: Vec<String>,
    /// What can be looked at nevertheless.
    pub examined: Examined,
    /// How much is logged.
    pub level: Level,
    /// Whether a program reads the report.
    pub is_for_programs: bool,
    /// Whether the report may contain colours.
    pub is_coloured: bool,
}

impl DoctorSettings {
    /// Whether something is wrong with one of these: then what stands in its place is a default that nobody chose.
    pub(crate) fn are_wrong(&self, variables: &[&str]) -> bool {
        self.problems.iter().any(|problem| variables.contains(&variable_of(problem)))
    }
}

/// The settings of `serve`. `None` is what is missing or wrong.
#[derive(Debug)]
pub struct Examined {
    /// What is missing or wrong.
    problems: Vec<SettingError>,
    /// Where it listens.
    pub listen: Option<SocketAddr>,
    /// Where its counts are read, if anywhere.
    pub metrics_listen: Option<SocketAddr>,
    /// Its database.
    pub database_url: Option<DatabaseUrl>,
    /// How it is used.
    pub store: StoreSettings,
    /// Where browsers find it.
    pub public_url: Option<Url>,
    /// The key of the Authy application.
    pub api_key: Option<ApiKey>,
    /// Where Authy's API is.
    pub api_url: Option<Url>,
    /// Where Authy calls back.
    pub callback_url: Option<String>,
    /// The proxy for outgoing requests, if any.
    pub proxy: OutgoingProxy,
    /// The logos of the push.
    pub logos: Vec<Logo>,
    /// How logins live.
    pub logins: LoginSettings,
    /// How passwords are hashed.
    pub passwords: PasswordSettings,
    /// How hints reach other instances.
    pub events: Option<Transport>,
    /// Who may talk to it, and how much.
    pub http: Option<HttpSettings>,
    limits: LimitSettings,
    retention: Option<Retention>,
    shutdown_delay: Duration,
    shutdown_timeout: Duration,
}

/// What is gathered of a command line whose parts may be wrong.
pub(super) struct Parts {
    pub(super) listen: SocketAddr,
    pub(super) metrics_listen: Option<SocketAddr>,
    pub(super) database_url: Result<DatabaseUrl, SettingError>,
    pub(super) store: StoreSettings,
    pub(super) public_url: Result<Url, SettingError>,
    pub(super) api_key: Result<ApiKey, SettingError>,
    pub(super) api_url: Result<Url, SettingError>,
    pub(super) callback_url: Option<Result<String, SettingError>>,
    pub(super) proxy: OutgoingProxy,
    pub(super) logos: Vec<Logo>,
    pub(super) logins: LoginSettings,
    pub(super) passwords: PasswordSettings,
    pub(super) limits: LimitSettings,
    pub(super) events: Transport,
    pub(super) retention: Result<Retention, SettingError>,
    pub(super) export: Result<Option<ExportSettings>, SettingError>,
    pub(super) http: Option<Result<HttpSettings, SettingError>>,
    pub(super) shutdown_delay: Duration,
    pub(super) shutdown_timeout: Duration,
}

impl From<Parts> for Examined {
    fn from(parts: Parts) -> Self {
        let mut problems = Vec::new();
        // Spans are no part of the service: the process is told of them before it begins.
        keep(parts.export, &mut problems);
        Self {
            api_key: keep(parts.api_key, &mut problems),
            database_url: keep(parts.database_url, &mut problems),
            public_url: keep(parts.public_url, &mut problems),
            api_url: keep(parts.api_url, &mut problems),
            callback_url: parts.callback_url.and_then(|url| keep(url, &mut problems)),
            retention: keep(parts.retention, &mut problems),
            http: parts.http.and_then(|http| keep(http, &mut problems)),
            listen: Some(parts.listen),
            metrics_listen: parts.metrics_listen,
            events: Some(parts.events),
            store: parts.store,
            proxy: parts.proxy,
            logos: parts.logos,
            logins: parts.logins,
            passwords: parts.passwords,
            limits: parts.limits,
            shutdown_delay: parts.shutdown_delay,
            shutdown_timeout: parts.shutdown_timeout,
            problems,
        }
    }
}

fn keep<T>(part: Result<T, SettingError>, problems: &mut Vec<SettingError>) -> Option<T> {
    part.map_err(|problem| problems.push(problem)).ok()
}

impl Examined {
    /// All of them, or the first that is wrong.
    pub(super) fn into_settings(self) -> Result<Settings, SettingError> {
        if let Some(problem) = self.problems.into_iter().next() {
            return Err(problem);
        }
        Ok(Settings {
            listen: required("LISTEN", self.listen)?,
            metrics_listen: self.metrics_listen,
            database_url: required("DATABASE_URL", self.database_url)?,
            store: self.store,
            authy: AuthySettings {
                api_key: required("AUTHY_API_KEY", self.api_key)?,
                api_url: required("AUTHY_API_URL", self.api_url)?,
                callback_url: required("AUTHY_CALLBACK_URL", self.callback_url)?,
                proxy: self.proxy,
                logos: self.logos,
            },
            logins: self.logins,
            passwords: self.passwords,
            limits: self.limits,
            events: required("EVENTS_URL", self.events)?,
            retention: required("LOGIN_RETENTION", self.retention)?,
            shutdown_delay: self.shutdown_delay,
            shutdown_timeout: self.shutdown_timeout,
            http: required("PUBLIC_URL", self.http)?,
        })
    }
}

impl DoctorArguments {
    pub(super) fn examine(self, level: Level, mut problems: Vec<String>) -> DoctorSettings {
        let mut examined: Examined = self.serve.into();
        let is_told = |variable: &str| problems.iter().any(|problem| variable_of(problem) == variable);
        // The default in place of a wrong value is nothing to look at.
        examined.listen = examined.listen.filter(|_| !is_told("LISTEN"));
        examined.api_url = examined.api_url.filter(|_| !is_told("AUTHY_API_URL"));
        examined.callback_url = examined.callback_url.filter(|_| !is_told("AUTHY_CALLBACK_URL"));
        examined.events = examined.events.filter(|_| !is_told("EVENTS_URL"));
        // What is wrong is not missing as well.
        let others: Vec<_> = examined.problems.drain(..).map(|problem| problem.to_string()).collect();
        let told: Vec<_> = problems.iter().map(|problem| variable_of(problem).to_owned()).collect();
        problems
            .extend(others.into_iter().filter(|problem| !told.iter().any(|it| it == variable_of(problem))));
        let is_coloured = allows_colours(&std::io::stdout());
        DoctorSettings { problems, examined, level, is_for_programs: self.json, is_coloured }
    }
}

/// The variable that a problem begins with.
fn variable_of(problem: &str) -> &str {
    problem.split(' ').next().unwrap_or_default()
}

/// Reads a command line of `doctor`. Where `serve` stops at the first value that cannot be read, this one takes note, and goes
/// on as if that setting had not been made. `documented` is `command` with the variables of its flags.
pub(super) fn read(
    documented: &clap::Command,
    command: &clap::Command,
    line: Vec<OsString>,
) -> Result<DoctorSettings, UsageError> {
    let (file, mut problems) = match EnvFile::read() {
        Ok(file) => (file, Vec::new()),
        Err(error) => (EnvFile::default(), vec![error.to_string()]),
    };
    problems.extend(replaced::check(&file).err().map(|error| error.to_string()));
    let mut line = file.complete(line, documented, "doctor");
    let mut set_aside: Vec<String> = Vec::new();
    let matches = loop {
        let error = match parse(documented, command, &line) {
            Ok(matches) => break matches,
            Err(error) => error,
        };
        let flag = flag_of(&error).filter(|flag| !set_aside.contains(flag));
        let Some(flag) = flag else { return Err(error.into()) };
        problems.push(without_value(&error));
        line = without_flag(line, &flag);
        set_aside.push(flag);
    };
    let arguments = Arguments::from_arg_matches(&matches)?;
    match arguments.command {
        Command::Doctor(doctor) => Ok(doctor.examine(arguments.log_level, problems)),
        _ => Err(clap::Error::new(ErrorKind::InvalidSubcommand).into()),
    }
}

/// The flag whose value cannot be read, without its dashes.
fn flag_of(error: &clap::Error) -> Option<String> {
    let is_value = matches!(error.kind(), ErrorKind::InvalidValue | ErrorKind::ValueValidation);
    let argument = invalid_argument(error).filter(|_| is_value)?;
    let flag = argument.strip_prefix("--")?.split([' ', '=']).next()?;
    Some(flag.to_owned())
}

/// The command line without a flag and its value.
fn without_flag(line: Vec<OsString>, flag: &str) -> Vec<OsString> {
    let (alone, joined) = (format!("--{flag}"), format!("--{flag}="));
    let mut is_value = false;
    let is_left = |word: &OsString| {
        let is_joined = word.to_string_lossy().starts_with(&joined);
        let is_left = !is_value && !is_joined && *word != *alone;
        is_value = *word == *alone;
        is_left
    };
    line.into_iter().filter(is_left).collect()
}

//! The settings that processes are started with, and what is started or run before the service.

use std::path::Path;

use crate::{Database, Process, run};

/// The key that a sandbox signs with where it is a process of its own.
pub(crate) const API_KEY: &str = "key-of-the-sandbox-0123456789abcdef";

/// What stories use up that are not about it: in their course one person does in a minute what takes others a month.
const RAISED: &[(&str, &str)] = &[
    ("WRONG_PASSWORDS_PER_EMAIL_AND_NETWORK", "100000/1h"),
    ("WRONG_PASSWORDS_PER_ADDRESS", "100000/1h"),
    ("WRONG_PASSWORDS_PER_EMAIL", "100000/1h"),
    ("WRONG_PASSWORDS_PER_DEVICE", "100000/1h"),
    ("WRONG_CODES_PER_PHONE", "100000/1h"),
    ("WRONG_CODES_PER_UNPROVEN_PHONE", "100000/1h"),
    ("CODES_PER_LOGIN", "100000/1h"),
    ("CODES_PER_PHONE", "100000/1h"),
    ("CODES_PER_PHONE_DAILY", "100000/1h"),
    ("CODES_PER_UNPROVEN_PHONE", "100000/1h"),
    ("CODES_PER_UNPROVEN_PHONE_DAILY", "100000/1h"),
    ("CODES_PER_CALLING_CODE", "100000/1h"),
    ("CODES_FOR_ALL", "100000/1h"),
    ("SIGNUP_ATTEMPTS_PER_ADDRESS", "100000/1h"),
    ("SIGNUPS_PER_ADDRESS", "100000/1h"),
    ("SIGNUPS_PER_PHONE_AND_NETWORK", "100000/1h"),
    ("PUSHES_PER_PHONE", "100000/1h"),
    ("PUSHES_PER_UNPROVEN_PHONE", "100000/1h"),
    ("DENIALS_PER_PHONE_AND_NETWORK", "100000/1h"),
    ("DENIALS_PER_PHONE", "100000/1h"),
    ("STARTED_LOGINS_PER_USER_AND_NETWORK", "100000/1h"),
    ("STARTED_LOGINS_PER_DEVICE", "100000/1h"),
    ("APP_HINTS_PER_LOGIN", "100000/1h"),
    ("APP_HINTS_PER_PHONE", "100000/1h"),
    ("APP_HINTS_PER_UNVERIFIED_PHONE", "100000/1h"),
    ("OPEN_PUSHES_PER_PHONE", "100"),
    ("RETURNED_CODES_SAMPLE", "1000000"),
    ("OPERATIONS_PER_ADDRESS", "1000000/1m"),
    ("STATEMENTS_PER_ADDRESS", "10000"),
];

/// The budgets that stories are told with which are not about them: settings and their values.
pub fn raised_budgets() -> impl Iterator<Item = (&'static str, &'static str)> {
    RAISED.iter().copied()
}

/// Environment variables, and nothing of whoever runs the tests.
#[derive(Clone, Debug)]
pub(crate) struct Settings(Vec<(String, String)>);

impl Default for Settings {
    fn default() -> Self {
        let settings = [
            ("LOG_LEVEL", "trace"),
            // Whichever command serves a story, its log is read alike.
            ("LOG_FORMAT", "text"),
            ("HASH_THREADS", "2"),
            ("SHUTDOWN_DELAY", "0s"),
        ];
        let mut settings =
            Self(settings.map(|(variable, value)| (variable.to_owned(), value.to_owned())).into());
        for (budget, raised) in raised_budgets() {
            settings.set(budget, raised);
        }
        settings
    }
}

impl Settings {
    /// Says what a setting is, whatever was said before.
    pub(crate) fn set(&mut self, variable: &str, value: &str) {
        self.0.push((variable.to_owned(), value.to_owned()));
    }

    /// Leaves all budgets as they are for people who have set none.
    pub(crate) fn leave_budgets(&mut self) {
        self.0.retain(|(variable, _)| RAISED.iter().all(|(budget, _)| variable != budget));
    }

    /// What a setting is, where it was said.
    pub(crate) fn get(&self, variable: &str) -> Option<&str> {
        self.0.iter().rev().find(|(known, _)| known == variable).map(|(_, value)| value.as_str())
    }

    /// Says what a setting is unless a story says otherwise.
    pub(crate) fn set_default(&mut self, variable: &str, value: &str) {
        self.0.insert(0, (variable.to_owned(), value.to_owned()));
    }

    /// Variables and values; of several values, the last counts.
    pub(crate) fn as_slice(&self) -> &[(String, String)] {
        &self.0
    }

    /// Says where the database is, unless a story says otherwise. On PostgreSQL, two connections have to be enough for any story.
    pub(crate) fn keep_in(&mut self, database: &Database) {
        match database {
            Database::Sqlite => self.set_default("DATABASE_URL", "sqlite:countersign.db"),
            Database::Postgres(database) => {
                self.set_default("DATABASE_URL", database.url());
                self.set_default("DATABASE_POOL_SIZE", "2");
            }
        }
    }

    /// Runs the migrations.
    pub(crate) async fn migrate(&self, folder: &Path) {
        let settings: Vec<_> =
            self.0.iter().map(|(variable, value)| (variable.as_str(), value.as_str())).collect();
        let migrated = run("server-under-test", &["migrate"], &settings, folder).await;
        assert_eq!(migrated.code, Some(0), "{}", migrated.log);
    }

    /// Starts a sandbox, and says where it is.
    pub(crate) async fn start_sandbox(&mut self, folder: &Path) -> Process {
        self.set("AUTHY_API_KEY", API_KEY);
        let mut of_sandbox = self.clone();
        of_sandbox.set("SANDBOX_LISTEN", "127.0.0.1:0");
        let log = folder.join("sandbox.log");
        let sandbox = Process::spawn(&["sandbox"], of_sandbox.as_slice(), folder, &log, 1).await;
        self.set_default("AUTHY_API_URL", sandbox.address("sandbox"));
        sandbox
    }
}

//! `countersign doctor`: looks at everything that a deployment needs, and says what to do about what is wrong.
//!
//! The invariant: nothing is changed and nobody is sent a message; no secret is said. Every question has its time, and
//! those that do not need each other's answers are asked at once.

mod background;
mod clock;
mod database;
mod emails;
mod file;
mod health;
mod listening;
mod provider;
mod public;
mod reason;
mod report;
mod settings;

use std::time::Duration;

use reqwest::{Client, ClientBuilder, redirect, retry};
use url::Url;

use self::report::{Finding, Report, Status};
pub(crate) use self::{health::is_healthy, settings::is_below_owasp_minimum};
use crate::{
    clock::Clock,
    config::{DoctorSettings, PartialSettings},
    events::Transport,
};

/// How long one answer of a URL may take.
const ANSWERS_WITHIN: Duration = Duration::from_secs(5);
const EVENTS: &str = "events";

/// Fewer files may be open than connections need.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OpenFiles {
    pub(crate) granted: u64,
    pub(crate) needed: u64,
}

/// How the examination ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Diagnosis {
    /// Nothing failed.
    Healthy,
    /// Something failed.
    Ill,
    /// Settings are wrong, whatever else is.
    WrongSettings,
}

/// Looks at everything. The report is text that ends with a line's end.
pub(crate) async fn examine(
    settings: DoctorSettings,
    open_files: Option<OpenFiles>,
) -> anyhow::Result<(Diagnosis, String)> {
    let findings = Box::pin(findings(&settings, open_files)).await?;
    let report = Report::new(findings);
    let diagnosis = match report.has_failed() {
        _ if !settings.settings.problems().is_empty() => Diagnosis::WrongSettings,
        true => Diagnosis::Ill,
        false => Diagnosis::Healthy,
    };
    let text =
        if settings.is_for_programs { report.to_json()? } else { report.to_text(settings.is_coloured) };
    Ok((diagnosis, text))
}

async fn findings(settings: &DoctorSettings, open_files: Option<OpenFiles>) -> anyhow::Result<Vec<Finding>> {
    let (partial, clock) = (&settings.settings, Clock::system());
    let proxy = partial.given.proxy.check();
    // A socket begins with an upgrade, which HTTP/2 has not.
    let client = || proxy.apply(client());
    let (client, of_sockets) = (client()?.build()?, client()?.http1_only().build()?);
    let (database, events, (provider, provider_time), public, callback, listening) = tokio::join!(
        database::check(partial, clock.clone()),
        events(partial),
        provider::check(partial, &clock),
        public::check_public(partial, &client, &of_sockets),
        public::check_callback(partial, &client),
        listening::check(partial, &client),
    );
    let told: Vec<_> = provider_time.into_iter().chain(database.time).collect();
    let background = background::judge(&listening, database.leases.as_ref(), clock.now());
    let parts = [
        settings::check(settings, open_files),
        listening.listening,
        database.database,
        database.schema,
        background,
        events,
        provider,
        public,
        callback,
        clock::judge(&told),
    ];
    Ok(parts.into_iter().flatten().collect())
}

/// Goes where it is sent, and asks once.
fn client() -> ClientBuilder {
    Client::builder()
        .user_agent(concat!("countersign-doctor/", env!("CARGO_PKG_VERSION")))
        .timeout(ANSWERS_WITHIN)
        .redirect(redirect::Policy::none())
        .retry(retry::never())
        .referer(false)
}

async fn events(settings: &PartialSettings) -> Vec<Finding> {
    let finding = match settings.events() {
        None => Finding::skipped(EVENTS, "not looked at: see EVENTS_URL"),
        Some(Transport::Database) => Finding::ok(EVENTS, "as the database carries them"),
        Some(Transport::Nats(url)) => match url.reach(ANSWERS_WITHIN).await {
            Ok(version) => Finding::ok(EVENTS, format!("NATS {version} takes us in")),
            Err(problem) => {
                let advice = "see that it runs, and that EVENTS_URL names it and a user that it knows; people learn of \
                              their phone's answer up to three seconds late meanwhile";
                Finding::failure(EVENTS, format!("NATS cannot be used: {problem}"), advice)
            }
        },
    };
    vec![finding]
}

/// Host and port of a URL, which may hold a password elsewhere.
fn place(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// The answer, unless it takes too long.
async fn within<T>(time: Duration, question: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(time, question).await.ok()
}

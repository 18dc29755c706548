//! What is counted, and how it is read: as text, by Prometheus.
//!
//! Whoever counts says so where it happens; here stands what each count means. Labels are few and never a person's, nor
//! anything else that a peer chooses: each value of a label is kept for as long as the process lives.

use std::time::Duration;

use anyhow::Context;
use metrics::{describe_counter, describe_gauge, describe_histogram};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

use super::process::Process;

/// Up to how many seconds something took: from what a query costs to where everybody has given up.
const BUCKETS: &[f64] = &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
/// How often what was measured is added up. Until then each measurement is kept, whether anybody reads them or not.
const ADDED_UP_EVERY: Duration = Duration::from_secs(5);

/// What only grows.
const COUNTERS: &[(&str, &str)] = &[
    (
        "countersign_logins_begun_total",
        "Logins begun, by purpose and by what the person was first told to do.",
    ),
    (
        "countersign_logins_ended_total",
        "Logins ended, by purpose, outcome, and what settled them: callback, asked, code, clock or person.",
    ),
    (
        "countersign_denials_total",
        "Phones that said no, by what came of it and by whether that was called back or asked.",
    ),
    ("countersign_callbacks_total", "Callbacks heard, by answer: refused is not authentic, all others are."),
    (
        "countersign_passwords_refused_total",
        "Passwords that were not looked at, because too many were waiting.",
    ),
    (
        "countersign_sockets_ended_total",
        "Sockets ended, by the close code that the service sent; `gone` where the peer left first.",
    ),
    ("countersign_hints_sent_total", "Hints sent to other instances."),
    ("countersign_hints_heard_total", "Hints heard from other instances."),
    ("countersign_hints_lost_total", "Hints that could not be sent to other instances."),
    (
        "countersign_hints_missed_total",
        "Times that listening to other instances began, the first included: hints before it may have been missed.",
    ),
    (
        "countersign_changes_found_total",
        "Watchers that learnt of a change by looking for it, and of which no hint had told them.",
    ),
    (
        "countersign_budgets_used_up_total",
        "Requests refused because a budget was used up, by the setting of that budget in lower case.",
    ),
    (
        "countersign_codes_sent_total",
        "Codes sent by text message or call, by calling code and by whether the phone was proven.",
    ),
    ("countersign_codes_returned_total", "Signups confirmed after a code was sent, by calling code."),
    ("countersign_http_requests_total", "Requests answered, by method, route and status."),
    (
        "countersign_graphql_operations_total",
        "Operations ended, by the field at their root, by what they came over, and by outcome.",
    ),
    ("countersign_database_errors_total", "What the database did not do, by the kind of trouble."),
    ("process_cpu_seconds_total", "Processor time that this process has spent, in whole seconds."),
];

/// What goes up and down.
const GAUGES: &[(&str, &str)] = &[
    ("countersign_password_threads", "Threads that hash passwords."),
    ("countersign_password_threads_in_use", "Threads that hash a password just now."),
    ("countersign_passwords_waiting", "Passwords that wait for a thread."),
    ("countersign_sockets_open", "Sockets that are open."),
    ("countersign_subscriptions_open", "Subscriptions that are open."),
    ("countersign_topics_watched", "Logins and sessions that somebody watches."),
    (
        "countersign_new_phones_stopped",
        "1 where too few codes come back, so that none are sent to unproven phones of this calling code.",
    ),
    ("countersign_http_requests_in_flight", "Requests that are not answered yet."),
    ("countersign_build_info", "Always 1; which version runs."),
    ("process_start_time_seconds", "When this process began, in seconds since 1970."),
    ("process_resident_memory_bytes", "Memory that this process holds."),
    ("process_open_fds", "Files and connections that this process has open."),
    ("process_max_fds", "How many it may have open."),
];

/// What takes time.
const HISTOGRAMS: &[(&str, &str)] = &[
    (
        "countersign_provider_call_seconds",
        "Calls to the provider, by what was asked and what came of it; `abandoned` where nobody waited any longer.",
    ),
    ("countersign_password_wait_seconds", "How long passwords waited for a thread."),
    ("countersign_password_work_seconds", "How long a thread worked on a password, by what it did."),
    ("countersign_http_request_seconds", "From a request's head to its answer's, by route."),
    (
        "countersign_graphql_operation_seconds",
        "From an operation's document to its result, by the field at its root; without subscriptions.",
    ),
    ("countersign_database_wait_seconds", "How long a query or transaction waited for a connection."),
];

/// The counts of this process.
#[derive(Clone)]
pub(crate) struct Metrics {
    counts: PrometheusHandle,
    process: Process,
}

impl Metrics {
    /// Begins to count, once for the process.
    pub(crate) fn start() -> anyhow::Result<Self> {
        let builder = PrometheusBuilder::new().set_buckets(BUCKETS).context("nothing can be measured")?;
        let counts = builder.install_recorder().context("nothing can be counted")?;
        for (name, meaning) in COUNTERS {
            describe_counter!(*name, *meaning);
        }
        for (name, meaning) in GAUGES {
            describe_gauge!(*name, *meaning);
        }
        for (name, meaning) in HISTOGRAMS {
            describe_histogram!(*name, *meaning);
        }
        Ok(Self { counts, process: Process::start() })
    }

    /// The counts as Prometheus reads them.
    pub(crate) fn render(&self) -> String {
        self.process.look();
        self.counts.run_upkeep();
        self.counts.render()
    }

    /// Adds up what was measured, until it is dropped, so that it does not pile up where nobody reads it.
    pub(crate) async fn keep_adding_up(&self) {
        loop {
            tokio::time::sleep(ADDED_UP_EVERY).await;
            self.counts.run_upkeep();
        }
    }
}

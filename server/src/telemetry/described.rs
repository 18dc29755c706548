//! All that is counted, with its labels and what it means: what Prometheus is told, and what `docs/METRICS.md` and the
//! dashboard are held against.

/// Something that is counted.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// What it is called.
    pub name: &'static str,
    /// How it is counted.
    pub kind: Kind,
    /// What tells its series apart.
    pub labels: &'static [Label],
    /// What it means, in a sentence.
    pub meaning: &'static str,
}

/// How something is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It only grows.
    Counter,
    /// It goes up and down.
    Gauge,
    /// How long things took, in buckets.
    Histogram,
}

/// What tells the series of a metric apart.
#[derive(Clone, Copy, Debug)]
pub struct Label {
    /// What it is called.
    pub name: &'static str,
    /// All values that there are. None where they are known elsewhere: routes, statuses, calling codes.
    pub values: &'static [&'static str],
}

const fn label(name: &'static str, values: &'static [&'static str]) -> Label {
    Label { name, values }
}

const fn counter(name: &'static str, labels: &'static [Label], meaning: &'static str) -> Metric {
    Metric { name, kind: Kind::Counter, labels, meaning }
}

const fn gauge(name: &'static str, labels: &'static [Label], meaning: &'static str) -> Metric {
    Metric { name, kind: Kind::Gauge, labels, meaning }
}

const fn histogram(name: &'static str, labels: &'static [Label], meaning: &'static str) -> Metric {
    Metric { name, kind: Kind::Histogram, labels, meaning }
}

const PURPOSE: Label = label("purpose", &["login", "signup", "confirm"]);
const NEXT_STEP: Label = label("next_step", &["approve_on_phone", "enter_code"]);
const OUTCOME_OF_LOGIN: Label = label(
    "outcome",
    &[
        "approved",
        "expired",
        "too_many_wrong_codes",
        "cancelled",
        "email_taken",
        "denied",
        "session_ended",
        "account_changed",
        "failed",
    ],
);
const OUTCOME_OF_PASSWORD: Label = label("outcome", &["right", "wrong", "rate_limited", "busy", "failed"]);
const OUTCOME_OF_CODE: Label = label(
    "outcome",
    &[
        "right",
        "wrong",
        "unreadable",
        "no_code_sent",
        "already_used",
        "rate_limited",
        "no_login",
        "unavailable",
        "failed",
    ],
);
const SETTLED_BY: Label = label("by", &["callback", "asked", "code", "clock", "person", "account"]);
const EFFECT: Label = label("effect", &["code_may_follow", "login_ended", "session_ended", "too_late"]);
const DENIED_BY: Label = label("by", &["callback", "asked"]);
const ANSWER: Label =
    label("answer", &["accepted", "repeated", "unknown", "nothing_to_do", "kept", "refused"]);
const PROVIDER: Label = label("provider", &["authy"]);
const CALL: Label = label("call", &["enroll", "request_push", "find_push", "send_code", "check_code"]);
const OUTCOME_OF_CALL: Label = label(
    "outcome",
    &[
        "ok",
        "refused",
        "no_push",
        "channel_unavailable",
        "channel_disabled",
        "not_enrolled",
        "rate_limited",
        "unauthorized",
        "unreachable",
        "timed_out",
        "nonsense",
        "abandoned",
    ],
);
const BREAKER_STATE: Label = label("state", &["open", "half_open", "closed"]);
const PAUSE_SCOPE: Label = label("scope", &["phone", "network", "all"]);
const WORK: Label = label("work", &["judge", "hash", "compare"]);
const CLOSE_CODE: Label =
    label("code", &["1000", "1001", "1002", "1007", "1013", "4400", "4401", "4408", "4409", "4429", "gone"]);
const LEARNT_BY: Label = label("by", &["hint", "look"]);
const BUDGET: Label = label(
    "budget",
    &[
        "wrong_passwords_per_email_and_network",
        "wrong_passwords_per_address",
        "wrong_passwords_per_email",
        "wrong_passwords_per_device",
        "wrong_passwords_per_session",
        "wrong_codes_per_phone",
        "wrong_codes_per_unproven_phone",
        "codes_per_login",
        "codes_per_phone",
        "codes_per_phone_daily",
        "codes_per_unproven_phone",
        "codes_per_unproven_phone_daily",
        "codes_per_calling_code",
        "codes_for_all",
        "returned_codes",
        "signup_attempts_per_address",
        "signups_per_address",
        "signups_per_phone_and_network",
        "started_logins_per_user_and_network",
        "started_logins_per_device",
        "unjudged_codes_per_login_and_network",
        "app_hints_per_login",
        "app_hints_per_phone",
        "app_hints_per_unverified_phone",
        "open_pushes_per_phone",
        "pushes_per_phone",
        "pushes_per_unproven_phone",
        "denials_per_phone",
        "denials_per_phone_and_network",
    ],
);
const CALLING_CODE: Label = label("calling_code", &[]);
const PROVEN: Label = label("proven", &["true", "false"]);
const METHOD: Label = label("method", &["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "other"]);
const ROUTE: Label = label("route", &[]);
const STATUS: Label = label("status", &[]);
const KIND_OF_OPERATION: Label = label("kind", &["query", "mutation", "subscription", "unread"]);
const OPERATION: Label = label(
    "operation",
    &[
        "me",
        "loginStatus",
        "signup",
        "login",
        "cancelLogin",
        "verifyToken",
        "resendToken",
        "session",
        "confirm",
        "changePassword",
        "endSession",
        "endOtherSessions",
        "logout",
        "forgetDevices",
        "introspection",
        "typename",
        "several",
        "unknown",
        "unread",
    ],
);
const TRANSPORT: Label = label("transport", &["post", "get", "socket"]);
const OUTCOME_OF_OPERATION: Label = label("outcome", &["ok", "refused", "error", "stopped"]);
const KIND_OF_TROUBLE: Label = label(
    "kind",
    &[
        "no_connection",
        "none_free",
        "connection_lost",
        "read_only",
        "conflict",
        "taken",
        "refused",
        "missing",
        "not_run",
    ],
);
const TASK: Label = label(
    "task",
    &[
        "poll_pushes",
        "expire_approvals",
        "catch_up_approvals",
        "catch_up_sessions",
        "read_provider_pauses",
        "measure_time",
        "delete_approvals",
        "delete_sessions",
        "delete_account_events",
        "delete_devices",
        "delete_failed_attempts",
        "delete_rate_limits",
        "delete_sms_conversions",
        "delete_used_codes",
    ],
);
const OUTCOME_OF_RUN: Label = label("outcome", &["succeeded", "skipped", "failed", "panicked"]);
const VERSION: Label = label("version", &[]);

/// All that is counted.
pub const METRICS: &[Metric] = &[
    counter(
        "countersign_logins_begun_total",
        &[PURPOSE, NEXT_STEP],
        "Logins begun, by purpose and by what the person was first told to do.",
    ),
    counter(
        "countersign_logins_ended_total",
        &[PURPOSE, OUTCOME_OF_LOGIN, SETTLED_BY],
        "Logins ended, by purpose, outcome, and what settled them: callback, asked, code, clock, person, or the end of its session or a change of its account (account).",
    ),
    counter(
        "countersign_denials_total",
        &[EFFECT, DENIED_BY],
        "Phones that said no, by what came of it and by whether that was called back or asked.",
    ),
    counter(
        "countersign_callbacks_total",
        &[ANSWER],
        "Callbacks heard, by answer: refused is not authentic, all others are.",
    ),
    counter(
        "countersign_codes_sent_total",
        &[CALLING_CODE, PROVEN],
        "Codes sent by text message or call, by calling code and by whether the phone was proven.",
    ),
    counter(
        "countersign_codes_returned_total",
        &[CALLING_CODE],
        "Signups confirmed after a code was sent, by calling code.",
    ),
    gauge(
        "countersign_sms_conversion_low",
        &[CALLING_CODE],
        "1 where too few codes had come back at the last request for one: unverified phones of this calling code have a tenth of their share.",
    ),
    histogram(
        "countersign_provider_call_seconds",
        &[PROVIDER, CALL, OUTCOME_OF_CALL],
        "Duration of the calls to a provider, by outcome; abandoned if the caller was gone before the answer.",
    ),
    counter(
        "countersign_provider_breaker_changes_total",
        &[PROVIDER, CALL, BREAKER_STATE],
        "State changes of circuit breakers, by operation: open pauses all its calls, half_open makes one, closed makes all again.",
    ),
    counter(
        "countersign_provider_calls_paused_total",
        &[PROVIDER, CALL, PAUSE_SCOPE],
        "Calls to the provider that were not made because a pause was due, by operation and by which calls were paused.",
    ),
    counter(
        "countersign_password_attempts_total",
        &[OUTCOME_OF_PASSWORD],
        "Passwords typed to log in, by outcome; wrong also for an unknown email.",
    ),
    counter(
        "countersign_code_attempts_total",
        &[OUTCOME_OF_CODE],
        "Codes typed, by outcome; unreadable and no_code_sent were not judged.",
    ),
    gauge("countersign_password_threads", &[], "Threads that hash passwords."),
    gauge("countersign_password_threads_in_use", &[], "Threads that work on a password just now."),
    gauge("countersign_passwords_waiting", &[], "Passwords that wait for a thread."),
    counter(
        "countersign_passwords_refused_total",
        &[],
        "Passwords that were not processed, because the queue was full or another network had more right to the place.",
    ),
    histogram("countersign_password_wait_seconds", &[], "How long passwords waited for a thread."),
    histogram(
        "countersign_password_work_seconds",
        &[WORK],
        "How long a thread worked on a password, by what it did.",
    ),
    gauge("countersign_sockets_open", &[], "Sockets that are open."),
    counter(
        "countersign_sockets_ended_total",
        &[CLOSE_CODE],
        "Sockets ended, by the close code that the service sent; gone where the peer left first.",
    ),
    counter(
        "countersign_connections_evicted_total",
        &[],
        "Connections that were not busy and ended for new ones, because the service was full.",
    ),
    gauge("countersign_subscriptions_open", &[], "Subscriptions that are open: people who wait."),
    gauge("countersign_topics_watched", &[], "Logins and sessions that somebody watches."),
    counter("countersign_hints_sent_total", &[], "Hints sent to other instances."),
    counter("countersign_hints_heard_total", &[], "Hints heard from other instances."),
    counter("countersign_hints_lost_total", &[], "Hints that could not be sent to other instances."),
    counter(
        "countersign_hints_missed_total",
        &[],
        "Times that listening to other instances began, the first included: hints before it may have been missed.",
    ),
    counter(
        "countersign_changes_learnt_total",
        &[LEARNT_BY],
        "Changes that watchers learnt of, by how: hint where somebody told them, look where nobody had and it was looked for.",
    ),
    counter(
        "countersign_budgets_used_up_total",
        &[BUDGET],
        "Requests refused because a budget was used up, by the setting of that budget in lower case.",
    ),
    counter(
        "countersign_http_requests_total",
        &[METHOD, ROUTE, STATUS],
        "Requests ended, by method, route and status; gone where the peer hung up first.",
    ),
    histogram(
        "countersign_http_request_seconds",
        &[ROUTE],
        "From a request's head to its answer's, by route.",
    ),
    gauge("countersign_http_requests_in_flight", &[], "Requests that are not answered yet."),
    counter(
        "countersign_graphql_operations_total",
        &[KIND_OF_OPERATION, OPERATION, TRANSPORT, OUTCOME_OF_OPERATION],
        "Operations ended, by kind, by the field at their root, by what they came over, and by outcome.",
    ),
    histogram(
        "countersign_graphql_operation_seconds",
        &[OPERATION],
        "From an operation's document to its result, by the field at its root; without subscriptions.",
    ),
    histogram(
        "countersign_database_wait_seconds",
        &[],
        "How long a query or transaction waited for a connection.",
    ),
    counter(
        "countersign_database_errors_total",
        &[KIND_OF_TROUBLE],
        "What the database did not do, by the kind of trouble.",
    ),
    gauge(
        "countersign_clock_skew_seconds",
        &[],
        "Seconds by which this machine's clock is ahead of the database's, negative where it is behind; the database's time is used.",
    ),
    counter(
        "countersign_background_runs_total",
        &[TASK, OUTCOME_OF_RUN],
        "Runs of background tasks, by outcome; skipped where another instance holds the lease of this interval.",
    ),
    gauge(
        "countersign_background_last_success_timestamp_seconds",
        &[TASK],
        "When the last run began that succeeded on this instance, in seconds since 1970.",
    ),
    histogram(
        "countersign_background_run_seconds",
        &[TASK],
        "How long runs of background tasks took, skipped ones left out.",
    ),
    counter("countersign_spans_ended_total", &[], "Spans that ended and are to be exported."),
    counter(
        "countersign_spans_exported_total",
        &[],
        "Spans that the collector accepted. The difference to those that ended was dropped, but for what waits, a second at most.",
    ),
    gauge("countersign_build_info", &[VERSION], "Always 1; which version runs."),
    gauge("process_start_time_seconds", &[], "When this process began, in seconds since 1970."),
    counter(
        "process_cpu_seconds_total",
        &[],
        "Processor time that this process has spent, in whole seconds.",
    ),
    gauge("process_resident_memory_bytes", &[], "Memory that this process holds."),
    gauge("process_open_fds", &[], "Files and connections that this process has open."),
    gauge("process_max_fds", &[], "How many it may have open."),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::METRICS;

    #[test]
    fn a_name_and_the_values_of_a_label_are_there_once() {
        let names: BTreeSet<_> = METRICS.iter().map(|metric| metric.name).collect();
        assert_eq!(names.len(), METRICS.len());
        for metric in METRICS {
            for label in metric.labels {
                let values: BTreeSet<_> = label.values.iter().collect();
                assert_eq!(values.len(), label.values.len(), "{} {}", metric.name, label.name);
            }
        }
    }
}

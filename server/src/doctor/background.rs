//! Background work: what an instance on this machine says of its tasks, and what the database says of all instances.
//!
//! The doctor is a process of its own. It reads statuses where `METRICS_LISTEN` names a listener, and the leases of tasks in any case: a
//! lease says when some instance last began a task, and not how the run ended.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::{Finding, listening};
use crate::background::{LastRun, Outcome, TaskStatus};

const CHECK: &str = "background";
/// The tasks with a lease run every minute.
const LATE_AFTER: TimeDelta = TimeDelta::minutes(5);

/// When an instance last began each task that has a lease.
pub(super) type Leases = Vec<(String, DateTime<Utc>)>;

pub(super) fn judge(
    listening: &listening::Found,
    leases: Option<&Leases>,
    now: DateTime<Utc>,
) -> Vec<Finding> {
    let mut findings: Vec<_> = listening.tasks.iter().flatten().filter_map(failing).collect();
    match leases {
        None => findings.push(Finding::skipped(CHECK, "not looked at: see the database")),
        Some(leases) => findings.extend(of_leases(leases, listening.is_serving, now)),
    }
    if let (true, Some(tasks)) = (findings.is_empty(), &listening.tasks) {
        let message = format!("all {} tasks of the instance on this machine succeed", tasks.len());
        findings.push(Finding::ok(CHECK, message));
    }
    if let (true, Some(leases)) = (findings.is_empty(), leases) {
        findings.push(Finding::ok(CHECK, summary(leases, now)));
    }
    findings
}

/// A warning where the last run of a task failed.
fn failing(status: &TaskStatus) -> Option<Finding> {
    let LastRun { outcome, started_at, .. } = status.last_run.as_ref()?;
    let error = match outcome {
        Outcome::Succeeded | Outcome::Skipped => return None,
        Outcome::Failed { error } => error,
        Outcome::Panicked => "panic",
    };
    let (task, failures) = (&status.task, status.failures_in_a_row);
    let at = started_at.format("%H:%M:%S");
    let message = format!("{task} failed {failures} times in a row, last at {at} UTC: {error}");
    let advice = "it runs again by itself; see the log for what the error says of its cause";
    Some(Finding::warning(CHECK, message, advice))
}

/// A warning where the service runs and no instance has begun a task for some minutes.
fn of_leases(leases: &Leases, is_serving: bool, now: DateTime<Utc>) -> Option<Finding> {
    let (task, taken_at) = leases.iter().min_by_key(|(_, taken_at)| *taken_at)?;
    (is_serving && now - *taken_at > LATE_AFTER).then(|| {
        let message = format!("no instance has begun {task} for {}", rounded(now - *taken_at));
        let advice = "see the log of each instance for `background task failed`";
        Finding::warning(CHECK, message, advice)
    })
}

/// What leases alone say.
fn summary(leases: &Leases, now: DateTime<Utc>) -> String {
    match leases.iter().map(|(_, taken_at)| *taken_at).max() {
        None => "no instance has run on this database yet".to_owned(),
        Some(last) => format!(
            "an instance last began a task {} ago; METRICS_LISTEN has doctor read how they ended",
            rounded(now - last)
        ),
    }
}

/// A length of time in whole seconds; zero where clocks differ.
fn rounded(time: TimeDelta) -> humantime::FormattedDuration {
    let seconds = u64::try_from(time.num_seconds()).unwrap_or_default();
    humantime::format_duration(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::report::Status;

    fn listening(tasks: &str, is_serving: bool) -> listening::Found {
        listening::Found { listening: Vec::new(), is_serving, tasks: serde_json::from_str(tasks).unwrap() }
    }

    fn status(last_run: &str) -> String {
        let counts = r#""interval_seconds":60,"runs":7,"failures_in_a_row":3"#;
        let ends = format!(r#""running_since":null,"last_run":{last_run},"last_success":null"#);
        format!(r#"[{{"task":"delete_devices",{counts},{ends}}}]"#)
    }

    fn told(tasks: &str, is_serving: bool, leases: &[(&str, i64)]) -> Vec<(Status, String)> {
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let leases: Leases = leases
            .iter()
            .map(|(task, seconds)| ((*task).to_owned(), now - TimeDelta::seconds(*seconds)))
            .collect();
        let findings = judge(&listening(tasks, is_serving), Some(&leases), now);
        findings.into_iter().map(|finding| (finding.status, finding.message().to_owned())).collect()
    }

    #[test]
    fn a_task_that_fails_is_named_with_its_error() {
        let failed = r#"{"started_at":"2026-11-22T10:00:07Z","duration_seconds":0.1,"outcome":"failed","error":"no room"}"#;
        let expected = "delete_devices failed 3 times in a row, last at 10:00:07 UTC: no room";
        assert_eq!(
            told(&status(failed), true, &[("delete_devices", 5)]),
            [(Status::Warning, expected.to_owned())]
        );
        let succeeded = failed.replace("failed", "succeeded");
        let expected = "all 1 tasks of the instance on this machine succeed";
        assert_eq!(
            told(&status(&succeeded), true, &[("delete_devices", 5)]),
            [(Status::Ok, expected.to_owned())]
        );
    }

    #[test]
    fn old_leases_matter_while_the_service_runs() {
        let leases = [("delete_devices", 720), ("delete_sessions", 10)];
        let expected = "no instance has begun delete_devices for 12m";
        assert_eq!(told("null", true, &leases), [(Status::Warning, expected.to_owned())]);
        let [(status, message)] = &told("null", false, &leases)[..] else { panic!() };
        assert!(
            *status == Status::Ok && message.starts_with("an instance last began a task 10s ago"),
            "{message}"
        );
        let [(status, message)] = &told("null", true, &[])[..] else { panic!() };
        assert!(*status == Status::Ok && message == "no instance has run on this database yet", "{message}");
    }
}

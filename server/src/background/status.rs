//! How the runs of each task ended: for `/metrics`, for the log, and as a list that programs read.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use metrics::{counter, gauge, histogram};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::Schedule;

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "outcome")]
pub enum Outcome {
    /// The work is done.
    Succeeded,
    /// Another instance holds the lease of this interval.
    Skipped,
    /// The work is not done, or only a part of it.
    Failed {
        /// The message of the error.
        error: String,
    },
    /// The run panicked. The log has the place.
    Panicked,
}

/// The last run of a task that has ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LastRun {
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// How long it took.
    pub duration_seconds: f64,
    /// How it ended.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// The state of a task on this instance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskStatus {
    /// The name of the task.
    pub task: String,
    /// The longest pause between two runs, unless one takes longer.
    pub interval_seconds: u64,
    /// How many runs have ended, skipped ones included.
    pub runs: u64,
    /// How many runs have failed or panicked since one succeeded.
    pub failures_in_a_row: u64,
    /// When the run that is not over began; `None` between runs.
    pub running_since: Option<DateTime<Utc>>,
    /// The last run that has ended; `None` before the first one has.
    pub last_run: Option<LastRun>,
    /// When the last run began that succeeded here; `None` if none has.
    pub last_success: Option<DateTime<Utc>>,
    /// What was logged last, until a run succeeds.
    #[serde(skip)]
    logged: Option<Outcome>,
}

/// The statuses of all tasks. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Statuses(Arc<watch::Sender<BTreeMap<Key, TaskStatus>>>);

/// The name of a task, and what it is about.
type Key = (&'static str, Option<&'static str>);

impl Outcome {
    /// Whether the work is not done although it was this instance's turn.
    #[must_use]
    pub const fn is_failure(&self) -> bool {
        matches!(self, Self::Failed { .. } | Self::Panicked)
    }

    /// The value of the label `outcome`.
    const fn word(&self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Skipped => "skipped",
            Self::Failed { .. } => "failed",
            Self::Panicked => "panicked",
        }
    }
}

impl TaskStatus {
    fn new(schedule: &Schedule) -> Self {
        Self {
            task: schedule
                .about
                .map_or_else(|| schedule.name.to_owned(), |it| format!("{} {it}", schedule.name)),
            interval_seconds: schedule.interval.as_secs(),
            runs: 0,
            failures_in_a_row: 0,
            running_since: None,
            last_run: None,
            last_success: None,
            logged: None,
        }
    }

    /// Stores the end of a run, and logs it where it differs from the one before.
    fn finish(&mut self, outcome: Outcome, took: Duration) {
        let Some(started_at) = self.running_since.take() else { return };
        self.runs += 1;
        match &outcome {
            Outcome::Succeeded => {
                self.failures_in_a_row = 0;
                self.last_success = Some(started_at);
                if self.logged.take().is_some() {
                    tracing::info!(task = self.task, "background task succeeds again");
                }
            }
            Outcome::Skipped => {}
            Outcome::Failed { .. } | Outcome::Panicked => {
                self.failures_in_a_row += 1;
                self.log_failure(&outcome);
            }
        }
        self.last_run = Some(LastRun { started_at, duration_seconds: took.as_secs_f64(), outcome });
    }

    fn log_failure(&mut self, outcome: &Outcome) {
        if self.logged.as_ref() == Some(outcome) {
            return;
        }
        let task = &self.task;
        if let Outcome::Failed { error } = outcome {
            tracing::warn!(task, error, "background task failed; it runs again");
        } else {
            tracing::error!(task, "background task panicked; it runs again");
        }
        self.logged = Some(outcome.clone());
    }
}

impl Schedule {
    const fn key(&self) -> Key {
        (self.name, self.about)
    }
}

impl Statuses {
    /// Returns the statuses of all tasks, by name.
    #[must_use]
    pub fn read(&self) -> Vec<TaskStatus> {
        self.0.borrow().values().cloned().collect()
    }

    /// Waits until a task has this many runs behind it, and returns its status then. For tests.
    pub async fn after_runs(&self, task: &str, runs: u64) -> TaskStatus {
        let mut changes = self.0.subscribe();
        loop {
            let found = {
                let tasks = changes.borrow_and_update();
                tasks.values().find(|status| status.task == task && status.runs >= runs).cloned()
            };
            match found {
                Some(status) => return status,
                // The sender lives as long as `self`.
                None => drop(changes.changed().await),
            }
        }
    }

    pub(super) fn add(&self, schedule: &Schedule) {
        self.0.send_modify(|tasks| drop(tasks.insert(schedule.key(), TaskStatus::new(schedule))));
    }

    pub(super) fn start(&self, schedule: &Schedule, now: DateTime<Utc>) {
        self.0.send_modify(|tasks| {
            if let Some(status) = tasks.get_mut(&schedule.key()) {
                status.running_since = Some(now);
            }
        });
    }

    pub(super) fn finish(&self, schedule: &Schedule, outcome: Outcome, took: Duration) {
        let task = schedule.name;
        counter!("countersign_background_runs_total", "task" => task, "outcome" => outcome.word())
            .increment(1);
        if outcome != Outcome::Skipped {
            histogram!("countersign_background_run_seconds", "task" => task).record(took.as_secs_f64());
        }
        self.0.send_modify(|tasks| {
            let Some(status) = tasks.get_mut(&schedule.key()) else { return };
            status.finish(outcome, took);
            if let Some(at) = status.last_success {
                #[expect(clippy::cast_precision_loss, reason = "seconds since 1970 fit")]
                gauge!("countersign_background_last_success_timestamp_seconds", "task" => task)
                    .set(at.timestamp() as f64);
            }
        });
    }
}

//! Background work: one driver runs every periodic task.
//!
//! A *task* is work that no request asks for: it compares what the database holds with what it should hold, and makes up the
//! difference. Its `run` is idempotent. It keeps nothing that the next run could not find out again, so that a run may fail, be
//! repeated, be cut off at shutdown, or happen on two instances at once. A task therefore needs no queue and no state of its own: the
//! next run is the retry.
//!
//! The driver decides when a task runs, and records how each run ended:
//!
//! - The **interval**: the next run starts that long after the last one, at the latest.
//! - The **wake-up** ([`Task::woken`]): an earlier reason to run, such as a deadline. Losing one costs at most an interval.
//! - The **lease** ([`Schedule::leased`]): of all instances on one database, one runs the task in each interval.
//! - The **status** ([`TaskStatus`]): `/metrics`, `/background` and `countersign doctor` show it.
//!
//! Each task has a tokio task of its own, so that a slow one delays no other. A failed or panicked run ends nothing: it is counted, logged
//! once until its error changes, and followed by the next run. Shutdown cuts a run off where it waits.
//!
//! **Adding a task**: implement [`Task`] in a file of the module that owns the work, add it to the list in `app.rs`, and its name to
//! the label `task` in `telemetry/described.rs`.
//!
//! Not here, because it is not periodic: queues that are emptied as they fill (callbacks that could not be stored, notifications to other
//! instances), timers of one connection (pings, timeouts), and the upkeep of the metrics recorder, which runs without a service.

mod driver;
mod status;

#[cfg(test)]
mod tests;

use std::{error::Error, time::Duration};

use async_trait::async_trait;
use chrono::{DateTime, Utc};

pub use self::{
    driver::Driver,
    status::{LastRun, Outcome, Statuses, TaskStatus},
};

/// What the names of tasks' leases begin with.
pub const LEASE_PREFIX: &str = "task ";

/// Why a run failed. Its message is logged and shown to operators: it contains no secret and no personal data.
pub type TaskError = Box<dyn Error + Send + Sync>;

/// One kind of periodic work.
#[async_trait]
pub trait Task: Send {
    /// Returns when the task runs. The driver reads it once.
    fn schedule(&self) -> Schedule;

    /// Does the work that is due at `now`, in business time. Doing it twice has the effect of doing it once.
    async fn run(&mut self, now: DateTime<Utc>) -> Result<(), TaskError>;

    /// Waits for a reason to run before the interval ends. The driver drops the future when the interval ends first.
    async fn woken(&mut self) {
        std::future::pending::<()>().await;
    }
}

/// When a task runs.
#[derive(Clone, Copy, Debug)]
pub struct Schedule {
    name: &'static str,
    about: Option<&'static str>,
    interval: Duration,
    time: Time,
    is_leased: bool,
    is_first_at_start: bool,
    retry_after: Option<Duration>,
}

/// The time in which an interval is counted.
#[derive(Clone, Copy, Debug)]
enum Time {
    /// The time of the `Clock`, which tests move, from the start of one run to the start of the next.
    Business,
    /// The time of this machine, from the end of one run to the start of the next.
    Machine,
}

impl Schedule {
    /// A run at the start, and one in each interval of business time. `name`: the value of the label `task`.
    #[must_use]
    pub const fn every(interval: Duration, name: &'static str) -> Self {
        let time = Time::Business;
        Self {
            name,
            about: None,
            interval,
            time,
            is_leased: false,
            is_first_at_start: true,
            retry_after: None,
        }
    }

    /// Says what this one of several tasks of the name is about. Their runs are counted together.
    #[must_use]
    pub const fn about(self, subject: &'static str) -> Self {
        Self { about: Some(subject), ..self }
    }

    /// Counts the interval by this machine's own time: for what is not about business, or sets the clock.
    #[must_use]
    pub const fn in_machine_time(self) -> Self {
        Self { time: Time::Machine, ..self }
    }

    /// Lets one instance run the task in each interval. It holds no lock: the lease is a time in the database.
    #[must_use]
    pub const fn leased(self) -> Self {
        Self { is_leased: true, ..self }
    }

    /// Waits an interval before the first run.
    #[must_use]
    pub const fn not_at_start(self) -> Self {
        Self { is_first_at_start: false, ..self }
    }

    /// Repeats a failed run sooner than its interval: people wait for it.
    #[must_use]
    pub const fn retried_after(self, pause: Duration) -> Self {
        Self { retry_after: Some(pause), ..self }
    }
}

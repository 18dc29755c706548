//! The loop around each task: waits, leases, runs, records.

use std::{panic::AssertUnwindSafe, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::FutureExt as _;
use tokio::time::{Instant, sleep};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{LEASE_PREFIX, Outcome, Schedule, Statuses, Task, TaskError, Time};
use crate::{
    clock::Clock,
    storage::{Store, StoreError},
};

/// The shortest pause between two runs of a task: wake-ups that follow each other more closely are met together.
const SHORTEST_PAUSE: Duration = Duration::from_millis(50);

/// Runs periodic tasks, each in a tokio task of its own.
pub struct Driver {
    store: Store,
    clock: Clock,
    statuses: Statuses,
}

/// One task and what its loop needs.
struct Runner {
    task: Box<dyn Task>,
    schedule: Schedule,
    store: Store,
    clock: Clock,
    statuses: Statuses,
}

impl Driver {
    /// Joins the parts. Nothing runs yet. `store` holds the leases.
    #[must_use]
    pub fn new(store: Store, clock: Clock) -> Self {
        Self { store, clock, statuses: Statuses::default() }
    }

    /// Returns the statuses of all tasks that run, as they are whenever they are read.
    #[must_use]
    pub fn statuses(&self) -> Statuses {
        self.statuses.clone()
    }

    /// Starts these tasks. Each ends at shutdown.
    pub fn start(&self, periodic: Vec<Box<dyn Task>>, tasks: &TaskTracker, shutdown: &CancellationToken) {
        for task in periodic {
            let schedule = task.schedule();
            self.statuses.add(&schedule);
            let (store, clock, statuses) = (self.store.clone(), self.clock.clone(), self.statuses.clone());
            let runner = Runner { task, schedule, store, clock, statuses };
            tasks.spawn(shutdown.clone().run_until_cancelled_owned(runner.keep_running()));
        }
    }
}

impl Runner {
    async fn keep_running(mut self) {
        if !self.schedule.is_first_at_start {
            let now = self.clock.now();
            self.wait(now, false).await;
        }
        loop {
            let (now, started) = (self.clock.now(), Instant::now());
            self.statuses.start(&self.schedule, now);
            let outcome = self.run_in_turn(now).await;
            let has_failed = outcome.is_failure();
            self.statuses.finish(&self.schedule, outcome, started.elapsed());
            self.wait(now, has_failed).await;
        }
    }

    /// Runs the task, unless another instance holds its lease.
    async fn run_in_turn(&mut self, now: DateTime<Utc>) -> Outcome {
        if self.schedule.is_leased {
            match take_lease(&self.store, &self.schedule, now).await {
                Ok(true) => {}
                Ok(false) => return Outcome::Skipped,
                Err(error) => return failed(&error.into()),
            }
        }
        // The next run begins anew: what a panic left half done, it finds in the database.
        match AssertUnwindSafe(self.task.run(now)).catch_unwind().await {
            Ok(Ok(())) => Outcome::Succeeded,
            Ok(Err(error)) => failed(&error),
            Err(_panic) => Outcome::Panicked,
        }
    }

    /// Waits until the run after the one that began at `began` is due.
    async fn wait(&mut self, began: DateTime<Utc>, has_failed: bool) {
        let Schedule { interval, time, retry_after, .. } = self.schedule;
        let clock = &self.clock;
        sleep(SHORTEST_PAUSE).await;
        let interval = async {
            match time {
                Time::Business => clock.sleep_until(began + delta(interval)).await,
                Time::Machine => sleep(interval).await,
            }
        };
        let retry = async {
            match retry_after.filter(|_| has_failed) {
                Some(pause) => sleep(pause).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = interval => {}
            () = retry => {}
            () = self.task.woken() => {}
        }
    }
}

async fn take_lease(store: &Store, schedule: &Schedule, now: DateTime<Utc>) -> Result<bool, StoreError> {
    let (lease, interval) = (format!("{LEASE_PREFIX}{}", schedule.name), delta(schedule.interval));
    store.ensure_turn(&lease, now, interval).await?;
    store.take_turn(&lease, now, now + interval).await
}

/// Keeps the message of an error and not its sources, which may quote a row.
fn failed(error: &TaskError) -> Outcome {
    Outcome::Failed { error: error.to_string() }
}

fn delta(duration: Duration) -> TimeDelta {
    TimeDelta::from_std(duration).unwrap_or(TimeDelta::MAX)
}

//! Keeps the clock of one instance at the database's time, which is the time of all instances.
//!
//! Measured once before anything is served, and then every minute. A measurement that fails changes nothing: the time goes on
//! steadily. What is wrong is logged once, until it changes.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use tokio_util::sync::CancellationToken;

use crate::{
    background::{Schedule, Task, TaskError},
    clock::{Clock, Followed, Measurement},
    storage::{Store, StoreError},
};

/// How often the database's time is measured.
const EVERY: Duration = Duration::from_mins(1);
/// How soon the first measurement is tried again.
const AGAIN_AFTER: Duration = Duration::from_secs(1);
/// How long one measurement may take.
const WITHIN: Duration = Duration::from_secs(5);
/// A difference that somebody has to look at: no clock that is set by NTP has it.
const TOLERATED: TimeDelta = TimeDelta::seconds(5);

/// The clock and the database that it follows.
pub struct TimeKeeping {
    store: Store,
    clock: Clock,
    /// The skew that was logged last; zero where all was well.
    logged_skew: TimeDelta,
    /// Whether the clock was approaching the database's time slowly when it was measured last.
    is_catching_up: bool,
}

impl TimeKeeping {
    /// Joins its parts. Nothing is measured yet.
    #[must_use]
    pub fn new(store: Store, clock: Clock) -> Self {
        Self { store, clock, logged_skew: TimeDelta::zero(), is_catching_up: false }
    }

    /// Measures until that succeeds once, or until shutdown: nothing is to be served by a clock that was never measured, and a database
    /// that is away for a moment ends no instance.
    pub async fn measure_first(&mut self, shutdown: &CancellationToken) {
        while let Err(error) = self.measure().await {
            tracing::warn!(%error, "the database's time was not measured; serving nothing until it is");
            if shutdown.run_until_cancelled(tokio::time::sleep(AGAIN_AFTER)).await.is_none() {
                return;
            }
        }
    }

    /// Measures the database's time and has the clock follow it. With SQLite there is nothing to do.
    pub async fn measure(&mut self) -> Result<(), StoreError> {
        let reading = tokio::time::timeout(WITHIN, self.store.read_server_time());
        let Some(server) = reading.await.map_err(|_| StoreError::timed_out(WITHIN))?? else { return Ok(()) };
        let (at, read_at, uncertainty) = (server.at, server.read_at, server.uncertainty);
        let skew = self.clock.system_time() - (at + delta(read_at.elapsed()));
        metrics::gauge!("countersign_clock_skew_seconds").set(seconds(skew));
        self.log_skew(skew);
        let followed = self.clock.follow(&Measurement { at, read_at, uncertainty });
        self.log_jump(followed);
        Ok(())
    }

    fn log_skew(&mut self, skew: TimeDelta) {
        if skew.abs() <= TOLERATED {
            self.logged_skew = TimeDelta::zero();
        } else if (skew - self.logged_skew).abs() > TOLERATED {
            self.logged_skew = skew;
            tracing::warn!(
                skew_seconds = seconds(skew),
                "this machine's clock differs from the database's, whose time is used; turn on NTP on both"
            );
        }
    }

    fn log_jump(&mut self, followed: Followed) {
        let Followed::Slowly(missing) = followed else {
            self.is_catching_up = false;
            return;
        };
        let is_catching_up = missing.abs() > TOLERATED;
        if is_catching_up && !self.is_catching_up {
            tracing::warn!(
                missing_seconds = seconds(missing),
                "the database's clock has jumped; its time is approached without a step: check NTP there"
            );
        }
        self.is_catching_up = is_catching_up;
    }
}

#[async_trait]
impl Task for TimeKeeping {
    fn schedule(&self) -> Schedule {
        // By the time that it measures, it could not count.
        Schedule::every(EVERY, "measure_time").in_machine_time().not_at_start()
    }

    async fn run(&mut self, _now: DateTime<Utc>) -> Result<(), TaskError> {
        Ok(self.measure().await?)
    }
}

fn delta(duration: Duration) -> TimeDelta {
    TimeDelta::from_std(duration).unwrap_or(TimeDelta::MAX)
}

fn seconds(delta: TimeDelta) -> f64 {
    delta.as_seconds_f64()
}

//! The service's time, and waiting until a point in it.
//!
//! Everything that has a deadline asks the [`Clock`] that it was given, so that ten minutes pass in a test without
//! anybody waiting for them. Timeouts of the network are not business time and use tokio's own.
//!
//! Where instances share a database, its time is the time of all of them: [`Clock::follow`] takes over what was measured, and from
//! then on a wrong system clock changes nothing. Until something was measured, the clock shows the system's time.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use tokio::sync::watch;

/// A difference up to which clocks agree: more than a slow answer explains, less than any limit or deadline would notice.
const AGREES_WITHIN: TimeDelta = TimeDelta::seconds(5);
/// A correction of less than this is nothing that sleepers are woken for.
const UNNOTICED: TimeDelta = TimeDelta::seconds(1);

/// The clock of one process. Clones share it.
#[derive(Clone, Debug)]
pub struct Clock {
    /// A watch, so that sleepers notice when the time moves.
    state: Arc<watch::Sender<State>>,
    /// How wrong the system's clock is, in tests.
    system_error: TimeDelta,
}

/// What the time is made of.
#[derive(Clone, Copy, Debug, Default)]
struct State {
    /// How far tests and `dev` have moved the clock forward.
    ahead: TimeDelta,
    /// The time as it was last measured; `None` where it is the system's.
    measured: Option<Timeline>,
}

/// A time that passes steadily, whatever becomes of the system's clock.
///
/// An error is made good by running half as fast again, or half as fast, for as long as that takes: nothing ends before it
/// had two thirds of its time, and the time never runs backwards.
#[derive(Clone, Copy, Debug)]
struct Timeline {
    since: Instant,
    /// The time at `since`.
    at: DateTime<Utc>,
    /// What was missing at `since`; negative where the time was ahead.
    error: TimeDelta,
    /// What the system's clock showed at `since`.
    system: DateTime<Utc>,
}

/// A time that was read elsewhere.
#[derive(Clone, Copy, Debug)]
pub struct Measurement {
    /// The time there.
    pub at: DateTime<Utc>,
    /// When that was: half-way between the question and the answer.
    pub read_at: Instant,
    /// How far from the truth `at` may be: half of what the answer took.
    pub uncertainty: Duration,
}

/// What a measurement changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Followed {
    /// The clock has the measured time at once: it is the first measurement, or this machine's clocks show that it was
    /// suspended since the last one.
    AtOnce,
    /// The clock approaches the measured time, from which it differs by this much; negative where it is ahead.
    Slowly(TimeDelta),
}

impl Timeline {
    fn elapsed(&self, now: Instant) -> TimeDelta {
        TimeDelta::from_std(now.saturating_duration_since(self.since)).unwrap_or(TimeDelta::MAX)
    }

    /// What is still missing.
    fn remaining_error(&self, now: Instant) -> TimeDelta {
        let corrected = (self.elapsed(now) / 2).min(self.error.abs());
        if self.error < TimeDelta::zero() { self.error + corrected } else { self.error - corrected }
    }

    fn time(&self, now: Instant) -> DateTime<Utc> {
        self.at + self.elapsed(now) + (self.error - self.remaining_error(now))
    }

    /// The timeline after a measurement `target` at `now`, when the system's clock shows `system`.
    fn follow(
        &self,
        now: Instant,
        system: DateTime<Utc>,
        target: DateTime<Utc>,
        uncertainty: TimeDelta,
    ) -> Self {
        let at = self.time(now);
        let error = target - at;
        // A machine that was suspended, or whose monotonic clock stood still, has fallen behind by what its system's clock has
        // gained. Where that has gained nothing, it is the other clock that has jumped.
        let gained = (system - self.system) - self.elapsed(now);
        if error.abs() > AGREES_WITHIN && (error - gained).abs() <= AGREES_WITHIN {
            return Self { since: now, at: target, error: TimeDelta::zero(), system };
        }
        let error = if error.abs() <= uncertainty { TimeDelta::zero() } else { error };
        Self { since: now, at, error, system }
    }
}

impl State {
    fn is_faster(&self) -> bool {
        self.measured.is_some_and(|measured| measured.remaining_error(Instant::now()) > TimeDelta::zero())
    }
}

impl Clock {
    /// A clock that shows the system's time until it follows another.
    #[must_use]
    pub fn system() -> Self {
        Self::with_system_error(TimeDelta::zero())
    }

    /// A clock on a machine whose own is wrong: ahead by `error`, behind where that is negative. For tests.
    #[must_use]
    pub fn with_system_error(error: TimeDelta) -> Self {
        Self { state: Arc::new(watch::Sender::new(State::default())), system_error: error }
    }

    /// The present time in UTC, cut to microseconds: the resolution of every database column.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        let state = *self.state.borrow();
        let time =
            state.measured.map_or_else(|| self.system_time(), |measured| measured.time(Instant::now()));
        let now = time + state.ahead;
        now.duration_trunc(TimeDelta::microseconds(1)).unwrap_or(now)
    }

    /// The time of this machine, which may be wrong, in UTC.
    #[must_use]
    pub fn system_time(&self) -> DateTime<Utc> {
        #[expect(clippy::disallowed_methods, reason = "this is the one home of the system's clock")]
        let now = Utc::now();
        now + self.system_error
    }

    /// Takes over a measured time: the first one at once, and later ones without a step, unless this machine was suspended.
    #[must_use]
    pub fn follow(&self, measurement: &Measurement) -> Followed {
        let now = Instant::now();
        let since_read = TimeDelta::from_std(now.saturating_duration_since(measurement.read_at));
        let target = measurement.at + since_read.unwrap_or_default();
        let uncertainty = TimeDelta::from_std(measurement.uncertainty).unwrap_or(TimeDelta::MAX);
        let system = self.system_time();
        let mut followed = Followed::AtOnce;
        self.state.send_if_modified(|state| {
            let next = match state.measured {
                None => Timeline { since: now, at: target, error: TimeDelta::zero(), system },
                Some(measured) => measured.follow(now, system, target, uncertainty),
            };
            let has_jumped = state.measured.is_none_or(|measured| next.at != measured.time(now));
            if !has_jumped {
                followed = Followed::Slowly(next.error);
            }
            state.measured = Some(next);
            has_jumped || next.error.abs() > UNNOTICED
        });
        followed
    }

    /// Whether a measured time was taken over.
    #[must_use]
    pub fn is_following(&self) -> bool {
        self.state.borrow().measured.is_some()
    }

    /// Moves the clock forward, and wakes whoever sleeps past the new time. For `dev` and tests.
    pub fn advance(&self, by: Duration) {
        let by = TimeDelta::from_std(by).unwrap_or(TimeDelta::MAX);
        self.state.send_modify(|state| state.ahead = state.ahead.checked_add(&by).unwrap_or(state.ahead));
    }

    /// Returns at `deadline` or later, never earlier, at once where it has passed.
    pub async fn sleep_until(&self, deadline: DateTime<Utc>) {
        let mut moved = self.state.subscribe();
        loop {
            let is_faster = moved.borrow_and_update().is_faster();
            let Ok(remaining) = (deadline - self.now()).to_std() else {
                return;
            };
            if remaining.is_zero() {
                return;
            }
            // A clock that catches up is there earlier; whoever wakes too early sleeps on.
            let wait = if is_faster { remaining * 2 / 3 } else { remaining };
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                changed = moved.changed() => {
                    // The sender lives as long as `self`.
                    debug_assert!(changed.is_ok(), "the clock outlives its sleepers");
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;

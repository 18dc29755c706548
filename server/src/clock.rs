//! What time it is, and waiting until then.
//!
//! Everything that has a deadline asks the [`Clock`] that it was given, so that ten minutes pass in a test without
//! anybody waiting for them. Timeouts of the network are not business time and use tokio's own.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use tokio::sync::watch;

/// The clock of one process. Clones share it.
#[derive(Clone, Debug)]
pub struct Clock {
    /// How far it is ahead of the system's clock. A watch, so that sleepers notice when it moves.
    ahead: Arc<watch::Sender<TimeDelta>>,
}

impl Clock {
    /// A clock that shows the system's time.
    #[must_use]
    pub fn system() -> Self {
        Self { ahead: Arc::new(watch::Sender::new(TimeDelta::zero())) }
    }

    /// The present time in UTC, cut to microseconds: the resolution of every database column.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        #[expect(clippy::disallowed_methods, reason = "this is the one home of the system's clock")]
        let now = Utc::now() + *self.ahead.borrow();
        now.duration_trunc(TimeDelta::microseconds(1)).unwrap_or(now)
    }

    /// Moves the clock forward, and wakes whoever sleeps past the new time. For `dev` and tests.
    pub fn advance(&self, by: Duration) {
        let by = TimeDelta::from_std(by).unwrap_or(TimeDelta::MAX);
        self.ahead.send_modify(|ahead| *ahead = ahead.checked_add(&by).unwrap_or(*ahead));
    }

    /// Returns at `deadline` or later, never earlier, at once where it has passed.
    pub async fn sleep_until(&self, deadline: DateTime<Utc>) {
        let mut moved = self.ahead.subscribe();
        loop {
            moved.mark_unchanged();
            let Ok(remaining) = (deadline - self.now()).to_std() else {
                return;
            };
            if remaining.is_zero() {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(remaining) => {}
                changed = moved.changed() => {
                    // The sender lives as long as `self`.
                    debug_assert!(changed.is_ok(), "the clock outlives its sleepers");
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_microseconds_at_most() {
        assert_eq!(Clock::system().now().timestamp_subsec_nanos() % 1_000, 0);
    }

    #[tokio::test]
    async fn a_sleeper_wakes_when_the_clock_is_moved_past_its_deadline() {
        let clock = Clock::system();
        let deadline = clock.now() + TimeDelta::hours(1);
        let sleeper = clock.sleep_until(deadline);
        let ((), ()) = tokio::join!(sleeper, async { clock.advance(Duration::from_secs(3_601)) });
        assert!(clock.now() >= deadline);
    }
}

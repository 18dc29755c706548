//! Wakes one task at the earliest of the times that it was told: one timer for all deadlines, not one for each.

use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::Notify;

use crate::clock::Clock;

/// How long the task sleeps at most: what other instances began, and did not live to end, it learns by looking.
const LONGEST: TimeDelta = TimeDelta::seconds(5);

/// One task's alarm clock.
#[derive(Debug, Default)]
pub(super) struct Alarm {
    earliest: Mutex<Option<DateTime<Utc>>>,
    moved: Notify,
}

impl Alarm {
    /// Has it ring at `at`, or earlier if it was told so before.
    pub(super) fn set(&self, at: DateTime<Utc>) {
        let mut earliest = self.earliest.lock().unwrap_or_else(PoisonError::into_inner);
        if earliest.is_none_or(|earliest| at < earliest) {
            *earliest = Some(at);
            self.moved.notify_one();
        }
    }

    /// Returns when it rings, and forgets what it was told.
    pub(super) async fn ring(&self, clock: &Clock) {
        let latest = clock.now() + LONGEST;
        loop {
            let at =
                self.earliest.lock().unwrap_or_else(PoisonError::into_inner).unwrap_or(latest).min(latest);
            tokio::select! {
                () = clock.sleep_until(at) => break,
                () = self.moved.notified() => {}
            }
        }
        *self.earliest.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn the_earliest_time_rings_first_and_once() {
        let (clock, alarm) = (Clock::system(), Alarm::default());
        let now = clock.now();
        alarm.set(now + TimeDelta::seconds(4));
        alarm.set(now + TimeDelta::seconds(2));
        alarm.set(now + TimeDelta::seconds(3));
        let ring = alarm.ring(&clock);
        tokio::pin!(ring);
        assert!(futures_util::poll!(&mut ring).is_pending());
        clock.advance(Duration::from_secs(2));
        ring.await;
        let again = alarm.ring(&clock);
        tokio::pin!(again);
        assert!(futures_util::poll!(&mut again).is_pending());
    }

    #[tokio::test]
    async fn an_earlier_time_moves_an_alarm_that_is_waited_for() {
        let (clock, alarm) = (Clock::system(), Alarm::default());
        let ring = alarm.ring(&clock);
        tokio::pin!(ring);
        assert!(futures_util::poll!(&mut ring).is_pending());
        alarm.set(clock.now());
        ring.await;
    }
}

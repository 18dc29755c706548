//! Wakes one background task at the earliest of the times that were set: one timer for all deadlines, not one for each.

use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, Utc};
use tokio::sync::Notify;

use crate::clock::Clock;

/// The timer of one task.
#[derive(Debug, Default)]
pub(super) struct DeadlineTimer {
    earliest: Mutex<Option<DateTime<Utc>>>,
    moved: Notify,
}

impl DeadlineTimer {
    /// Fires at `at`, or earlier if an earlier time is set.
    pub(super) fn set(&self, at: DateTime<Utc>) {
        let mut earliest = self.earliest.lock().unwrap_or_else(PoisonError::into_inner);
        if earliest.is_none_or(|earliest| at < earliest) {
            *earliest = Some(at);
            self.moved.notify_one();
        }
    }

    /// Waits until it fires, and clears it. Returns never while no time is set.
    pub(super) async fn wait(&self, clock: &Clock) {
        loop {
            let earliest = *self.earliest.lock().unwrap_or_else(PoisonError::into_inner);
            let fires = async {
                match earliest {
                    Some(at) => clock.sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = fires => break,
                () = self.moved.notified() => {}
            }
        }
        *self.earliest.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use chrono::TimeDelta;

    use super::*;

    #[tokio::test]
    async fn the_earliest_time_fires_first_and_once() {
        let (clock, timer) = (Clock::system(), DeadlineTimer::default());
        let now = clock.now();
        timer.set(now + TimeDelta::seconds(4));
        timer.set(now + TimeDelta::seconds(2));
        timer.set(now + TimeDelta::seconds(3));
        let fired = timer.wait(&clock);
        tokio::pin!(fired);
        assert!(futures_util::poll!(&mut fired).is_pending());
        clock.advance(Duration::from_secs(2));
        fired.await;
        let again = timer.wait(&clock);
        tokio::pin!(again);
        assert!(futures_util::poll!(&mut again).is_pending());
    }

    #[tokio::test]
    async fn an_earlier_time_moves_a_timer_that_is_waited_for() {
        let (clock, timer) = (Clock::system(), DeadlineTimer::default());
        let fired = timer.wait(&clock);
        tokio::pin!(fired);
        assert!(futures_util::poll!(&mut fired).is_pending());
        timer.set(clock.now());
        fired.await;
    }
}

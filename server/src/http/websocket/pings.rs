//! When pings are due: those of all sockets together, at so many moments of an interval.
//!
//! To wake a processor that sleeps costs more than to ping. Thousands of sockets that each ping at a moment of their own never
//! let it sleep.

use std::{sync::LazyLock, time::Duration};

use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

/// Into how many moments an interval is divided: few enough to wake seldom, and so many that what is to be sent at one of them
/// holds nobody up.
const MOMENTS: u32 = 200;

/// Ticks for one socket; for the first time after a whole interval, and up to the next moment.
pub(super) fn every(interval: Duration) -> Interval {
    static BEGINNING: LazyLock<Instant> = LazyLock::new(Instant::now);
    let passed = Instant::now().saturating_duration_since(*BEGINNING);
    let mut pings = interval_at(Instant::now() + interval + until_next(passed, interval / MOMENTS), interval);
    // One that comes late does not move the next one away from all others.
    pings.set_missed_tick_behavior(MissedTickBehavior::Skip);
    pings
}

/// How long it is until the next multiple of the step.
fn until_next(passed: Duration, step: Duration) -> Duration {
    let (passed, step) = (passed.as_nanos(), step.as_nanos().max(1));
    Duration::from_nanos(u64::try_from(passed.next_multiple_of(step) - passed).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_moment_is_never_before_and_less_than_one_step_away() {
        let step = Duration::from_millis(100);
        for (passed, left) in [(0, 0), (1, 99), (99, 1), (100, 0), (12_345, 55)] {
            assert_eq!(until_next(Duration::from_millis(passed), step), Duration::from_millis(left));
        }
        assert_eq!(until_next(Duration::from_millis(7), Duration::ZERO), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn sockets_that_come_at_different_times_ping_together() {
        let interval = Duration::from_secs(20);
        let mut moments = Vec::new();
        for milliseconds in [0, 130, 20, 30] {
            tokio::time::advance(Duration::from_millis(milliseconds)).await;
            let (come, mut pings) = (Instant::now(), every(interval));
            let first = pings.tick().await;
            assert!(first >= come + interval && first < come + interval + interval / MOMENTS);
            assert_eq!(pings.tick().await - first, interval);
            moments.push(first);
        }
        let step = u128::from(u64::try_from((interval / MOMENTS).as_nanos()).unwrap());
        let of_step = |moment: &Instant| (*moment - moments[0]).as_nanos() % step;
        assert!(moments.iter().all(|moment| of_step(moment) == 0), "{moments:?}");
    }
}

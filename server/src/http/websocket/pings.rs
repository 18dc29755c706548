//! When pings are due: at so many moments of an interval, to which sockets are dealt out by the dozens.
//!
//! To wake a processor that sleeps costs more than to ping: thousands of sockets that each ping at a moment of their own never
//! let it sleep. And thousands that came together, as after a restart, must not ping together: they would hold up everybody.

use std::{
    sync::{
        LazyLock,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

/// Into how many moments an interval is divided: few enough to wake seldom, and so many that what is to be sent at one of them
/// holds nobody up.
const MOMENTS: u32 = 100;

/// How many sockets that came one after the other ping together. They lie side by side in memory, and take a third less of the
/// processor's time than as many from everywhere.
const TOGETHER: u32 = 64;

/// Ticks for one socket: once in each interval, the first included.
pub(super) fn every(interval: Duration) -> Interval {
    static ROUNDS: LazyLock<Rounds> = LazyLock::new(Rounds::begin);
    ROUNDS.join(interval)
}

/// What the moments of all sockets are reckoned from.
struct Rounds {
    beginning: Instant,
    /// How many have been dealt a moment.
    sockets: AtomicU32,
}

impl Rounds {
    fn begin() -> Self {
        Self { beginning: Instant::now(), sockets: AtomicU32::new(0) }
    }

    fn join(&self, interval: Duration) -> Interval {
        let now = Instant::now();
        let passed = now.saturating_duration_since(self.beginning);
        let moment = self.sockets.fetch_add(1, Ordering::Relaxed) / TOGETHER % MOMENTS;
        let first = now + until(interval / MOMENTS * moment, passed, interval);
        let mut pings = interval_at(first, interval);
        // One that comes late does not move the next one away from all others.
        pings.set_missed_tick_behavior(MissedTickBehavior::Skip);
        pings
    }
}

/// How long it is, after so much has passed, until it is so far into an interval again.
fn until(far: Duration, passed: Duration, interval: Duration) -> Duration {
    let into_this_one = passed.as_nanos().checked_rem(interval.as_nanos()).unwrap_or_default();
    let into_this_one = Duration::from_nanos(u64::try_from(into_this_one).unwrap_or_default());
    let left = far.checked_sub(into_this_one).filter(|left| !left.is_zero());
    left.unwrap_or_else(|| (far + interval).saturating_sub(into_this_one))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use futures_util::future::join_all;

    use super::*;

    const INTERVAL: Duration = Duration::from_secs(20);

    #[test]
    fn a_moment_that_is_over_comes_again_in_the_next_interval() {
        for (far, passed, left) in
            [(0, 0, 20_000), (100, 0, 100), (100, 99, 1), (100, 100, 20_000), (100, 40_101, 19_999)]
        {
            let [far, passed, left] = [far, passed, left].map(Duration::from_millis);
            assert_eq!(until(far, passed, INTERVAL), left, "{far:?} after {passed:?}");
        }
        assert_eq!(until(Duration::ZERO, Duration::from_secs(1), Duration::ZERO), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn sockets_that_come_at_once_are_dealt_out_to_all_moments_by_the_dozens() {
        const ROUNDS: u32 = 2;
        let (rounds, begun) = (Rounds::begin(), Instant::now());
        tokio::time::advance(Duration::from_millis(7_777)).await;
        let come = Instant::now();
        let sockets = (0..ROUNDS * MOMENTS * TOGETHER).map(|_| async {
            let mut pings = rounds.join(INTERVAL);
            let first = pings.tick().await;
            assert!(first > come && first <= come + INTERVAL);
            assert_eq!(pings.tick().await, first + INTERVAL);
            first - begun
        });
        let mut sharing: BTreeMap<Duration, u32> = BTreeMap::new();
        let dealt = join_all(sockets).await;
        for together in dealt.chunks(TOGETHER as usize) {
            assert!(together.iter().all(|first| *first == together[0]), "{together:?}");
            assert_eq!(together[0].as_millis() % (INTERVAL / MOMENTS).as_millis(), 0);
            *sharing.entry(together[0]).or_default() += 1;
        }
        assert_eq!(sharing.into_values().collect::<Vec<_>>(), [ROUNDS; MOMENTS as usize]);
    }
}

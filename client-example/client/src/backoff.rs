//! How long to wait before the next attempt to connect: exponential, with full jitter. Pure: it reads no clock and
//! no random source, both are given to it. A wait is never longer than the ceiling.

use std::time::Duration;

/// The waits between attempts that failed one after another.
#[derive(Clone, Debug)]
pub(crate) struct Backoff {
    first: Duration,
    ceiling: Duration,
    failures: u32,
}

impl Backoff {
    pub(crate) fn new(first: Duration, ceiling: Duration) -> Self {
        Self { first, ceiling, failures: 0 }
    }

    /// The next wait: anything between nothing and the present limit, which doubles from one failure to the next.
    /// `random` decides where in between; without it the whole limit is waited.
    pub(crate) fn next_wait(&mut self, random: Option<u64>) -> Duration {
        let limit = self.first.saturating_mul(2_u32.saturating_pow(self.failures)).min(self.ceiling);
        self.failures = self.failures.saturating_add(1);
        let Some(random) = random else { return limit };
        let limit = u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX);
        Duration::from_nanos(random % limit.saturating_add(1).max(1))
    }

    /// Waits up to the ceiling from now on: the service asks for fewer connections.
    pub(crate) fn slow_down(&mut self) {
        self.failures = u32::MAX;
    }

    /// After a connection that was worth having. One that broke at once and told nothing new does not count, or a
    /// server that accepts and drops would be asked ten times a second.
    pub(crate) fn rest(&mut self, told_news: bool, lasted: Duration) {
        if told_news || lasted >= self.ceiling {
            self.failures = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Duration = Duration::from_millis(100);
    const CEILING: Duration = Duration::from_secs(5);

    fn limits(backoff: &mut Backoff, count: usize) -> Vec<u128> {
        (0..count).map(|_| backoff.next_wait(None).as_millis()).collect()
    }

    #[test]
    fn the_limit_doubles_up_to_the_ceiling() {
        let mut backoff = Backoff::new(FIRST, CEILING);
        assert_eq!(limits(&mut backoff, 8), [100, 200, 400, 800, 1600, 3200, 5000, 5000]);
    }

    #[test]
    fn a_client_that_slows_down_waits_up_to_the_ceiling() {
        let mut backoff = Backoff::new(FIRST, CEILING);
        backoff.slow_down();
        assert_eq!(limits(&mut backoff, 2), [5000, 5000]);
    }

    #[test]
    fn a_thousand_failures_overflow_nothing() {
        let mut backoff = Backoff::new(FIRST, CEILING);
        assert_eq!(limits(&mut backoff, 1000).last(), Some(&5000));
    }

    #[test]
    fn the_jitter_reaches_from_nothing_to_the_limit() {
        let wait = |random| Backoff::new(FIRST, CEILING).next_wait(Some(random));
        assert_eq!(wait(0), Duration::ZERO);
        assert_eq!(wait(50_000_000), Duration::from_millis(50));
        assert_eq!(wait(100_000_000), FIRST);
        assert!(wait(u64::MAX) <= FIRST);
    }

    #[test]
    fn news_or_a_long_connection_start_over() {
        let mut backoff = Backoff::new(FIRST, CEILING);
        limits(&mut backoff, 4);
        backoff.rest(true, Duration::ZERO);
        assert_eq!(limits(&mut backoff, 2), [100, 200]);
        backoff.rest(false, CEILING);
        assert_eq!(limits(&mut backoff, 1), [100]);
    }

    #[test]
    fn a_connection_that_broke_at_once_does_not_start_over() {
        let mut backoff = Backoff::new(FIRST, CEILING);
        limits(&mut backoff, 3);
        backoff.rest(false, Duration::from_secs(1));
        assert_eq!(limits(&mut backoff, 1), [800]);
    }
}

//! How long things took: percentiles of many, without keeping each.

use std::time::Duration;

use hdrhistogram::Histogram;

/// Many durations, to three significant digits.
#[derive(Clone)]
pub(crate) struct Latencies(Histogram<u64>);

impl Latencies {
    pub(crate) fn new() -> Self {
        // A minute is longer than anything here takes; what takes longer counts as a minute.
        let minute = 60_000_000_000;
        Self(Histogram::new_with_bounds(1, minute, 3).unwrap_or_else(|error| panic!("wrong bounds: {error}")))
    }

    pub(crate) fn record(&mut self, took: Duration) {
        self.0.saturating_record(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX).max(1));
    }

    /// The duration that this many of a hundred do not exceed.
    pub(crate) fn percentile(&self, percent: f64) -> Duration {
        Duration::from_nanos(self.0.value_at_percentile(percent))
    }

    pub(crate) fn p50(&self) -> Duration {
        self.percentile(50.0)
    }

    pub(crate) fn p99(&self) -> Duration {
        self.percentile(99.0)
    }
}

impl FromIterator<Duration> for Latencies {
    fn from_iter<Durations: IntoIterator<Item = Duration>>(durations: Durations) -> Self {
        let mut latencies = Self::new();
        durations.into_iter().for_each(|took| latencies.record(took));
        latencies
    }
}

/// A duration in milliseconds, for people.
pub(crate) fn milliseconds(took: Duration) -> String {
    format!("{:.2} ms", took.as_secs_f64() * 1_000.0)
}

//! Time in tests: it is told to whoever reads the output, and nothing fails by it but what hangs.

use std::time::Duration;

/// The median and the 99th percentile of what was measured, in words.
#[must_use]
pub fn percentiles(mut measured: Vec<Duration>) -> String {
    measured.sort_unstable();
    let at = |hundredths: usize| measured[(measured.len() * hundredths / 100).min(measured.len() - 1)];
    format!("median {:.1?}, p99 {:.1?} of {}", at(50), at(99), measured.len())
}

/// Turns a hang into a failure. Nothing else depends on how long anything takes.
pub async fn in_time<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_mins(1), work).await.unwrap()
}

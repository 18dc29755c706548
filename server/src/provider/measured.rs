//! How long calls to a provider take, and their outcome.

use metrics::histogram;
use tokio::time::Instant;

use super::ProviderError;

/// Measures one call.
pub(super) async fn measure<T>(
    provider: &'static str,
    call: &'static str,
    answer: impl Future<Output = Result<T, ProviderError>>,
) -> Result<T, ProviderError> {
    let mut running = Running { provider, call, outcome: "abandoned", since: Instant::now() };
    let answer = answer.await;
    running.outcome = answer.as_ref().map_or_else(ProviderError::kind, |_| "ok");
    answer
}

/// A running call. It is counted when it is dropped, so that one whose caller has gone counts too.
struct Running {
    provider: &'static str,
    call: &'static str,
    outcome: &'static str,
    since: Instant,
}

impl Drop for Running {
    fn drop(&mut self) {
        let labels = [("provider", self.provider), ("call", self.call), ("outcome", self.outcome)];
        histogram!("countersign_provider_call_seconds", &labels).record(self.since.elapsed());
    }
}

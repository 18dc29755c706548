//! Health, for the load balancer and the operator: is the process alive, and can it serve a login?
//!
//! Alive says only that the process answers; ready asks the parts that requests need. Anybody may ask, so asking costs next to
//! nothing: one probe runs at a time, and its answer is everybody's for half a second.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use axum::{Router, extract::State, http::StatusCode, routing::get};
use tokio::{sync::Mutex, time::Instant};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// For how long the answer of a probe is shared.
const SHARED_FOR: Duration = Duration::from_millis(500);

/// Whether the service can serve a login.
#[async_trait]
pub trait Readiness: Send + Sync + 'static {
    /// Asks the parts that requests need; bounded in time by whoever implements it.
    async fn is_ready(&self) -> bool;
}

/// Runs one probe at a time, and shares its answer. Clones share it too.
#[derive(Clone)]
pub struct ReadinessProbe {
    readiness: Arc<dyn Readiness>,
    /// When the last probe ended, and its answer. Locked while one runs.
    last: Arc<Mutex<Option<(Instant, bool)>>>,
    tasks: TaskTracker,
}

/// The health of a service as its routes tell it.
#[derive(Clone)]
pub struct Health {
    /// Whether it can serve.
    pub probe: ReadinessProbe,
    /// Cancelled some time before the end, so that no new work is sent to it.
    pub leaving: CancellationToken,
    /// Cancelled when it ends.
    pub shutdown: CancellationToken,
}

impl ReadinessProbe {
    /// Probes this. Probes run in `tasks`.
    #[must_use]
    pub fn new(readiness: Arc<dyn Readiness>, tasks: TaskTracker) -> Self {
        Self { readiness, last: Arc::default(), tasks }
    }

    /// The answer of the last probe, where it is fresh enough; otherwise of a new one.
    async fn is_ready(&self) -> bool {
        let mut last = self.last.clone().lock_owned().await;
        if let Some((at, is_ready)) = *last
            && at.elapsed() < SHARED_FOR
        {
            return is_ready;
        }
        let readiness = self.readiness.clone();
        // In a task that keeps the lock: a client that hangs up neither cuts the probe nor lets another begin beside it.
        let probing = self.tasks.spawn(async move {
            let is_ready = readiness.is_ready().await;
            *last = Some((Instant::now(), is_ready));
            is_ready
        });
        probing.await.unwrap_or(false)
    }
}

/// `/health/live` and `/health/ready`.
pub fn health_routes<S: Clone + Send + Sync + 'static>(health: Health) -> Router<S> {
    Router::new()
        .route("/health/live", get(async || "live\n"))
        .route("/health/ready", get(ready))
        .with_state(health)
}

/// A server that is about to shut down is no longer ready, so that nobody sends it new work.
async fn ready(State(health): State<Health>) -> (StatusCode, &'static str) {
    let is_leaving = health.leaving.is_cancelled() || health.shutdown.is_cancelled();
    if !is_leaving && health.probe.is_ready().await {
        (StatusCode::OK, "ready\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not ready\n")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use axum::{body::Body, http::Request};
    use futures_util::future::join_all;
    use tokio::sync::Semaphore;
    use tower::ServiceExt as _;

    use super::*;

    /// A database that answers when it is let.
    struct Slow {
        asked: AtomicUsize,
        answers: Semaphore,
    }

    #[async_trait]
    impl Readiness for Slow {
        async fn is_ready(&self) -> bool {
            self.asked.fetch_add(1, Ordering::Relaxed);
            self.answers.acquire().await.unwrap().forget();
            true
        }
    }

    fn slow() -> (Arc<Slow>, Router) {
        let slow = Arc::new(Slow { asked: AtomicUsize::new(0), answers: Semaphore::new(0) });
        let probe = ReadinessProbe::new(slow.clone(), TaskTracker::new());
        let (leaving, shutdown) = (CancellationToken::new(), CancellationToken::new());
        (slow, health_routes(Health { probe, leaving, shutdown }))
    }

    async fn ask(router: &Router) -> StatusCode {
        let request = Request::get("/health/ready").body(Body::empty()).unwrap();
        router.clone().oneshot(request).await.unwrap().status()
    }

    #[tokio::test(start_paused = true)]
    async fn two_hundred_requests_at_once_make_one_probe() {
        let (slow, router) = slow();
        let asking = join_all((0..200).map(|_| ask(&router)));
        let (statuses, ()) = tokio::join!(asking, async { slow.answers.add_permits(200) });
        assert!(statuses.iter().all(|status| *status == StatusCode::OK));
        assert_eq!(slow.asked.load(Ordering::Relaxed), 1);
        tokio::time::advance(SHARED_FOR).await;
        assert_eq!(ask(&router).await, StatusCode::OK);
        assert_eq!(slow.asked.load(Ordering::Relaxed), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn requests_that_are_given_up_start_no_probe_beside_the_one_that_runs() {
        let (slow, router) = slow();
        for _ in 0..10 {
            let given_up = tokio::time::timeout(Duration::from_millis(1), ask(&router)).await;
            assert!(given_up.is_err());
        }
        slow.answers.add_permits(10);
        assert_eq!(ask(&router).await, StatusCode::OK);
        assert_eq!(slow.asked.load(Ordering::Relaxed), 1);
    }
}

//! Approvals of any purpose: start, settle, poll, expire, watch.
//!
//! Whatever happens to an approval ends in `settle`, and there in one transaction. The push and its callback are only the fast
//! path: a lost one is made up for by polling (`poll`), and the deadline settles what nothing else does (`expire`). Each approval keeps the
//! provider that pushed and the one that sent its last code: it is polled, checked and called back by those. What an approval
//! opens or allows is data ([`Consequence`]); what a push says is the caller's ([`PushText`]).

mod callback;
mod contacts;
mod deadline_timer;
mod expire;
mod metrics;
mod poll;
mod push;
mod request;
mod send_code;
mod settings;
mod settle;
mod start;
mod status;
mod verify_code;
mod watch;

use std::{future::Future, sync::Arc, time::Duration};

use chrono::TimeDelta;
use tokio::time::Instant;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use callback::CallbackOutcome;
pub use expire::ExpireApprovals;
pub use poll::PollPushes;
pub use request::{PushDetail, PushText, StartRequest};
pub use send_code::{CodeTrouble, ResendError};
pub use settings::ApprovalSettings;
pub use start::{StartError, StartedApproval};
pub use status::ApprovalStatus;
pub use verify_code::VerifyError;
pub use watch::{Watch, WatchError, Watched};

/// A callback as it arrived, for [`Approvals::handle_callback`].
pub use crate::provider::Callback as IncomingCallback;
pub use crate::storage::{Consequence, NewSessionGrant};

use self::{
    callback::{Rejections, RetryQueue},
    deadline_timer::DeadlineTimer,
    poll::Polling,
};
use crate::{
    clock::Clock,
    events::Events,
    limits::Limits,
    provider::{ProviderError, Providers},
    storage::Store,
};

/// How long to wait for a database that does not respond.
const AWAY: Duration = Duration::from_secs(1);

/// The parts of [`Approvals`].
pub struct ApprovalDependencies {
    /// Storage.
    pub store: Store,
    /// The providers that reach phones.
    pub providers: Providers,
    /// The clock.
    pub clock: Clock,
    /// Notifications to watchers.
    pub events: Events,
    /// Rate limits.
    pub limits: Limits,
}

/// Approvals of any purpose. Clones share everything.
#[derive(Clone)]
pub struct Approvals {
    store: Store,
    providers: Providers,
    clock: Clock,
    events: Events,
    limits: Limits,
    settings: ApprovalSettings,
    /// Runs what must not be abandoned half-way.
    tasks: TaskTracker,
    /// Fires at the next deadline.
    deadline: Arc<DeadlineTimer>,
    polling: Arc<[Arc<Polling>]>,
    retry_queue: RetryQueue,
    rejections: Arc<Rejections>,
}

impl Approvals {
    /// Joins the parts.
    #[must_use]
    pub fn new(parts: ApprovalDependencies, settings: ApprovalSettings) -> Self {
        let ApprovalDependencies { store, providers, clock, events, limits } = parts;
        let (tasks, deadline, retry_queue, rejections) = <_>::default();
        let polling = Polling::of(&providers);
        Self {
            store,
            providers,
            clock,
            events,
            limits,
            settings,
            tasks,
            deadline,
            polling,
            retry_queue,
            rejections,
        }
    }

    /// Starts what is not periodic: retries until shutdown, and what must not be abandoned half-way to its end.
    pub fn start_tasks(&self, tasks: &TaskTracker, shutdown: &CancellationToken) {
        tasks.spawn(shutdown.clone().run_until_cancelled_owned(self.clone().keep_retrying()));
        let (shutdown, own) = (shutdown.clone(), self.tasks.clone());
        tasks.spawn(async move {
            shutdown.cancelled().await;
            own.close();
            own.wait().await;
        });
    }

    /// The time that one mutation has for all its calls to the provider.
    fn remaining_time(&self) -> RemainingTime {
        RemainingTime { until: Instant::now() + self.settings.provider_timeout * 2 }
    }
}

/// How long a mutation may still wait for the provider.
#[derive(Clone, Copy, Debug)]
struct RemainingTime {
    until: Instant,
}

impl RemainingTime {
    async fn limit<T>(
        self,
        call: impl Future<Output = Result<T, ProviderError>>,
    ) -> Result<T, ProviderError> {
        if Instant::now() >= self.until {
            return Err(ProviderError::NotAsked);
        }
        tokio::time::timeout_at(self.until, call).await.unwrap_or(Err(ProviderError::TimedOut))
    }
}

/// A duration of the settings as the database counts it.
fn delta(duration: Duration) -> TimeDelta {
    TimeDelta::from_std(duration).unwrap_or(TimeDelta::MAX)
}

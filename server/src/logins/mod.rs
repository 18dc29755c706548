//! The life of a login: begin, decide, watch, and what the clock does.
//!
//! Whatever happens to a login ends in `decide`, and there in one transaction. The push and its callback are only the
//! fast path: what is lost of them is asked for later (`ask`), and what nobody settles in time ends by itself
//! (`expire`).

mod alarm;
mod ask;
mod attempt;
mod begin;
mod callback;
mod counts;
mod decide;
mod expire;
mod message;
mod push;
mod send_code;
mod settings;
mod status;
mod verify_code;
mod watch;

use std::{future::Future, sync::Arc, time::Duration};

use chrono::TimeDelta;
use tokio::time::Instant;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use begin::{BeginError, Begun, Origin, Whom};
pub use callback::Hearing;
pub use send_code::{CodeTrouble, ResendError};
pub use settings::LoginSettings;
pub use status::{LoginStatus, OpenSession};
pub use verify_code::VerifyError;
pub use watch::{Told, Watch, WatchError};

/// A callback as it arrived, unread: what [`Logins::hear`] hears.
pub use crate::provider::Callback as IncomingCallback;

use self::{
    alarm::Alarm,
    callback::{Rejections, Unstored},
};
use crate::{
    clock::Clock,
    events::Events,
    limits::Limits,
    model::EmailKey,
    provider::{ProviderError, guarded::GuardedProvider},
    storage::Store,
};

/// How long to wait for a database that is away.
const AWAY: Duration = Duration::from_secs(1);

/// What logins stand on.
pub struct Foundations {
    /// Where they are kept.
    pub store: Store,
    /// Who runs the second factor.
    pub provider: GuardedProvider,
    /// What time it is.
    pub clock: Clock,
    /// Who watches them.
    pub events: Events,
    /// How often what may be done.
    pub limits: Limits,
    /// The key for hashes of emails.
    pub email_key: EmailKey,
}

/// What can be done with logins. Clones share everything.
#[derive(Clone)]
pub struct Logins {
    store: Store,
    provider: GuardedProvider,
    clock: Clock,
    events: Events,
    limits: Limits,
    email_key: EmailKey,
    settings: LoginSettings,
    /// What must not be abandoned half-way runs here.
    tasks: TaskTracker,
    /// Rings at the next deadline.
    deadline: Arc<Alarm>,
    /// Rings when the next push is to be asked about.
    asking: Arc<Alarm>,
    unstored: Unstored,
    rejections: Arc<Rejections>,
}

impl Logins {
    /// Joins its parts.
    #[must_use]
    pub fn new(foundations: Foundations, settings: LoginSettings) -> Self {
        let Foundations { store, provider, clock, events, limits, email_key } = foundations;
        let (tasks, deadline, asking, unstored, rejections) = <_>::default();
        Self {
            store,
            provider,
            clock,
            events,
            limits,
            email_key,
            settings,
            tasks,
            deadline,
            asking,
            unstored,
            rejections,
        }
    }

    /// Starts what goes on by itself: asking about pushes, ending overdue logins, waking watchers whose event was lost.
    pub fn start(&self, tasks: &TaskTracker, shutdown: &CancellationToken) {
        let until_shutdown = |work: futures_util::future::BoxFuture<'static, ()>| {
            tasks.spawn(shutdown.clone().run_until_cancelled_owned(work));
        };
        until_shutdown(Box::pin(self.clone().keep_asking()));
        until_shutdown(Box::pin(self.clone().keep_expiring()));
        until_shutdown(Box::pin(self.clone().keep_following()));
        until_shutdown(Box::pin(self.clone().keep_storing()));
        until_shutdown(Box::pin(self.provider.clone().keep_reading_pauses()));
        let (shutdown, own) = (shutdown.clone(), self.tasks.clone());
        tasks.spawn(async move {
            shutdown.cancelled().await;
            own.close();
            own.wait().await;
        });
    }

    /// The patience of one mutation with the provider, over all the calls that it makes.
    fn patience(&self) -> Patience {
        Patience { until: Instant::now() + self.settings.provider_timeout * 2 }
    }
}

/// Until when a mutation waits for the provider.
#[derive(Clone, Copy, Debug)]
struct Patience {
    until: Instant,
}

impl Patience {
    async fn with<T>(self, call: impl Future<Output = Result<T, ProviderError>>) -> Result<T, ProviderError> {
        if Instant::now() >= self.until {
            return Err(ProviderError::NotAsked);
        }
        tokio::time::timeout_at(self.until, call).await.unwrap_or(Err(ProviderError::TimedOut))
    }
}

/// A duration from the settings as the database counts it.
fn delta(duration: Duration) -> TimeDelta {
    TimeDelta::from_std(duration).unwrap_or(TimeDelta::MAX)
}

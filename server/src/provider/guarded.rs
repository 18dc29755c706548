//! A provider behind circuit breakers, one for each operation: calls that would fail for everybody are not made.
//!
//! Callbacks need no call and pass always, and the operations do not share a breaker: one that cannot send still checks
//! codes and polls. Breakers belong to one instance; only a pause that the provider requested is shared.

use std::{
    error::Error,
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};

use super::{
    Callback, CallbackError, CallbackReport, CodeJudgement, ProviderError, PushRequest, PushStatus,
    RateLimitScope, SecondFactor, Sending,
    breaker::{Breaker, Caller, Outcome, Permit, Transition},
};
use crate::{
    background::{Schedule, Task, TaskError},
    clock::Clock,
    model::{Code, CodeChannel, Email, Phone, ProviderUserId, PushHandle},
    network::Network,
};

/// Clients without a known address share one network.
const UNKNOWN_NETWORK: &str = "unknown";
/// A poll is due at the deadline and in the thirty seconds after it: no pause may be as long as that.
const LONGEST_WITHOUT_POLL: TimeDelta = TimeDelta::seconds(20);
/// How often the pauses of other instances are read.
const READ_EVERY: Duration = Duration::from_secs(3);

/// Whom a call is made for. Breakers tell by it whether a failure is about one phone, one network or all.
#[derive(Clone, Copy, Debug)]
pub struct CallSubject<'a> {
    /// The phone that the call is about.
    pub phone: &'a Phone,
    /// The network that started the login; `None` if unknown.
    pub network: Option<&'a str>,
}

/// Where instances keep the pauses that a provider requested.
#[async_trait]
pub trait SharedPauses: Send + Sync {
    /// Stores that a pause of this name lasts until then, unless a longer one is stored already.
    async fn extend(&self, name: &str, until: DateTime<Utc>) -> Result<(), Box<dyn Error + Send + Sync>>;

    /// Returns the stored pauses of these names, also those that are over.
    async fn read(
        &self,
        names: &[&str],
    ) -> Result<Vec<(String, DateTime<Utc>)>, Box<dyn Error + Send + Sync>>;
}

/// What a breaker guards. The names are those of the metric `countersign_provider_call_seconds`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operation {
    Enrol,
    RequestApproval,
    FindApproval,
    SendCode,
    CheckCode,
}

impl Operation {
    const ALL: [Self; 5] =
        [Self::Enrol, Self::RequestApproval, Self::FindApproval, Self::SendCode, Self::CheckCode];

    const fn name(self) -> &'static str {
        match self {
            Self::Enrol => "enrol",
            Self::RequestApproval => "request_push",
            Self::FindApproval => "find_push",
            Self::SendCode => "send_code",
            Self::CheckCode => "check_code",
        }
    }

    /// Whether its calls name a person who is known to the provider, so that an answer can be about that person.
    const fn names_person(self) -> bool {
        matches!(self, Self::RequestApproval | Self::SendCode | Self::CheckCode)
    }
}

/// A provider that is asked only while it makes sense. Clones share it.
#[derive(Clone)]
pub struct GuardedProvider(Arc<Guarded>);

struct Guarded {
    provider: Box<dyn SecondFactor>,
    clock: Clock,
    shared: Box<dyn SharedPauses>,
    breakers: [Mutex<Breaker>; Operation::ALL.len()],
}

impl GuardedProvider {
    /// Puts breakers before a provider. `call_timeout`: how long one of its calls takes at most.
    #[must_use]
    pub fn new(
        provider: impl SecondFactor + 'static,
        shared: impl SharedPauses + 'static,
        clock: Clock,
        call_timeout: Duration,
    ) -> Self {
        let call_timeout = TimeDelta::from_std(call_timeout).unwrap_or(TimeDelta::MAX);
        let breakers = Operation::ALL.map(|operation| {
            let longest = (operation == Operation::FindApproval).then_some(LONGEST_WITHOUT_POLL);
            Mutex::new(Breaker::new(longest, call_timeout))
        });
        Self(Arc::new(Guarded { provider: Box::new(provider), clock, shared: Box::new(shared), breakers }))
    }

    /// Returns the provider's name as it is stored.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.0.provider.name()
    }

    /// [`SecondFactor::enrol`].
    pub async fn enrol(
        &self,
        of: CallSubject<'_>,
        email: &Email,
        phone: &Phone,
    ) -> Result<ProviderUserId, ProviderError> {
        self.0.call(Operation::Enrol, of, self.0.provider.enrol(email, phone)).await
    }

    /// [`SecondFactor::request_push`].
    pub async fn request_push(
        &self,
        of: CallSubject<'_>,
        request: &PushRequest<'_>,
    ) -> Result<PushHandle, ProviderError> {
        self.0.call(Operation::RequestApproval, of, self.0.provider.request_push(request)).await
    }

    /// [`SecondFactor::find_push`].
    pub async fn find_push(&self, of: CallSubject<'_>, id: &PushHandle) -> Result<PushStatus, ProviderError> {
        self.0.call(Operation::FindApproval, of, self.0.provider.find_push(id)).await
    }

    /// [`SecondFactor::send_code`].
    pub async fn send_code(
        &self,
        of: CallSubject<'_>,
        user: &ProviderUserId,
        sending: Sending,
    ) -> Result<CodeChannel, ProviderError> {
        self.0.call(Operation::SendCode, of, self.0.provider.send_code(user, sending)).await
    }

    /// [`SecondFactor::check_code`].
    pub async fn check_code(
        &self,
        of: CallSubject<'_>,
        user: &ProviderUserId,
        code: &Code,
    ) -> Result<CodeJudgement, ProviderError> {
        self.0.call(Operation::CheckCode, of, self.0.provider.check_code(user, code)).await
    }

    /// [`SecondFactor::read_callback`]. No breaker stops it.
    pub fn read_callback(&self, callback: &Callback<'_>) -> Result<CallbackReport, CallbackError> {
        self.0.provider.read_callback(callback)
    }
}

/// Reads the pauses that other instances were asked for.
#[async_trait]
impl Task for GuardedProvider {
    fn schedule(&self) -> Schedule {
        Schedule::every(READ_EVERY, "read_provider_pauses").in_machine_time()
    }

    async fn run(&mut self, _now: DateTime<Utc>) -> Result<(), TaskError> {
        self.0.read_pauses().await
    }
}

impl Guarded {
    async fn call<T>(
        &self,
        operation: Operation,
        of: CallSubject<'_>,
        call: impl Future<Output = Result<T, ProviderError>>,
    ) -> Result<T, ProviderError> {
        // One IPv6 customer has many small networks: they must not count as three.
        let network = of.network.and_then(|network| network.parse::<Network>().ok());
        let network =
            network.map_or_else(|| UNKNOWN_NETWORK.to_owned(), |network| network.outermost().to_string());
        let caller = Caller { phone: of.phone.e164(), network: &network };
        let mut running = self.admit(operation, caller)?;
        let mut answer = call.await;
        running.outcome = outcome(operation, &answer);
        let opened = running.record();
        if let Some(until) = opened
            && let Err(error) = self.shared.extend(&self.key(operation), until).await
        {
            tracing::warn!(call = operation.name(), error, "failed to share a pause with other instances");
        }
        // How long the next call like this really has to wait.
        if let Err(ProviderError::RateLimited { retry_after, .. }) = &mut answer {
            let refusal = self.breaker(operation).refusal(caller, self.clock.now());
            *retry_after = refusal.and_then(|refusal| refusal.retry_after.to_std().ok()).or(*retry_after);
        }
        answer
    }

    fn admit<'a>(&'a self, operation: Operation, caller: Caller<'a>) -> Result<Running<'a>, ProviderError> {
        let admitted = self.breaker(operation).admit(caller, self.clock.now());
        let permit = admitted.map_err(|refusal| {
            let labels = [("call", operation.name()), ("scope", refusal.scope.as_str())];
            metrics::counter!("countersign_provider_calls_paused_total", &labels).increment(1);
            let retry_after = refusal.retry_after.to_std().unwrap_or_default();
            ProviderError::Paused { retry_after, scope: refusal.scope }
        })?;
        if permit.is_probe() {
            count_change(operation, "half_open");
        }
        Ok(Running { guarded: self, operation, caller, permit, outcome: Outcome::Failed, is_recorded: false })
    }

    fn breaker(&self, operation: Operation) -> MutexGuard<'_, Breaker> {
        let [enrol, request_push, find_push, send_code, check_code] = &self.breakers;
        let breaker = match operation {
            Operation::Enrol => enrol,
            Operation::RequestApproval => request_push,
            Operation::FindApproval => find_push,
            Operation::SendCode => send_code,
            Operation::CheckCode => check_code,
        };
        breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The name of an operation's pause: instances with one provider share it.
    fn key(&self, operation: Operation) -> String {
        format!("pause {} {}", self.provider.name(), operation.name())
    }

    async fn read_pauses(&self) -> Result<(), TaskError> {
        let keys = Operation::ALL.map(|operation| self.key(operation));
        let pauses = self.shared.read(&keys.each_ref().map(String::as_str)).await?;
        let now = self.clock.now();
        for (key, until) in pauses {
            let found = Operation::ALL.into_iter().find(|operation| self.key(*operation) == key);
            if let Some(operation) = found
                && self.breaker(operation).pause_until(until, now)
            {
                count_change(operation, "open");
                tracing::warn!(call = operation.name(), %until, "provider calls paused by another instance");
            }
        }
        Ok(())
    }
}

/// A call under way. Dropping it records a failure, so that a probe for which nobody waits any longer ends.
struct Running<'a> {
    guarded: &'a Guarded,
    operation: Operation,
    caller: Caller<'a>,
    permit: Permit,
    outcome: Outcome,
    is_recorded: bool,
}

impl Running<'_> {
    /// Records the outcome, once. Returns the end of the pause that the provider requested for all, if it did.
    fn record(&mut self) -> Option<DateTime<Utc>> {
        if std::mem::replace(&mut self.is_recorded, true) {
            return None;
        }
        let now = self.guarded.clock.now();
        let transition =
            self.guarded.breaker(self.operation).record(self.permit, self.caller, self.outcome, now);
        let call = self.operation.name();
        match transition? {
            Transition::Closed => {
                count_change(self.operation, "closed");
                tracing::info!(call, "provider calls resumed: the probe succeeded");
                None
            }
            Transition::Opened { until, is_requested } => {
                count_change(self.operation, "open");
                let retry_after = (until - now).num_seconds();
                tracing::warn!(call, retry_after, is_requested, "provider calls paused for all phones");
                is_requested.then_some(until)
            }
        }
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.record();
    }
}

fn count_change(operation: Operation, state: &'static str) {
    let labels = [("call", operation.name()), ("state", state)];
    metrics::counter!("countersign_provider_breaker_changes_total", &labels).increment(1);
}

/// What an answer says of the provider.
fn outcome<T>(operation: Operation, answer: &Result<T, ProviderError>) -> Outcome {
    let delta = |duration: Option<Duration>| duration.and_then(|it| TimeDelta::from_std(it).ok());
    match answer {
        Err(ProviderError::RateLimited { retry_after, scope: RateLimitScope::Person })
            if operation.names_person() =>
        {
            Outcome::TooManyForPerson(delta(*retry_after))
        }
        // What is said of a person is requested of nobody else, even if nothing else tells whom it is about.
        Err(ProviderError::RateLimited { scope: RateLimitScope::Person, .. }) => Outcome::TooMany(None),
        Err(ProviderError::RateLimited { retry_after, .. }) => Outcome::TooMany(delta(*retry_after)),
        // It answers this request, though not as expected.
        Err(ProviderError::Nonsense { status: 400..500, .. }) => Outcome::Answered,
        Err(ProviderError::Unreachable(_) | ProviderError::TimedOut | ProviderError::Nonsense { .. }) => {
            Outcome::Failed
        }
        Ok(_) | Err(_) => Outcome::Answered,
    }
}

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
    Callback, CallbackError, CallbackReport, CodeCheck, CodeJudgement, CodeMessage, CodeProvider, Enrollment,
    Provider, ProviderError, PushProvider, PushRequest, PushStatus, RateLimitScope, SentCode,
    breaker::{Breaker, Caller, Outcome, Permit, Transition},
    measured::measure,
};
use crate::{
    background::TaskError,
    clock::Clock,
    model::{CodeHandle, Email, Phone, ProviderUserId, PushHandle},
    network::Network,
};

/// Clients without a known address share one network.
const UNKNOWN_NETWORK: &str = "unknown";
/// A poll is due at the deadline and in the thirty seconds after it: no pause may be as long as that.
const LONGEST_WITHOUT_POLL: TimeDelta = TimeDelta::seconds(20);

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
    Enroll,
    RequestPush,
    FindPush,
    SendCode,
    CheckCode,
}

impl Operation {
    const ALL: [Self; 5] = [Self::Enroll, Self::RequestPush, Self::FindPush, Self::SendCode, Self::CheckCode];

    const fn name(self) -> &'static str {
        match self {
            Self::Enroll => "enroll",
            Self::RequestPush => "request_push",
            Self::FindPush => "find_push",
            Self::SendCode => "send_code",
            Self::CheckCode => "check_code",
        }
    }

    /// Whether its calls name a person who is known to the provider, so that an answer can be about that person.
    const fn names_person(self) -> bool {
        matches!(self, Self::RequestPush | Self::SendCode | Self::CheckCode)
    }
}

/// A provider whose calls are made only while they can succeed. Clones share it.
#[derive(Clone)]
pub struct GuardedProvider(Arc<Guarded>);

struct Guarded {
    provider: Box<dyn Provider>,
    clock: Clock,
    shared: Arc<dyn SharedPauses>,
    breakers: [Mutex<Breaker>; Operation::ALL.len()],
}

/// A guarded provider's [`Enrollment`].
#[derive(Clone, Copy)]
pub struct GuardedEnrollment<'a>(&'a Guarded, &'a dyn Enrollment);

/// A guarded provider's [`PushProvider`].
#[derive(Clone, Copy)]
pub struct GuardedPushes<'a>(&'a Guarded, &'a dyn PushProvider);

/// A guarded provider's [`CodeProvider`].
#[derive(Clone, Copy)]
pub struct GuardedCodes<'a>(&'a Guarded, &'a dyn CodeProvider);

impl GuardedProvider {
    /// Puts circuit breakers before a provider. `call_timeout`: how long one of its calls takes at most.
    #[must_use]
    pub fn new(
        provider: Box<dyn Provider>,
        shared: Arc<dyn SharedPauses>,
        clock: Clock,
        call_timeout: Duration,
    ) -> Self {
        let call_timeout = TimeDelta::from_std(call_timeout).unwrap_or(TimeDelta::MAX);
        let breakers = Operation::ALL.map(|operation| {
            let longest = (operation == Operation::FindPush).then_some(LONGEST_WITHOUT_POLL);
            Mutex::new(Breaker::new(longest, call_timeout))
        });
        Self(Arc::new(Guarded { provider, clock, shared, breakers }))
    }

    /// Returns the provider's name as it is stored.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.0.provider.name()
    }

    /// Returns how people are enrolled, if the provider keeps people of its own.
    #[must_use]
    pub fn enrollment(&self) -> Option<GuardedEnrollment<'_>> {
        self.0.provider.enrollment().map(|enrollment| GuardedEnrollment(&self.0, enrollment))
    }

    /// Returns the provider's pushes, if it has any.
    #[must_use]
    pub fn pushes(&self) -> Option<GuardedPushes<'_>> {
        self.0.provider.pushes().map(|pushes| GuardedPushes(&self.0, pushes))
    }

    /// Returns the provider's codes, if it has any.
    #[must_use]
    pub fn codes(&self) -> Option<GuardedCodes<'_>> {
        self.0.provider.codes().map(|codes| GuardedCodes(&self.0, codes))
    }

    /// Reads the pauses that other instances were asked for.
    pub(super) async fn read_pauses(&self) -> Result<(), TaskError> {
        self.0.read_pauses().await
    }
}

impl GuardedEnrollment<'_> {
    /// [`Enrollment::takes_new_people`].
    #[must_use]
    pub fn takes_new_people(&self) -> bool {
        self.1.takes_new_people()
    }

    /// [`Enrollment::enroll`].
    pub async fn enroll(
        &self,
        of: CallSubject<'_>,
        email: &Email,
        phone: &Phone,
    ) -> Result<ProviderUserId, ProviderError> {
        self.0.call(Operation::Enroll, of, self.1.enroll(email, phone)).await
    }
}

impl GuardedPushes<'_> {
    /// [`PushProvider::request`].
    pub async fn request(
        &self,
        of: CallSubject<'_>,
        request: &PushRequest<'_>,
    ) -> Result<PushHandle, ProviderError> {
        self.0.call(Operation::RequestPush, of, self.1.request(request)).await
    }

    /// [`PushProvider::find`].
    pub async fn find(&self, of: CallSubject<'_>, push: &PushHandle) -> Result<PushStatus, ProviderError> {
        self.0.call(Operation::FindPush, of, self.1.find(push)).await
    }

    /// [`PushProvider::read_callback`]. No breaker stops it.
    pub fn read_callback(&self, callback: &Callback<'_>) -> Result<CallbackReport, CallbackError> {
        self.1.read_callback(callback)
    }
}

impl GuardedCodes<'_> {
    /// [`CodeProvider::has_app`].
    #[must_use]
    pub fn has_app(&self) -> bool {
        self.1.has_app()
    }

    /// [`CodeProvider::app_codes`].
    #[must_use]
    pub fn app_codes(&self, user: &ProviderUserId) -> Option<CodeHandle> {
        self.1.app_codes(user)
    }

    /// [`CodeProvider::expected_handle`].
    #[must_use]
    pub fn expected_handle(&self, message: &CodeMessage<'_>) -> Option<CodeHandle> {
        self.1.expected_handle(message)
    }

    /// [`CodeProvider::send`].
    pub async fn send(
        &self,
        of: CallSubject<'_>,
        message: &CodeMessage<'_>,
    ) -> Result<SentCode, ProviderError> {
        self.0.call(Operation::SendCode, of, self.1.send(message)).await
    }

    /// [`CodeProvider::check`].
    pub async fn check(
        &self,
        of: CallSubject<'_>,
        check: &CodeCheck<'_>,
    ) -> Result<CodeJudgement, ProviderError> {
        self.0.call(Operation::CheckCode, of, self.1.check(check)).await
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
        let mut answer = measure(self.provider.name(), operation.name(), call).await;
        running.outcome = outcome(operation, &answer);
        let opened = running.record();
        if let Some(until) = opened
            && let Err(error) = self.shared.extend(&self.key(operation), until).await
        {
            tracing::warn!(
                provider = self.provider.name(),
                call = operation.name(),
                error,
                "failed to share a pause with other instances"
            );
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
            let labels = [
                ("provider", self.provider.name()),
                ("call", operation.name()),
                ("scope", refusal.scope.as_str()),
            ];
            metrics::counter!("countersign_provider_calls_paused_total", &labels).increment(1);
            let retry_after = refusal.retry_after.to_std().unwrap_or_default();
            ProviderError::Paused { retry_after, scope: refusal.scope }
        })?;
        if permit.is_probe() {
            self.count_change(operation, "half_open");
        }
        Ok(Running { guarded: self, operation, caller, permit, outcome: Outcome::Failed, is_recorded: false })
    }

    fn breaker(&self, operation: Operation) -> MutexGuard<'_, Breaker> {
        let [enrol, request_push, find_push, send_code, check_code] = &self.breakers;
        let breaker = match operation {
            Operation::Enroll => enrol,
            Operation::RequestPush => request_push,
            Operation::FindPush => find_push,
            Operation::SendCode => send_code,
            Operation::CheckCode => check_code,
        };
        breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count_change(&self, operation: Operation, state: &'static str) {
        let labels = [("provider", self.provider.name()), ("call", operation.name()), ("state", state)];
        metrics::counter!("countersign_provider_breaker_changes_total", &labels).increment(1);
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
                self.count_change(operation, "open");
                let provider = self.provider.name();
                tracing::warn!(provider, call = operation.name(), %until, "provider calls paused by another instance");
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
        let (provider, call) = (self.guarded.provider.name(), self.operation.name());
        match transition? {
            Transition::Closed => {
                self.guarded.count_change(self.operation, "closed");
                tracing::info!(provider, call, "provider calls resumed: the probe succeeded");
                None
            }
            Transition::Opened { until, is_requested } => {
                self.guarded.count_change(self.operation, "open");
                let retry_after = (until - now).num_seconds();
                tracing::warn!(
                    provider,
                    call,
                    retry_after,
                    is_requested,
                    "provider calls paused for all phones"
                );
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

//! What the provider reports by itself.
//!
//! Authy switches a callback off after three HTTP errors in a row, so an authentic one is accepted whatever becomes of
//! it. That loses nothing: what cannot be stored just now is kept and tried again, and an open push is asked about until
//! it is answered.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{sync::mpsc, time::Instant};
use tracing::Instrument;

use super::{
    AWAY, Approvals,
    metrics::{Source, count_callback},
};
use crate::{
    model::{ApprovalId, Decision, Effect, UsedCode},
    provider::{Callback, CallbackReport},
    storage::StoreError,
};

/// How long a callback waits for its effect to be stored, before it is answered and its effect follows.
const PATIENCE: Duration = Duration::from_secs(2);
/// How much is kept while the database is away; the provider is asked about the rest.
const QUEUE_LENGTH: usize = 10_000;
/// How often the log reports rejected callbacks.
const REPORT_INTERVAL: Duration = Duration::from_mins(1);
/// For how long it is tried again.
const RETRIED_FOR: Duration = Duration::from_mins(10);

/// What to answer to a callback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallbackOutcome {
    /// It is theirs.
    Accepted,
    /// It is not theirs, or can be read in two ways.
    Refused,
    /// No provider of that name is configured that calls back.
    UnknownProvider,
}

/// What was event and could not be stored yet.
#[derive(Clone)]
pub(super) struct RetryQueue {
    queued: mpsc::Sender<Queued>,
    /// Taken by the one task that tries them again.
    waiting: Arc<Mutex<Option<mpsc::Receiver<Queued>>>>,
    /// How many there are, the one that is being tried included.
    count: Arc<AtomicUsize>,
}

struct Queued {
    event: ProviderEvent,
    at: Instant,
}

/// What says how a login ends, and cannot be asked for again as soon.
#[derive(Clone, Debug)]
pub(super) enum ProviderEvent {
    /// A provider's own report.
    Report(&'static str, CallbackReport),
    /// A provider has judged a code right, and does not do so twice; what that decides, and the code if it counts once.
    RightCode(ApprovalId, Decision, Option<UsedCode>),
}

impl Default for RetryQueue {
    fn default() -> Self {
        let (queued, waiting) = mpsc::channel(QUEUE_LENGTH);
        Self { queued, waiting: Arc::new(Mutex::new(Some(waiting))), count: Arc::default() }
    }
}

impl RetryQueue {
    pub(super) fn is_empty(&self) -> bool {
        self.count.load(Ordering::Acquire) == 0
    }

    fn push(&self, event: ProviderEvent) {
        self.count.fetch_add(1, Ordering::AcqRel);
        if self.queued.try_send(Queued { event, at: Instant::now() }).is_err() {
            self.count.fetch_sub(1, Ordering::AcqRel);
            tracing::error!("what the provider said was given up; it will be asked instead");
        }
    }
}

/// Counts rejected callbacks for the log: anybody can send any number of them.
#[derive(Default)]
pub(super) struct Rejections(Mutex<(Option<Instant>, u64)>);

impl Rejections {
    /// Records one. Returns how many were rejected since the last report, if a report is due.
    fn record(&self, now: Instant) -> Option<u64> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.1 += 1;
        let is_due = state.0.is_none_or(|reported| now.duration_since(reported) >= REPORT_INTERVAL);
        is_due.then(|| {
            state.0 = Some(now);
            std::mem::take(&mut state.1)
        })
    }
}

impl Approvals {
    /// Whether a provider of that name is configured that calls back.
    #[must_use]
    pub fn has_callback(&self, provider: &str) -> bool {
        self.polling_of(provider).is_some()
    }

    /// Handles a callback of a provider. If it is accepted, its effect is stored; or storage is away, and the effect follows.
    pub async fn handle_callback(&self, provider: &str, callback: &Callback<'_>) -> CallbackOutcome {
        let found = self.providers.find(provider);
        let Some((provider, pushes)) = found.and_then(|found| Some((found.name(), found.pushes()?))) else {
            return CallbackOutcome::UnknownProvider;
        };
        let report = match pushes.read_callback(callback) {
            Ok(report) => report,
            Err(error) => {
                count_callback("refused");
                if let Some(rejected) = self.rejections.record(Instant::now()) {
                    tracing::warn!(%error, rejected, "callback rejected; further ones are logged once a minute");
                }
                return CallbackOutcome::Refused;
            }
        };
        // In a task of its own: a transaction that is abandoned half-way holds its locks until somebody finds it.
        let (this, event) = (self.clone(), ProviderEvent::Report(provider, report));
        let acting = self.tasks.spawn(async move { this.act_or_queue(event).await }.in_current_span());
        if tokio::time::timeout(PATIENCE, acting).await.is_err() {
            tracing::warn!("a callback was not stored in time and is still tried");
        }
        CallbackOutcome::Accepted
    }

    async fn act_or_queue(&self, event: ProviderEvent) {
        match self.act_on(&event).await {
            Ok(acted) => count_callback(acted.word()),
            Err(error) => {
                tracing::warn!(%error, "a callback could not be stored and is tried again");
                count_callback("kept");
                self.retry_queue.push(event);
            }
        }
    }

    /// Keeps a right code whose effect could not be stored: its person cannot type it again.
    pub(super) fn retry_right_code(&self, login: ApprovalId, decision: Decision, used: Option<UsedCode>) {
        tracing::warn!(login.id = %login, "a right code could not be stored and is tried again");
        self.retry_queue.push(ProviderEvent::RightCode(login, decision, used));
    }

    /// Stores what could not be stored when it was event, in the same order, until it is dropped.
    pub(super) async fn keep_retrying(self) {
        let waiting = self.retry_queue.waiting.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut waiting) = waiting else { return };
        while let Some(Queued { event, at }) = waiting.recv().await {
            // Acting on it twice does nothing twice.
            loop {
                match self.act_on(&event).await {
                    Ok(Acted::On(login, _)) => {
                        // The first attempt may have changed it after all, without being told so.
                        self.publish(login);
                        break;
                    }
                    Ok(Acted::Unknown | Acted::NothingToDo) => break,
                    Err(error) if at.elapsed() > RETRIED_FOR => {
                        tracing::error!(%error, "what the provider said was given up; it will be asked instead");
                        break;
                    }
                    Err(_) => tokio::time::sleep(AWAY).await,
                }
            }
            self.retry_queue.count.fetch_sub(1, Ordering::AcqRel);
        }
    }

    /// Settles the login that is meant, and says which it is.
    async fn act_on(&self, event: &ProviderEvent) -> Result<Acted, StoreError> {
        let (found, decision, source) = match event {
            ProviderEvent::RightCode(login, decision, used) => {
                (Some(*login), *decision, Source::Code(used.clone()))
            }
            ProviderEvent::Report(
                provider,
                CallbackReport::Answered { id: push, user, approval_id, verdict },
            ) => {
                let found = self.store.find_approval_of_push(provider, push, *approval_id, user).await?;
                (found, Decision::Verdict(*verdict), Source::Callback(push.clone()))
            }
            ProviderEvent::Report(_, CallbackReport::NothingToDo) => return Ok(Acted::NothingToDo),
        };
        let Some(login) = found else {
            tracing::info!("a callback speaks of no login of ours");
            return Ok(Acted::Unknown);
        };
        let settled = self.settle(login, decision, source).await?;
        let effect = settled.map_or(Effect::Ignore, |settled| settled.effect);
        Ok(Acted::On(login, effect))
    }
}

/// What came of something that was event.
enum Acted {
    /// This was done to this login.
    On(ApprovalId, Effect),
    /// It speaks of no login of ours.
    Unknown,
    /// It asks for nothing.
    NothingToDo,
}

impl Acted {
    fn word(&self) -> &'static str {
        match self {
            Self::On(_, Effect::Ignore) => "repeated",
            Self::On(..) => "accepted",
            Self::Unknown => "unknown",
            Self::NothingToDo => "nothing_to_do",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rejected_callbacks_are_reported_once_a_minute_with_their_number() {
        let (rejections, start) = (Rejections::default(), Instant::now());
        let after = |seconds| rejections.record(start + Duration::from_secs(seconds));
        let reported = [0, 1, 59, 60, 61, 200].map(after);
        assert_eq!(reported, [Some(1), None, None, Some(3), None, Some(2)]);
    }
}

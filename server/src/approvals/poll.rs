//! Polling open pushes: for callbacks that were lost, by the provider or by us.
//!
//! First after 5 seconds, then after 5, 10, 20 and 40 more, with jitter; while few pushes are due, never more than 10 seconds apart, so that
//! a lost callback delays a person by 15 seconds at most. Once more at the deadline and, if the provider does not respond then, until the
//! grace is over: a verdict given in time counts. Each provider is polled about its own pushes, by a task of its own: one that is slow
//! delays no other. Instances share the work and the provider's pace, at most ten requests a second, half as fast after each 429.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use tokio::task::JoinSet;

use super::{AWAY, Approvals, deadline_timer::DeadlineTimer, delta, expire::GRACE, metrics::Source};
use crate::{
    background::{Schedule, Task, TaskError},
    model::{Decision, PushHandle},
    provider::{
        ProviderError, Providers, PushStatus,
        guarded::{CallSubject, GuardedProvider},
    },
    random,
    storage::{DuePush, PollClaim, StoreError},
};

/// From one asking to the next, in seconds.
const INTERVALS: [u32; 4] = [5, 10, 20, 40];
/// The longest interval while there is no crowd, in seconds.
const LONGEST_WITHOUT_CROWD: u32 = 10;
/// From one asking to the next past the deadline.
const PAST_DEADLINE: TimeDelta = TimeDelta::seconds(5);
/// From one asking to the next where a code has approved the login, and the phone can only object.
const SETTLED: TimeDelta = TimeDelta::minutes(1);
/// Pushes that are due for longer are a crowd: more than the pace allows.
const CROWDED_AFTER: TimeDelta = TimeDelta::seconds(5);
/// From one request to the next, at the fastest: ten a second.
const FASTEST: TimeDelta = TimeDelta::milliseconds(100);
/// From one request to the next, at the slowest.
const SLOWEST: TimeDelta = TimeDelta::seconds(30);
/// How far ahead one instance takes slots: what it takes, the others wait for.
const AHEAD: TimeDelta = TimeDelta::seconds(1);
/// How many requests of one instance may be on their way at once: enough to keep the pace while each one times out.
const AT_ONCE: usize = 64;
/// How many open pushes are asked about at once after a restart.
const AFTER_RESTART: i64 = 200;
/// The longest time without a run: then it finds what other instances claimed and did not live to poll.
const EVERY: Duration = Duration::from_secs(5);

/// The background task that polls the pushes of one provider when they are due.
pub struct PollPushes {
    approvals: Approvals,
    polling: Arc<Polling>,
    /// The polls that are under way.
    polls: JoinSet<()>,
    is_prepared: bool,
}

#[async_trait]
impl Task for PollPushes {
    fn schedule(&self) -> Schedule {
        Schedule::every(EVERY, "poll_pushes").about(self.polling.provider()).retried_after(AWAY)
    }

    async fn run(&mut self, now: DateTime<Utc>) -> Result<(), TaskError> {
        let Self { approvals, polling, polls, is_prepared } = self;
        if !*is_prepared {
            approvals.prepare_polling(polling).await?;
            *is_prepared = true;
        }
        match approvals.poll_due(polling, polls).await {
            Ok(next) => next.into_iter().for_each(|next| polling.timer.set(next)),
            Err(error) => {
                // A database that was restored may lack it.
                approvals.store.ensure_turn(&polling.lease, now, FASTEST).await?;
                return Err(error.into());
            }
        }
        Ok(())
    }

    async fn woken(&mut self) {
        self.polling.timer.wait(&self.approvals.clock).await;
    }
}

/// How soon after a push the provider is asked about it first.
pub(super) fn first_interval() -> TimeDelta {
    jitter(INTERVALS[0])
}

/// How long after the `asks`-th asking comes the next one.
fn interval(poll_count: i32, is_crowded: bool) -> TimeDelta {
    let polls = usize::try_from(poll_count).unwrap_or_default();
    let seconds = INTERVALS[polls.min(INTERVALS.len() - 1)];
    jitter(if is_crowded { seconds } else { seconds.min(LONGEST_WITHOUT_CROWD) })
}

/// Up to a tenth more or less, so that what began together does not stay together.
fn jitter(seconds: u32) -> TimeDelta {
    let tenth = i64::from(seconds) * 100;
    let drawn = random::below(usize::try_from(2 * tenth).unwrap_or_default());
    TimeDelta::milliseconds(9 * tenth + i64::try_from(drawn).unwrap_or_default())
}

/// What follows from what the provider says.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    Decide(Decision),
    /// The phone can no longer answer: the person types a code.
    PushGone,
    AskAgain(DateTime<Utc>),
    /// The login is over, and the phone had its time to object.
    Stop,
}

/// What follows from how a push stood at `asked_at`; `None`: the provider did not say.
fn next(
    standing: Option<PushStatus>,
    login: &DuePush,
    asked_at: DateTime<Utc>,
    again_after: TimeDelta,
) -> Next {
    let is_overdue = asked_at >= login.expires_at;
    // Those who wait come before those who are in.
    let again_after = if login.is_settled { SETTLED } else { again_after };
    let end_of_grace = login.expires_at + GRACE;
    match standing {
        Some(PushStatus::Answered(verdict)) => Next::Decide(Decision::Verdict(verdict)),
        Some(PushStatus::Pending | PushStatus::Gone) if is_overdue && login.is_settled => Next::Stop,
        Some(PushStatus::Pending | PushStatus::Gone) if is_overdue => Next::Decide(Decision::Deadline),
        Some(PushStatus::Gone) => Next::PushGone,
        Some(PushStatus::Pending) | None if !is_overdue => {
            Next::AskAgain((asked_at + again_after).min(login.expires_at))
        }
        _ if asked_at < end_of_grace => Next::AskAgain((asked_at + PAST_DEADLINE).min(end_of_grace)),
        _ if login.is_settled => Next::Stop,
        _ => Next::Decide(Decision::Deadline),
    }
}

/// Whether a push that is to be polled again `at` then may as well be due when its lease ends, with nothing written for it: where it was
/// late by more than that delays it, because more pushes are due than the pace allows. The poll at the deadline is never delayed.
fn may_keep_lease(login: &DuePush, asked_at: DateTime<Utc>, at: DateTime<Utc>) -> bool {
    let (lateness, delay) = (asked_at - login.due_at, login.leased_until - at);
    delay >= TimeDelta::zero() && delay <= lateness && login.leased_until <= login.expires_at
}

/// The polling of one provider's pushes.
pub(super) struct Polling {
    provider: GuardedProvider,
    /// The lease that keeps the pace. Instances with this provider share it.
    lease: String,
    /// Fires when the next poll is due.
    pub(super) timer: DeadlineTimer,
}

impl Polling {
    /// Prepares the polling of each provider that pushes.
    pub(super) fn of(providers: &Providers) -> Arc<[Arc<Self>]> {
        let pushing = providers.iter().filter(|provider| provider.pushes().is_some());
        let polling = |provider: &GuardedProvider| {
            let lease = format!("polling {}", provider.name());
            Arc::new(Self { provider: provider.clone(), lease, timer: DeadlineTimer::default() })
        };
        pushing.map(polling).collect()
    }

    /// Returns the provider's name.
    pub(super) fn provider(&self) -> &'static str {
        self.provider.name()
    }
}

impl Approvals {
    /// Returns the polling of a provider, if it is configured and pushes.
    pub(super) fn polling_of(&self, provider: &str) -> Option<&Polling> {
        self.polling.iter().find(|polling| polling.provider() == provider).map(|polling| &**polling)
    }

    /// Returns the background tasks that poll pushes when they are due, one for each provider that pushes.
    pub fn polling(&self) -> impl Iterator<Item = PollPushes> {
        let task = |polling: &Arc<Polling>| PollPushes {
            approvals: self.clone(),
            polling: polling.clone(),
            polls: JoinSet::new(),
            is_prepared: false,
        };
        self.polling.iter().map(task)
    }

    async fn prepare_polling(&self, polling: &Polling) -> Result<(), StoreError> {
        let now = self.clock.now();
        self.store.ensure_turn(&polling.lease, now, FASTEST).await?;
        self.store.poll_open_pushes(polling.provider(), now, AFTER_RESTART).await?;
        Ok(())
    }

    /// Claims pushes that are due, and polls each in its slot. Returns when the next one is due.
    async fn poll_due(
        &self,
        polling: &Arc<Polling>,
        polls: &mut JoinSet<()>,
    ) -> Result<Option<DateTime<Utc>>, StoreError> {
        let now = self.clock.now();
        match self.store.next_poll(polling.provider()).await? {
            Some(next) if next <= now => {}
            later => return Ok(later),
        }
        while polls.try_join_next().is_some() {}
        if polls.len() >= AT_ONCE {
            // The provider does not respond: pushes that cannot be polled are left to other instances.
            polls.join_next().await;
        }
        let longest_poll = delta(self.settings.provider_timeout * 2);
        let claim = PollClaim {
            provider: polling.provider(),
            lease: &polling.lease,
            now,
            until: now + AHEAD,
            farthest: now + AHEAD + SLOWEST * 2,
            leased_until: now + AHEAD + longest_poll + PAST_DEADLINE,
            limit: AT_ONCE - polls.len(),
        };
        let claimed = self.store.claim_polls(&claim).await?;
        for (login, slot) in claimed.pushes {
            let (approvals, polling) = (self.clone(), polling.clone());
            polls
                .spawn(async move { approvals.poll_in_slot(&polling, &login, slot, claimed.interval).await });
        }
        let next = self.store.next_poll(polling.provider()).await?;
        Ok(next.map(|next| next.max(claimed.next_slot)))
    }

    async fn poll_in_slot(&self, polling: &Polling, login: &DuePush, slot: DateTime<Utc>, pace: TimeDelta) {
        self.clock.sleep_until(slot).await;
        if let Err(error) = self.poll(polling, login, pace).await {
            tracing::warn!(login.id = %login.id, %error, "push not polled");
        }
    }

    /// Polls one claimed push, and handles the response.
    async fn poll(&self, polling: &Polling, login: &DuePush, pace: TimeDelta) -> Result<(), StoreError> {
        let asked_at = self.clock.now();
        let is_crowded = asked_at - login.due_at > CROWDED_AFTER;
        let standing = match &login.open_push {
            Some(push) => self.standing(polling, login, push, pace).await?,
            // Claimed to be ended by an instance that did not live to do it.
            None => Some(PushStatus::Gone),
        };
        match next(standing, login, asked_at, interval(login.poll_count, is_crowded)) {
            // What was heard in time and is not stored yet may be of this login.
            Next::Decide(Decision::Deadline) if !self.retry_queue.is_empty() => {
                self.store.schedule_poll(login.id, Some(asked_at + PAST_DEADLINE)).await?;
            }
            Next::Decide(decision) => {
                let source = Source::Poll(login.open_push.clone());
                self.settle(login.id, decision, source).await?;
            }
            Next::PushGone => {
                if self.store.record_push_gone(login.id, self.clock.now()).await? {
                    self.publish(login.id);
                }
                self.deadline.set(login.expires_at);
            }
            Next::AskAgain(at) if may_keep_lease(login, asked_at, at) => {}
            Next::AskAgain(at) => {
                self.store.schedule_poll(login.id, Some(at)).await?;
                polling.timer.set(at);
            }
            Next::Stop => self.store.schedule_poll(login.id, None).await?,
        }
        Ok(())
    }

    /// How a push stands, as the provider says; `None` where it does not say. Keeps the pace that it asks for.
    async fn standing(
        &self,
        polling: &Polling,
        login: &DuePush,
        push: &PushHandle,
        pace: TimeDelta,
    ) -> Result<Option<PushStatus>, StoreError> {
        let of = CallSubject { phone: &login.phone, network: login.network.as_deref() };
        let Some(pushes) = polling.provider.pushes() else { return Ok(None) };
        let standing = self.remaining_time().limit(pushes.find(of, push)).await;
        let new_pace = match &standing {
            Ok(_) => (pace * 9 / 10).max(FASTEST),
            Err(ProviderError::RateLimited { .. }) => (pace * 2).min(SLOWEST),
            Err(_) => pace,
        };
        if new_pace != pace {
            // Of several answers to one pace the first counts: ten refusals at once halve it once.
            self.store.change_turn_interval(&polling.lease, pace, new_pace).await?;
        }
        standing.map(Some).or_else(|error| {
            if matches!(error, ProviderError::Paused { .. }) {
                // The breaker has said so, once.
                tracing::debug!(login.id = %login.id, %error, "poll skipped");
                return Ok(None);
            }
            tracing::warn!(login.id = %login.id, %error, "the provider did not say how a push stands");
            Ok(None)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ApprovalId, Phone, Verdict};

    const AGAIN: TimeDelta = TimeDelta::seconds(10);

    fn login(is_settled: bool) -> DuePush {
        let expires_at = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        DuePush {
            id: ApprovalId::new(random::id(expires_at)),
            phone: Phone::from_e164("+12025550123").unwrap(),
            network: None,
            open_push: Some(PushHandle::new("push")),
            poll_count: 1,
            due_at: expires_at - TimeDelta::minutes(5),
            leased_until: expires_at - TimeDelta::minutes(5) + TimeDelta::seconds(26),
            expires_at,
            is_settled,
        }
    }

    #[test]
    fn intervals_grow_in_a_crowd_and_stay_below_fifteen_seconds_without_one() {
        for (asks, seconds) in [(0, 5), (1, 10), (2, 20), (3, 40), (100, 40)] {
            let (crowded, alone) = (interval(asks, true), interval(asks, false));
            assert!((crowded.num_milliseconds() - seconds * 1_000).abs() <= seconds * 100, "{crowded}");
            assert!(alone <= TimeDelta::seconds(11), "{alone}");
        }
    }

    #[test]
    fn in_a_crowd_a_push_is_due_again_when_its_lease_ends() {
        let login = login(false);
        let due_again = |late: i64, again: i64| {
            let asked_at = login.due_at + TimeDelta::seconds(late);
            may_keep_lease(&login, asked_at, asked_at + TimeDelta::seconds(again))
        };
        // The lease ends 26 seconds after it was due: 5 seconds after a poll 16 seconds late is 5 seconds too early.
        assert!(due_again(16, 5));
        assert!(!due_again(1, 5), "without a crowd, it would be polled too late");
        assert!(!due_again(16, 40), "it would be polled too early");
        let last = DuePush { leased_until: login.expires_at + TimeDelta::seconds(1), ..login.clone() };
        assert!(!may_keep_lease(&last, last.expires_at - TimeDelta::seconds(5), last.expires_at));
    }

    #[test]
    fn before_the_deadline_a_push_is_asked_about_again_and_at_the_deadline_once_more() {
        let login = login(false);
        let (early, late) =
            (login.expires_at - TimeDelta::minutes(1), login.expires_at - TimeDelta::seconds(3));
        for unheard in [Some(PushStatus::Pending), None] {
            assert_eq!(next(unheard, &login, early, AGAIN), Next::AskAgain(early + AGAIN));
            assert_eq!(next(unheard, &login, late, AGAIN), Next::AskAgain(login.expires_at));
        }
        assert_eq!(next(Some(PushStatus::Gone), &login, early, AGAIN), Next::PushGone);
    }

    #[test]
    fn an_approval_counts_whenever_the_provider_tells_of_it() {
        let login = login(false);
        let approved = Some(PushStatus::Answered(Verdict::Approved));
        for asked_at in [login.due_at, login.expires_at, login.expires_at + GRACE] {
            let decided = next(approved, &login, asked_at, AGAIN);
            assert_eq!(decided, Next::Decide(Decision::Verdict(Verdict::Approved)));
        }
    }

    #[test]
    fn a_provider_that_does_not_answer_at_the_deadline_is_asked_until_the_grace_is_over() {
        let login = login(false);
        let at = |seconds| login.expires_at + TimeDelta::seconds(seconds);
        assert_eq!(next(None, &login, at(0), AGAIN), Next::AskAgain(at(5)));
        assert_eq!(next(None, &login, at(28), AGAIN), Next::AskAgain(login.expires_at + GRACE));
        assert_eq!(next(None, &login, login.expires_at + GRACE, AGAIN), Next::Decide(Decision::Deadline));
        for ended in [PushStatus::Pending, PushStatus::Gone] {
            assert_eq!(next(Some(ended), &login, at(0), AGAIN), Next::Decide(Decision::Deadline));
        }
    }

    #[test]
    fn a_login_that_a_code_approved_is_asked_about_up_to_its_deadline_for_the_phone_may_object() {
        let login = login(true);
        let (earlier, early) =
            (login.expires_at - TimeDelta::minutes(5), login.expires_at - TimeDelta::seconds(3));
        assert_eq!(
            next(Some(PushStatus::Pending), &login, earlier, AGAIN),
            Next::AskAgain(earlier + SETTLED)
        );
        assert_eq!(next(Some(PushStatus::Pending), &login, early, AGAIN), Next::AskAgain(login.expires_at));
        assert_eq!(next(Some(PushStatus::Pending), &login, login.expires_at, AGAIN), Next::Stop);
        assert_eq!(next(None, &login, login.expires_at + GRACE, AGAIN), Next::Stop);
    }
}

//! Asking the provider how open pushes stand: for callbacks that were lost, on their way or on ours.
//!
//! First after 5 seconds, then after 5, 10, 20 and 40 more, with jitter; as long as there is no crowd, never more than
//! 10 seconds apart, so that a lost callback costs a person 15 seconds at the most. After a restart, all at once, in
//! turn. Each asking is taken by a guarded update first.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::{StreamExt, stream};

use super::Logins;
use crate::{
    model::{ApprovalRequestId, Decision, LoginId},
    provider::{ApprovalStanding, ProviderError},
    random,
    storage::{OpenLogin, StoreError},
};

/// From one asking to the next, in seconds.
const INTERVALS: [u32; 4] = [5, 10, 20, 40];
/// The longest interval while there is no crowd, in seconds.
const LONGEST_WITHOUT_CROWD: u32 = 10;
/// How many logins are read at once. More of them due is a crowd: five seconds' worth of requests.
const BATCH: i64 = 50;
/// How many requests may be on their way at once.
const AT_ONCE: usize = 32;
/// How long to wait for a database that is away.
const AWAY: Duration = Duration::from_secs(1);

/// How soon after a push the provider is asked about it first.
pub(super) fn first_interval() -> TimeDelta {
    jitter(INTERVALS[0])
}

/// How long after the `asks`-th asking comes the next one.
fn interval(asks: i32, is_crowded: bool) -> TimeDelta {
    let asks = usize::try_from(asks).unwrap_or_default();
    let seconds = INTERVALS[asks.min(INTERVALS.len() - 1)];
    jitter(if is_crowded { seconds } else { seconds.min(LONGEST_WITHOUT_CROWD) })
}

/// Up to a tenth more or less, so that what began together does not stay together.
fn jitter(seconds: u32) -> TimeDelta {
    let tenth = i64::from(seconds) * 100;
    let drawn = random::below(usize::try_from(2 * tenth).unwrap_or_default());
    TimeDelta::milliseconds(9 * tenth + i64::try_from(drawn).unwrap_or_default())
}

impl Logins {
    /// Asks about every open push at its time, until it is dropped.
    pub(super) async fn keep_asking(self) {
        while let Err(error) = self.store.ask_about_all(self.clock.now()).await {
            tracing::warn!(%error, "open pushes cannot be read");
            tokio::time::sleep(AWAY).await;
        }
        loop {
            match self.ask_about_due().await {
                Ok(Some(next)) => self.asking.set(next),
                Ok(None) => {}
                Err(error) => {
                    tracing::warn!(%error, "open pushes cannot be read");
                    tokio::time::sleep(AWAY).await;
                    continue;
                }
            }
            self.asking.ring(&self.clock).await;
        }
    }

    /// Asks about all pushes that are due. Returns when the next one is.
    async fn ask_about_due(&self) -> Result<Option<DateTime<Utc>>, StoreError> {
        let due = self.store.logins_to_ask(self.clock.now(), BATCH).await?;
        let is_crowded = due.len() >= usize::try_from(BATCH).unwrap_or_default();
        stream::iter(due)
            .for_each_concurrent(AT_ONCE, async |login| {
                if let Err(error) = self.ask_about(&login, is_crowded).await {
                    tracing::warn!(login.id = %login.id, %error, "a push was not asked about");
                }
            })
            .await;
        self.store.next_asking().await
    }

    async fn ask_about(&self, login: &OpenLogin, is_crowded: bool) -> Result<(), StoreError> {
        self.pace.turn().await;
        let next = self.clock.now() + interval(login.asks, is_crowded);
        // At the deadline it is asked about once more anyway.
        let next = Some(next).filter(|next| login.open_push.is_some() && *next < login.expires_at);
        match (self.store.take_asking(login, next).await?, &login.open_push) {
            (true, Some(push)) => self.ask_provider(login.id, push).await,
            _ => Ok(()),
        }
    }

    /// Asks the provider about one push now, and acts on what it says.
    pub(super) async fn ask_provider(&self, id: LoginId, push: &ApprovalRequestId) -> Result<(), StoreError> {
        let standing = self.patience().with(self.provider.find_approval(push)).await;
        match &standing {
            Err(ProviderError::RateLimited { .. }) => self.pace.slow_down(),
            _ => self.pace.speed_up(),
        }
        match standing {
            Ok(ApprovalStanding::Pending) => {}
            Ok(ApprovalStanding::Answered(verdict)) => {
                self.decide(id, Decision::Verdict(verdict), Some(push.clone())).await?;
            }
            Ok(ApprovalStanding::Gone) => {
                self.store.record_push_gone(id, self.clock.now()).await?;
                self.publish(id);
            }
            Err(error) => {
                tracing::warn!(login.id = %id, %error, "the provider did not say how a push stands");
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_grow_in_a_crowd_and_stay_below_fifteen_seconds_without_one() {
        for (asks, seconds) in [(0, 5), (1, 10), (2, 20), (3, 40), (100, 40)] {
            let (crowded, alone) = (interval(asks, true), interval(asks, false));
            assert!((crowded.num_milliseconds() - seconds * 1_000).abs() <= seconds * 100, "{crowded}");
            assert!(alone <= TimeDelta::seconds(11), "{alone}");
        }
    }
}

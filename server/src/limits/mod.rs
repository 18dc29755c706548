//! How often: guesses, messages, pushes and signups, each with a budget that all instances share.
//!
//! What is guarded is asked only after its budget was taken, by a guarded update, so that a hundred at once get no more
//! than there is; what was certainly not needed is given back. A request that finds a budget used up writes nothing: this
//! instance remembers those, and only looks whether they still are.
//!
//! Nobody uses up what somebody else has proven to be theirs: whoever presents a known device has budgets of their own,
//! and a phone that nobody has proven has smaller ones beside those of its user ([`Standing`]).

mod network;
mod passwords;
mod phone_use;
mod phones;
mod pushes;
mod remembered;
mod returns;
mod settings;
mod started_logins;
mod unjudged_codes;

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use dashmap::{DashMap, DashSet};

pub use network::{network, queue_path};
pub use phone_use::{PhoneUse, Standing};
pub use pushes::PushPlace;
pub use settings::{LimitSettings, LoginLimitSettings};
pub use started_logins::LoginClaims;

use self::remembered::Remembered;
use crate::{
    clock::Clock,
    model::{Budget, BudgetKey},
    storage::{Store, StoreError, Taken, Taking, UsedUp},
};

/// The budgets that many people share.
const SHARED_BY_ALL: [&str; 2] = ["codes_per_calling_code", "codes_for_all"];
/// How often at the most the log says of a budget that it is used up.
const TOLD_EVERY: TimeDelta = TimeDelta::minutes(1);

/// No answer says "at once" to somebody who was refused.
const SHORTEST_WAIT: Duration = Duration::from_millis(1);

/// The budgets. Clones share them, and so do instances.
#[derive(Clone)]
pub struct Limits {
    store: Store,
    clock: Clock,
    settings: Arc<LimitSettings>,
    /// The calling codes with a low conversion, as far as this instance has noticed.
    low_conversion: Arc<DashSet<String>>,
    remembered: Arc<Remembered>,
    /// When it was last said of which budget that it is used up.
    told: Arc<DashMap<&'static str, DateTime<Utc>>>,
}

/// Why something is not done now.
#[derive(Debug, thiserror::Error)]
pub enum LimitError {
    /// It was done too often.
    #[error("a budget is used up")]
    UsedUp {
        /// From when on it is not.
        retry_after: Duration,
    },
    /// Storage.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What was taken, to be given back where it was not needed.
#[derive(Debug)]
#[must_use = "what is not needed is to be given back"]
pub struct Grant(Vec<Taken>);

impl Grant {
    /// What is released with something else, in one transaction.
    pub(crate) fn taken(&self) -> &[Taken] {
        &self.0
    }

    /// Whether it was the last that could be taken.
    pub(crate) fn is_last(&self, now: DateTime<Utc>) -> bool {
        self.0.iter().any(|taken| taken.used_up(now).is_some())
    }
}

/// One budget to take from, with its name: that of its setting in lower case, for logs and metrics.
#[derive(Clone, Debug)]
struct Claim {
    name: &'static str,
    taking: Taking,
}

impl Claim {
    fn new(name: &'static str, whose: &[&str], budget: Budget) -> Self {
        Self { name, taking: Taking { key: BudgetKey::new(name, whose), budget } }
    }
}

impl Limits {
    /// Joins its parts.
    #[must_use]
    pub fn new(store: Store, clock: Clock, settings: LimitSettings) -> Self {
        Self {
            store,
            clock,
            settings: Arc::new(settings),
            low_conversion: Arc::default(),
            remembered: Arc::default(),
            told: Arc::default(),
        }
    }

    /// Gives back what was not needed. Where storage is away it stays taken, which costs somebody a pause and no more.
    pub async fn give_back(&self, grant: Grant) {
        if let Err(error) = self.store.give_back_budgets(&grant.0).await {
            tracing::warn!(%error, "a budget was not given back");
        }
    }

    /// Takes of all, or of none.
    async fn take(&self, claims: &[Claim]) -> Result<Grant, LimitError> {
        self.try_to_take(claims, self.clock.now()).await?.map_err(|used_up| self.refuse(claims, &used_up))
    }

    /// [`Self::take`], of which nobody is told where there is nothing to take.
    async fn try_to_take(
        &self,
        claims: &[Claim],
        now: DateTime<Utc>,
    ) -> Result<Result<Grant, UsedUp>, StoreError> {
        let taken = self.remembered.take(&self.store, &takings(claims), now).await?;
        Ok(taken.map(Grant))
    }

    /// Whether something could be taken of all. Takes nothing.
    async fn check(&self, claims: &[Claim]) -> Result<(), LimitError> {
        match self.store.find_used_up(&takings(claims), self.clock.now()).await? {
            None => Ok(()),
            Some(used_up) => Err(self.refuse(claims, &used_up)),
        }
    }

    /// Says now and then that a budget is used up, and louder where many people share it.
    fn tell_of(&self, budget: &'static str, retry_after: Duration) {
        let now = self.clock.now();
        let mut told = self.told.entry(budget).or_insert(DateTime::UNIX_EPOCH);
        if (now - *told).abs() < TOLD_EVERY {
            tracing::debug!(budget, ?retry_after, "a budget is used up");
            return;
        }
        *told = now;
        if SHARED_BY_ALL.contains(&budget) {
            tracing::warn!(budget, ?retry_after, "what all phones may have is used up: no codes are sent");
        } else {
            tracing::info!(
                budget,
                ?retry_after,
                "a budget is used up; others like it are not told for a minute"
            );
        }
    }

    fn refuse(&self, claims: &[Claim], used_up: &UsedUp) -> LimitError {
        LimitError::UsedUp { retry_after: self.report(claims, used_up) }
    }

    /// Counts and logs that one of these is exhausted. Returns for how long.
    fn report(&self, claims: &[Claim], used_up: &UsedUp) -> Duration {
        let budget = claims.iter().find(|claim| claim.taking.key == used_up.key).map(|claim| claim.name);
        let retry_after = (used_up.until - self.clock.now()).to_std().unwrap_or_default().max(SHORTEST_WAIT);
        let budget = budget.unwrap_or("unknown");
        count_used_up(budget);
        self.tell_of(budget, retry_after);
        retry_after
    }
}

fn takings(claims: &[Claim]) -> Vec<Taking> {
    claims.iter().map(|claim| claim.taking.clone()).collect()
}

fn count_used_up(budget: &'static str) {
    metrics::counter!("countersign_budgets_used_up_total", "budget" => budget).increment(1);
}

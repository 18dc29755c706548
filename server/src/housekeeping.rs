//! Removing what is over: finished logins with their signups, sessions past their end, devices nobody has signed in in for
//! long, and budgets of which nothing is used up.
//!
//! In small batches with a rest between them, so that nobody waits for it, and by one instance at a time. What is removed
//! has long had no meaning for anybody but whoever reads the tables; nothing here decides a login.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use clap::Args;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    clock::Clock,
    model::{BudgetKey, parse_duration},
    storage::{Store, StoreError},
};

/// The turn that says whose work it is.
const TURN: &str = "housekeeping";
/// How often it is done.
const EVERY: Duration = Duration::from_mins(1);
/// How many rows one statement removes, or reads to remove some of them.
const BATCH: i64 = 500;
/// How many rows of the rate limits are read each time, of a table that holds few that say nothing.
const READ_EACH_TIME: i64 = 20_000;
/// Where at least one in so many of those that were read says nothing, more are read.
const ONE_IN: usize = 4;
/// For how long it is kept how many codes came back; a day is asked for.
const COUNTED_FOR: TimeDelta = TimeDelta::hours(48);
/// How long counts of failed attempts are kept. Strangers decide how many there are.
const ATTEMPTS_KEPT_FOR: Duration = Duration::from_hours(7 * 24);
/// How long a right code of an app is known as used. No provider accepts one for as long.
const USED_CODES_KEPT_FOR: Duration = Duration::from_hours(24);
/// The rest between two statements.
const REST: Duration = Duration::from_millis(50);

/// The settings of housekeeping.
#[derive(Args, Clone, Copy, Debug)]
#[command(next_help_heading = "Database and instances")]
pub struct Retention {
    /// How long logins are kept past their end. It is at least `LOGIN_TTL` and three minutes.
    #[arg(long, env = "LOGIN_RETENTION", default_value = "30d", value_parser = parse_duration)]
    pub login_retention: Duration,
    /// How long sessions are kept past their `SESSION_TTL`, ended early or not.
    #[arg(long, env = "SESSION_RETENTION", default_value = "30d", value_parser = parse_duration)]
    pub session_retention: Duration,
    /// How long the audit trail of accounts is kept.
    #[arg(long, env = "EVENT_RETENTION", default_value = "180d", value_parser = parse_duration)]
    pub event_retention: Duration,
}

/// The housekeeping of one instance.
pub struct Housekeeping {
    store: Store,
    clock: Clock,
    retention: Retention,
    /// How far the rate limits were read; `None`: they are read from the beginning.
    last_budget: Option<BudgetKey>,
}

/// What is removed.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Logins,
    Sessions,
    Devices,
    Events,
    FailedAttempts,
    UsedCodes,
}

impl Housekeeping {
    /// Joins its parts.
    #[must_use]
    pub fn new(store: Store, clock: Clock, retention: Retention) -> Self {
        Self { store, clock, retention, last_budget: None }
    }

    /// Starts it.
    pub fn start(mut self, tasks: &TaskTracker, shutdown: &CancellationToken) {
        tasks.spawn(shutdown.clone().run_until_cancelled_owned(async move { self.keep_house().await }));
    }

    async fn keep_house(&mut self) {
        loop {
            // However long it takes, and whatever the clock does meanwhile.
            let next = self.clock.now() + EVERY;
            if let Err(error) = self.clean_up_in_turn().await {
                tracing::warn!(%error, "housekeeping was not finished");
            }
            self.clock.sleep_until(next).await;
        }
    }

    /// Removes what is old enough, where it is this instance's turn.
    async fn clean_up_in_turn(&mut self) -> Result<(), StoreError> {
        let (now, every) = (self.clock.now(), TimeDelta::from_std(EVERY).unwrap_or(TimeDelta::MAX));
        self.store.ensure_turn(TURN, now, every).await?;
        if self.store.take_turn(TURN, now, now + every).await? {
            self.clean_up(Kind::Sessions, now, self.retention.session_retention).await?;
            self.clean_up(Kind::Logins, now, self.retention.login_retention).await?;
            self.clean_up(Kind::Devices, now, Duration::ZERO).await?;
            self.clean_up(Kind::Events, now, self.retention.event_retention).await?;
            self.remove_full_budgets(now).await?;
            self.store.remove_code_returns(now - COUNTED_FOR).await?;
            self.clean_up(Kind::FailedAttempts, now, ATTEMPTS_KEPT_FOR).await?;
            self.clean_up(Kind::UsedCodes, now, USED_CODES_KEPT_FOR).await?;
        }
        Ok(())
    }

    async fn clean_up(&self, kind: Kind, now: DateTime<Utc>, kept_for: Duration) -> Result<(), StoreError> {
        // A retention that goes back beyond the calendar keeps everything.
        let kept_for = TimeDelta::from_std(kept_for).unwrap_or(TimeDelta::MAX);
        let Some(before) = now.checked_sub_signed(kept_for) else { return Ok(()) };
        let mut removed = 0;
        loop {
            let batch = match kind {
                Kind::Logins => self.store.remove_approvals(before, BATCH).await?,
                Kind::Sessions => self.store.remove_sessions(before, BATCH).await?,
                Kind::Devices => self.store.remove_devices(before, BATCH).await?,
                Kind::Events => self.store.remove_account_events(before, BATCH).await?,
                Kind::FailedAttempts => self.store.remove_failed_attempts(before, BATCH).await?,
                Kind::UsedCodes => self.store.remove_used_codes(before, BATCH).await?,
            };
            removed += batch;
            if i64::try_from(batch).unwrap_or(i64::MAX) < BATCH {
                break;
            }
            tokio::time::sleep(REST).await;
        }
        if removed > 0 {
            tracing::info!(removed, ?kind, "housekeeping");
        }
        Ok(())
    }

    /// Removes rate limits of which nothing is used up. No index says which they are, since each attempt would have to write it: so
    /// the table is read a part at a time, and faster while much of it says nothing.
    async fn remove_full_budgets(&mut self, before: DateTime<Utc>) -> Result<(), StoreError> {
        let (mut read, mut removed) = (0, 0);
        loop {
            let batch = self.store.remove_full_budgets(self.last_budget.as_ref(), before, BATCH).await?;
            read += BATCH;
            removed += batch.removed;
            self.last_budget = batch.last;
            let are_many =
                batch.removed.saturating_mul(ONE_IN) >= usize::try_from(BATCH).unwrap_or(usize::MAX);
            if self.last_budget.is_none() || (read >= READ_EACH_TIME && !are_many) {
                break;
            }
            tokio::time::sleep(REST).await;
        }
        if removed > 0 {
            tracing::debug!(removed, "housekeeping of rate limits");
        }
        Ok(())
    }
}

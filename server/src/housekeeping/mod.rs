//! Housekeeping: deleting rows that are over, one background task a table.
//!
//! Every minute, on one instance, in small batches with a pause between them, so that nothing waits for it. No row that is deleted here
//! decides anything any more: only people who read the tables miss it.

mod account_events;
mod approvals;
mod devices;
mod failed_attempts;
mod rate_limits;
mod sessions;
mod sms_conversions;
mod used_codes;

use std::{future::Future, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use clap::Args;

pub use self::{
    account_events::DeleteAccountEvents, approvals::DeleteApprovals, devices::DeleteDevices,
    failed_attempts::DeleteFailedAttempts, rate_limits::DeleteRateLimits, sessions::DeleteSessions,
    sms_conversions::DeleteSmsConversions, used_codes::DeleteUsedCodes,
};
use crate::{
    background::{Schedule, TaskError},
    model::parse_duration,
    storage::StoreError,
};

/// How many rows one statement deletes, or reads to delete some of them.
const BATCH: i64 = 500;
/// The pause between two statements.
const PAUSE: Duration = Duration::from_millis(50);

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

/// The schedule of every task here.
const fn every_minute(name: &'static str) -> Schedule {
    Schedule::every(Duration::from_mins(1), name).leased()
}

/// Deletes rows that ended more than `kept_for` before `now`. `delete` deletes a batch of those that ended before a time, and returns
/// how many.
async fn delete_older<Deleted: Future<Output = Result<usize, StoreError>>>(
    table: &'static str,
    now: DateTime<Utc>,
    kept_for: Duration,
    delete: impl Fn(DateTime<Utc>, i64) -> Deleted,
) -> Result<(), TaskError> {
    // A retention that goes back beyond the calendar keeps everything.
    let kept_for = TimeDelta::from_std(kept_for).unwrap_or(TimeDelta::MAX);
    let Some(before) = now.checked_sub_signed(kept_for) else { return Ok(()) };
    let mut deleted = 0;
    loop {
        let batch = delete(before, BATCH).await?;
        deleted += batch;
        if i64::try_from(batch).unwrap_or(i64::MAX) < BATCH {
            break;
        }
        tokio::time::sleep(PAUSE).await;
    }
    if deleted > 0 {
        tracing::info!(table, deleted, "old rows deleted");
    }
    Ok(())
}

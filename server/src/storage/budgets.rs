//! Budgets: how much of something is used up, and from when on more may be taken.
//!
//! A transaction locks the rows of all limits that it changes, and writes them ([`super::limit_rows`]): of a hundred requests at once, as
//! many reserve something as there is. A request that reserves from several limits reserves from all or from none.
//!
//! A power cut may take back what was taken in the last moments, which nobody can bring about by guessing; a process that ends
//! takes nothing back.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::{
    Store, StoreError, change,
    limit_changes::{Failure, LimitChanges, Taken, Taking, UsedUp, instant},
    limit_rows::change_limits,
    on,
    schema::rate_limits,
    transact_lightly,
};
use crate::model::BudgetKey;

/// How far the clocks of two instances may differ, in microseconds. A `free_at` that lies further ahead than this and one longest
/// pause comes from a clock that was wrong.
const CLOCKS_DIFFER: i64 = 60 * 1_000_000;

/// How many rows one transaction removes: whoever wants one of them waits for it.
const REMOVED_AT_ONCE: usize = 50;

/// The result of one step of [`Store::remove_full_budgets`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemovedBudgets {
    /// How many were removed.
    pub removed: usize,
    /// The last one that was read; `None` at the end of the table.
    pub last: Option<BudgetKey>,
}

/// Ends a hold before its time, where it is still the one that was to last until then: one statement of a transaction.
macro_rules! end_hold {
    ($conn:expr, $key:expr, $until:expr, $now:expr) => {{
        let held = rate_limits::table.find($key).filter(rate_limits::free_at.eq($until.timestamp_micros()));
        let ended = (
            rate_limits::full_at.eq($now.timestamp_micros()),
            rate_limits::free_at.eq(crate::model::AT_ONCE),
        );
        diesel::update(held).set(ended).execute($conn).await?
    }};
}

pub(super) use end_hold;

impl Store {
    /// Whether something can be taken of all of these; otherwise the one that is used up for longest.
    ///
    /// Changes nothing but what a clock that was wrong has left: a `free_at` beyond the longest pause becomes one longest pause
    /// from now. To ignore it would give an instance whose clock is behind as much as it likes.
    pub async fn find_used_up(
        &self,
        takings: &[Taking],
        now: DateTime<Utc>,
    ) -> Result<Option<UsedUp>, StoreError> {
        let keys: Vec<_> = takings.iter().map(|taking| taking.key.as_str()).collect();
        let at = now.timestamp_micros();
        let query = rate_limits::table
            .filter(rate_limits::key.eq_any(keys))
            .filter(rate_limits::free_at.gt(at))
            .select((rate_limits::key, rate_limits::free_at));
        let found: Vec<(String, i64)> = on!(self, |conn| query.load(conn).await?);
        let mut longest: Option<(i64, &Taking)> = None;
        for taking in takings {
            let Some((_, free_at)) = found.iter().find(|(key, _)| taking.key.as_str() == key) else {
                continue;
            };
            let free_at = self.clamp(taking, *free_at, at).await?;
            if longest.is_none_or(|(latest, _)| free_at > latest) {
                longest = Some((free_at, taking));
            }
        }
        Ok(longest.map(|(free_at, taking)| UsedUp { key: taking.key.clone(), until: instant(free_at) }))
    }

    /// Cuts a `free_at` that no clock which is right has written to one longest pause. Returns what it is.
    async fn clamp(&self, taking: &Taking, free_at: i64, now: i64) -> Result<i64, StoreError> {
        let longest = now + taking.budget.terms().longest;
        if free_at <= longest + CLOCKS_DIFFER {
            return Ok(free_at);
        }
        // Not where somebody else has cut it since. What is used up stays used up.
        let row = rate_limits::table.find(taking.key.as_str()).filter(rate_limits::free_at.eq(free_at));
        let cut = diesel::update(row).set(rate_limits::free_at.eq(longest));
        change!(self, |conn| cut.execute(conn).await?);
        Ok(longest)
    }

    /// Takes of all of these, or of none where one is used up.
    pub async fn take_budgets(
        &self,
        takings: &[Taking],
        now: DateTime<Utc>,
    ) -> Result<Result<Vec<Taken>, UsedUp>, StoreError> {
        let changes = LimitChanges { reserved: takings, ..LimitChanges::default() };
        let at = now.timestamp_micros();
        let took: Result<Vec<Taken>, Failure> =
            transact_lightly!(self, async |conn| Ok::<_, Failure>(change_limits!(conn, &changes, at)));
        match took {
            Ok(taken) => Ok(Ok(taken)),
            Err(Failure::Database(error)) => Err(error.into()),
            Err(Failure::UsedUp(key)) => Ok(Err(self.exhausted(takings, key, now).await?)),
        }
    }

    /// Until when the limit is exhausted that made a transaction fail, or another one of these that is exhausted for longer.
    pub(super) async fn exhausted(
        &self,
        takings: &[Taking],
        key: BudgetKey,
        now: DateTime<Utc>,
    ) -> Result<UsedUp, StoreError> {
        // Where it is back already, it was used up a moment ago.
        Ok(self.find_used_up(takings, now).await?.unwrap_or(UsedUp { key, until: now }))
    }

    /// Gives back what was not needed after all.
    pub async fn give_back_budgets(&self, taken: &[Taken]) -> Result<(), StoreError> {
        let changes = LimitChanges { released: taken, ..LimitChanges::default() };
        let released: Result<_, Failure> =
            transact_lightly!(self, async |conn| Ok::<_, Failure>(change_limits!(conn, &changes, 0)));
        match released {
            Err(Failure::Database(error)) => Err(error.into()),
            // Nothing is reserved, so that nothing can be exhausted.
            Ok(_) | Err(Failure::UsedUp(_)) => Ok(()),
        }
    }

    /// Reads up to `limit` rows in the order of their keys, those behind `after`, and removes those of which nothing is used up.
    pub async fn remove_full_budgets(
        &self,
        after: Option<&BudgetKey>,
        before: DateTime<Utc>,
        limit: i64,
    ) -> Result<RemovedBudgets, StoreError> {
        let before = before.timestamp_micros();
        let page = rate_limits::table
            .filter(rate_limits::key.gt(after.map_or("", BudgetKey::as_str)))
            .order(rate_limits::key)
            .limit(limit)
            .select((rate_limits::key, rate_limits::full_at));
        let rows: Vec<(String, i64)> = on!(self, |conn| page.load(conn).await?);
        let is_whole = i64::try_from(rows.len()).is_ok_and(|read| read == limit);
        let last = rows.last().filter(|_| is_whole).map(|(key, _)| BudgetKey::from_stored(key.clone()));
        let keys: Vec<String> =
            rows.into_iter().filter(|(_, full_at)| *full_at < before).map(|(key, _)| key).collect();
        for keys in keys.chunks(REMOVED_AT_ONCE) {
            transact_lightly!(self, async |conn| {
                // One by one, in the order in which they are taken: of two who want the same rows, one waits.
                for key in keys {
                    // Somebody may have taken some since.
                    let row = rate_limits::table.find(key).filter(rate_limits::full_at.lt(before));
                    diesel::delete(row).execute(conn).await?;
                }
                Ok::<_, diesel::result::Error>(())
            })?;
        }
        Ok(RemovedBudgets { removed: keys.len(), last })
    }
}

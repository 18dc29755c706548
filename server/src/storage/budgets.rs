//! Budgets: how much of something is used up, and from when on more may be taken.
//!
//! Taking is a guarded update, in which the database itself reckons: of a hundred who take at once, as many get something
//! as there is. Who takes of several budgets takes of all or of none.
//!
//! A power cut may take back what was taken in the last moments, which nobody can bring about by guessing; a process that ends
//! takes nothing back.

use chrono::{DateTime, Utc};
use diesel::{prelude::*, result::Error as DieselError};
use diesel_async::RunQueryDsl;

use super::{Store, StoreError, change, on, schema::rate_limits, transact_lightly};
use crate::model::{Budget, BudgetKey};

/// `free_at` where there is no pause. Not the time of the last taking: clocks differ, and whoever's is behind would wait.
pub(super) const AT_ONCE: i64 = 0;

/// How far the clocks of two instances may differ, in microseconds. A `free_at` that lies further ahead than this and one longest
/// pause comes from a clock that was wrong.
const CLOCKS_DIFFER: i64 = 60 * 1_000_000;

/// How many rows one transaction removes: whoever wants one of them waits for it.
const REMOVED_AT_ONCE: usize = 50;

/// Something to take.
#[derive(Clone, Debug)]
pub struct Taking {
    /// Whose budget of what.
    pub key: BudgetKey,
    /// How much there is of it.
    pub budget: Budget,
}

/// Something taken.
#[derive(Clone, Debug)]
pub struct Taken {
    pub(super) taking: Taking,
    /// What taking it made of `free_at`.
    pub(super) free_at: i64,
}

impl Taken {
    /// Whose budget of what.
    #[must_use]
    pub fn key(&self) -> &BudgetKey {
        &self.taking.key
    }

    /// Whether nothing is left of it now.
    #[must_use]
    pub fn used_up(&self, now: DateTime<Utc>) -> Option<UsedUp> {
        let until = instant(self.free_at);
        (until > now).then(|| UsedUp { key: self.taking.key.clone(), until })
    }
}

/// What one transaction changes of rate limits, beside what else it writes.
#[derive(Clone, Copy, Debug, Default)]
pub struct LimitChanges<'a> {
    /// Reservations that are released.
    pub released: &'a [Taken],
    /// What is reserved: all of it, or the transaction does nothing.
    pub reserved: &'a [Taking],
    /// What must not be exhausted. Nothing is taken of it.
    pub required: &'a [Taking],
}

/// One of these changes.
pub(super) enum LimitChange<'a> {
    Release(&'a Taken),
    Reserve(&'a Taking),
}

impl LimitChange<'_> {
    fn key(&self) -> &BudgetKey {
        match self {
            Self::Release(taken) => &taken.taking.key,
            Self::Reserve(taking) => &taking.key,
        }
    }
}

impl<'a> LimitChanges<'a> {
    /// In the order of their keys: of two transactions that change the same rows, one waits and none is stuck.
    pub(super) fn in_order(&self) -> Vec<LimitChange<'a>> {
        let released = self.released.iter().map(LimitChange::Release);
        let mut changes: Vec<_> = released.chain(self.reserved.iter().map(LimitChange::Reserve)).collect();
        changes.sort_by(|one, other| one.key().cmp(other.key()));
        changes
    }
}

/// Not all that was to be taken was there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsedUp {
    /// Which of them was not.
    pub key: BudgetKey,
    /// From when on it is.
    pub until: DateTime<Utc>,
}

/// The result of one step of [`Store::remove_full_budgets`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemovedBudgets {
    /// How many were removed.
    pub removed: usize,
    /// The last one that was read; `None` at the end of the table.
    pub last: Option<BudgetKey>,
}

/// Why a transaction took nothing.
pub(super) enum Failure {
    UsedUp(BudgetKey),
    Database(DieselError),
}

impl From<DieselError> for Failure {
    fn from(error: DieselError) -> Self {
        Self::Database(error)
    }
}

/// What one taking makes of its row, in microseconds.
#[derive(Clone, Copy)]
pub(super) struct Change {
    pub(super) now: i64,
    pub(super) cost: i64,
    pub(super) divisor: i64,
    /// Where nothing is used up: what becomes of it.
    pub(super) fresh: (i64, i64),
    /// The most that can be used up.
    pub(super) ceiling: (i64, i64),
    /// Up to here nobody has to pause.
    pub(super) first_pause: i64,
    /// From here on the pause is the longest.
    pub(super) longest_pause: i64,
}

impl Change {
    pub(super) fn new(budget: &Budget, now: i64) -> Self {
        let terms = budget.terms();
        let pause = ((terms.cost - terms.spare) / terms.divisor).clamp(0, terms.longest);
        let first_pause = now + terms.spare - terms.cost;
        Self {
            now,
            cost: terms.cost,
            divisor: terms.divisor,
            fresh: (now + terms.cost, if pause > 0 { now + pause } else { AT_ONCE }),
            ceiling: (now + terms.ceiling.max(terms.cost), now + terms.longest),
            first_pause,
            longest_pause: first_pause.saturating_add(terms.longest.saturating_mul(terms.divisor)),
        }
    }
}

/// Takes, and gives what `free_at` is now; nothing where it is used up. `$bar` is the latest `free_at` at which something may
/// be taken. One statement: whoever else takes at the same moment comes before it or after it.
macro_rules! take {
    ($conn:expr, $key:expr, $change:expr, $bar:expr) => {{
        let crate::storage::budgets::Change {
            now,
            cost,
            divisor,
            fresh,
            ceiling,
            first_pause,
            longest_pause,
        } = $change;
        let number = |number: i64| diesel::IntoSql::into_sql::<diesel::sql_types::BigInt>(number);
        let full_at = diesel::dsl::case_when(rate_limits::full_at.le(now), number(fresh.0))
            .when(rate_limits::full_at.ge(ceiling.0 - cost), number(ceiling.0))
            .otherwise(rate_limits::full_at + cost);
        let free_at = diesel::dsl::case_when(rate_limits::full_at.le(now), number(fresh.1))
            .when(rate_limits::full_at.le(first_pause), number(crate::storage::budgets::AT_ONCE))
            .when(rate_limits::full_at.ge(longest_pause), number(ceiling.1))
            .otherwise((rate_limits::full_at - first_pause) / divisor + now);
        let row = (
            rate_limits::key.eq($key.as_str()),
            rate_limits::full_at.eq(fresh.0),
            rate_limits::free_at.eq(fresh.1),
        );
        let upsert = diesel::insert_into(rate_limits::table)
            .values(row)
            .on_conflict(rate_limits::key)
            .do_update()
            .set((rate_limits::full_at.eq(full_at), rate_limits::free_at.eq(free_at)));
        let guarded = diesel::query_dsl::methods::FilterDsl::filter(upsert, rate_limits::free_at.le($bar));
        guarded.returning(rate_limits::free_at).get_result::<i64>($conn).await.optional()?
    }};
}

/// Releases one reservation.
macro_rules! release {
    ($conn:expr, $taken:expr) => {{
        let crate::storage::budgets::Taken { taking, free_at } = $taken;
        let terms = taking.budget.terms();
        let number = |number: i64| diesel::IntoSql::into_sql::<diesel::sql_types::BigInt>(number);
        // Nothing was taken since: then there was some before, and there is again.
        let last = rate_limits::free_at.eq(*free_at);
        let free_at = diesel::dsl::case_when(last, number(crate::storage::budgets::AT_ONCE))
            .otherwise(rate_limits::free_at - terms.cost / terms.divisor);
        diesel::update(rate_limits::table.find(taking.key.as_str()))
            .set((
                rate_limits::full_at.eq(rate_limits::full_at - terms.cost),
                rate_limits::free_at.eq(free_at),
            ))
            .execute($conn)
            .await?
    }};
}

/// Makes these changes in a transaction, which fails where something is exhausted. Gives what was reserved.
macro_rules! change_limits {
    ($conn:expr, $changes:expr, $at:expr) => {{
        use crate::storage::budgets::{Change, Failure, LimitChange, Taken};
        let (changes, at): (&crate::storage::LimitChanges<'_>, i64) = ($changes, $at);
        let mut reserved = Vec::with_capacity(changes.reserved.len());
        for change in changes.in_order() {
            match change {
                LimitChange::Release(taken) => {
                    release!($conn, taken);
                }
                LimitChange::Reserve(taking) => {
                    let free_at: Option<i64> = take!($conn, taking.key, Change::new(&taking.budget, at), at);
                    let free_at = free_at.ok_or_else(|| Failure::UsedUp(taking.key.clone()))?;
                    reserved.push(Taken { taking: taking.clone(), free_at });
                }
            }
        }
        if !changes.required.is_empty() {
            let keys = changes.required.iter().map(|taking| taking.key.as_str());
            let exhausted = rate_limits::table
                .filter(rate_limits::key.eq_any(keys))
                .filter(rate_limits::free_at.gt(at))
                .select(rate_limits::key);
            let exhausted: Vec<String> = exhausted.load($conn).await?;
            let is_exhausted =
                |taking: &&crate::storage::Taking| exhausted.iter().any(|key| key == taking.key.as_str());
            if let Some(taking) = changes.required.iter().find(is_exhausted) {
                return Err(Failure::UsedUp(taking.key.clone()).into());
            }
        }
        reserved
    }};
}

/// Takes of these although they may be used up, in a transaction: something has happened and counts.
macro_rules! charge {
    ($conn:expr, $takings:expr, $now:expr) => {{
        for taking in crate::storage::budgets::in_order($takings) {
            let change = crate::storage::budgets::Change::new(&taking.budget, $now.timestamp_micros());
            let _: Option<i64> = take!($conn, taking.key, change, i64::MAX);
        }
    }};
}

/// Ends a hold before its time, where it is still the one that was to last until then: one statement of a transaction.
macro_rules! end_hold {
    ($conn:expr, $key:expr, $until:expr, $now:expr) => {{
        let held = rate_limits::table.find($key).filter(rate_limits::free_at.eq($until.timestamp_micros()));
        let ended = (
            rate_limits::full_at.eq($now.timestamp_micros()),
            rate_limits::free_at.eq(crate::storage::budgets::AT_ONCE),
        );
        diesel::update(held).set(ended).execute($conn).await?
    }};
}

pub(super) use {change_limits, charge, end_hold, release, take};

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
        transact_lightly!(self, async |conn| {
            // In the order in which they were taken.
            for taken in taken {
                release!(conn, taken);
            }
            Ok::<_, DieselError>(())
        })
        .map_err(StoreError::from)
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
                Ok::<_, DieselError>(())
            })?;
        }
        Ok(RemovedBudgets { removed: keys.len(), last })
    }
}

/// In the order of their keys: of two who take of the same rows, one waits and none is stuck.
pub(super) fn in_order(takings: &[Taking]) -> Vec<&Taking> {
    let mut ordered: Vec<_> = takings.iter().collect();
    ordered.sort_by(|one, other| one.key.cmp(&other.key));
    ordered
}

fn instant(microseconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(microseconds).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

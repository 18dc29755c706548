//! The rows of rate limits that one transaction changes: read together, calculated here, and written together.
//!
//! The rows are locked before they are read, in the order of their keys: of two transactions that change the same rows, one waits and
//! none is stuck. A row that does not exist cannot be locked: where a concurrent transaction creates it first, this one runs again.

use std::collections::{BTreeMap, BTreeSet};

use diesel::{
    QueryResult,
    backend::Backend,
    query_builder::{AstPass, QueryFragment, QueryId},
    result::{DatabaseErrorKind, Error as DieselError},
    serialize::ToSql,
    sql_types::{BigInt, Text},
};

use super::limit_changes::{Failure, LimitChanges, Taken, Taking};
use crate::model::{AT_ONCE, BudgetKey, BudgetState};

/// A row of `rate_limits`: its key, `full_at` and `free_at`.
pub(super) type LimitRow = (String, i64, i64);

/// The rows that a transaction has locked, and what it makes of them.
pub(super) struct LimitRows {
    found: BTreeMap<String, BudgetState>,
    changed: BTreeMap<String, BudgetState>,
}

impl LimitChanges<'_> {
    /// The keys of the rows that are changed, in their order.
    pub(super) fn keys(&self) -> BTreeSet<&str> {
        let released = self.released.iter().map(|taken| &taken.taking.key);
        released.chain(self.reserved.iter().map(|taking| &taking.key)).map(BudgetKey::as_str).collect()
    }

    /// The keys of the rows that are only read.
    pub(super) fn required_keys(&self) -> impl Iterator<Item = &str> {
        self.required.iter().map(|taking| taking.key.as_str())
    }
}

impl LimitRows {
    pub(super) fn new(found: Vec<LimitRow>) -> Self {
        let state = |(key, full_at, free_at)| (key, BudgetState { full_at, free_at });
        Self { found: found.into_iter().map(state).collect(), changed: BTreeMap::new() }
    }

    fn state(&self, key: &BudgetKey) -> Option<BudgetState> {
        self.changed.get(key.as_str()).or_else(|| self.found.get(key.as_str())).copied()
    }

    /// Makes these changes at an instant, in microseconds. Returns what was reserved, or the limit that is exhausted. What is required
    /// is checked elsewhere.
    pub(super) fn apply(&mut self, changes: &LimitChanges<'_>, at: i64) -> Result<Vec<Taken>, Failure> {
        for Taken { taking, free_at } in changes.released {
            // A row that was removed limits nothing.
            if let Some(state) = self.state(&taking.key) {
                self.change(&taking.key, taking.budget.release(state, *free_at));
            }
        }
        let mut reserved = Vec::with_capacity(changes.reserved.len());
        for taking in changes.reserved {
            if self.state(&taking.key).is_some_and(|state| state.free_at > at) {
                return Err(Failure::UsedUp(taking.key.clone()));
            }
            reserved.push(self.take(taking, at));
        }
        Ok(reserved)
    }

    /// Takes of a limit, even if it is exhausted.
    pub(super) fn take(&mut self, taking: &Taking, at: i64) -> Taken {
        let state = self.state(&taking.key).unwrap_or(BudgetState { full_at: 0, free_at: AT_ONCE });
        let state = taking.budget.take(state, at);
        self.change(&taking.key, state);
        Taken { taking: taking.clone(), free_at: state.free_at }
    }

    fn change(&mut self, key: &BudgetKey, state: BudgetState) {
        self.changed.insert(key.as_str().to_owned(), state);
    }

    /// The rows to write: those to create (`true`), then those to change (`false`). None of both is empty.
    pub(super) fn writes(&self) -> impl Iterator<Item = WriteRows> {
        let rows = move |are_new| {
            let rows = self.changed.iter().filter(move |(key, _)| self.found.contains_key(*key) != are_new);
            WriteRows { rows: rows.map(|(key, state)| (key.clone(), *state)).collect(), are_new }
        };
        [true, false].into_iter().map(rows).filter(|write| !write.rows.is_empty())
    }
}

/// A statement that creates rows of `rate_limits`, or changes rows that are locked.
#[derive(Debug)]
pub(super) struct WriteRows {
    rows: Vec<(String, BudgetState)>,
    are_new: bool,
}

impl WriteRows {
    /// Fails where a concurrent transaction has created a row that was to be created: this one has to run again.
    pub(super) fn check(&self, written: usize) -> QueryResult<()> {
        if written == self.rows.len() {
            return Ok(());
        }
        let message = "a concurrent transaction has created the same rate limit".to_owned();
        Err(DieselError::DatabaseError(DatabaseErrorKind::SerializationFailure, Box::new(message)))
    }
}

impl<DB> QueryFragment<DB> for WriteRows
where
    DB: Backend,
    str: ToSql<Text, DB>,
    i64: ToSql<BigInt, DB>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        out.push_sql("INSERT INTO ");
        out.push_identifier("rate_limits")?;
        out.push_sql(" (key, full_at, free_at) VALUES ");
        for (number, (key, state)) in self.rows.iter().enumerate() {
            out.push_sql(if number == 0 { "(" } else { ", (" });
            out.push_bind_param::<Text, str>(key)?;
            out.push_sql(", ");
            out.push_bind_param::<BigInt, i64>(&state.full_at)?;
            out.push_sql(", ");
            out.push_bind_param::<BigInt, i64>(&state.free_at)?;
            out.push_sql(")");
        }
        out.push_sql(" ON CONFLICT (key) ");
        out.push_sql(if self.are_new {
            "DO NOTHING"
        } else {
            "DO UPDATE SET full_at = excluded.full_at, free_at = excluded.free_at"
        });
        Ok(())
    }
}

/// Statements with as many rows are the same text, by which they are found.
impl QueryId for WriteRows {
    type QueryId = ();

    const HAS_STATIC_QUERY_ID: bool = false;
}

/// Locks and reads the rows with these keys until the end of the transaction.
macro_rules! lock_limits {
    ($conn:expr, $changes:expr) => {{
        let keys = $changes.keys();
        let rows = if keys.is_empty() {
            Vec::new()
        } else {
            let rows = rate_limits::table
                .filter(rate_limits::key.eq_any(keys))
                .order(rate_limits::key)
                .select((rate_limits::key, rate_limits::full_at, rate_limits::free_at));
            crate::storage::locked::ForUpdate(rows).load($conn).await?
        };
        crate::storage::limit_rows::LimitRows::new(rows)
    }};
}

/// Writes what a transaction made of the rows that it has locked.
macro_rules! write_limits {
    ($conn:expr, $rows:expr) => {
        for write in $rows.writes() {
            write.check(diesel_async::RunQueryDsl::execute(&write, $conn).await?)?;
        }
    };
}

/// Makes these changes in a transaction, which fails where something is exhausted. Gives what was reserved. What is only required is not
/// locked: where an approval is settled, such rows come after the push slot.
macro_rules! change_limits {
    ($conn:expr, $changes:expr, $at:expr) => {{
        if !$changes.required.is_empty() {
            let exhausted = rate_limits::table
                .filter(rate_limits::key.eq_any($changes.required_keys()))
                .filter(rate_limits::free_at.gt($at))
                .select(rate_limits::key);
            if let Some(key) = exhausted.load::<String>($conn).await?.pop() {
                return Err(crate::storage::limit_changes::Failure::UsedUp(
                    crate::model::BudgetKey::from_stored(key),
                )
                .into());
            }
        }
        let mut rows = crate::storage::limit_rows::lock_limits!($conn, $changes);
        let reserved = rows.apply($changes, $at)?;
        crate::storage::limit_rows::write_limits!($conn, rows);
        reserved
    }};
}

/// Takes of these limits in a transaction although they may be exhausted: something has happened and counts.
macro_rules! charge {
    ($conn:expr, $takings:expr, $at:expr) => {{
        let changes = crate::storage::LimitChanges { reserved: $takings, ..Default::default() };
        let mut rows = crate::storage::limit_rows::lock_limits!($conn, changes);
        for taking in changes.reserved {
            rows.take(taking, $at.timestamp_micros());
        }
        crate::storage::limit_rows::write_limits!($conn, rows);
    }};
}

pub(super) use {change_limits, charge, lock_limits, write_limits};

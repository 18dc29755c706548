//! What a transaction changes of rate limits, and why it changes nothing.

use chrono::{DateTime, Utc};
use diesel::result::Error as DieselError;

use crate::model::{Budget, BudgetKey};

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

/// Not all that was to be taken was there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsedUp {
    /// Which of them was not.
    pub key: BudgetKey,
    /// From when on it is.
    pub until: DateTime<Utc>,
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

/// An instant of a row, which has microseconds since 1970.
pub(super) fn instant(microseconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(microseconds).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

//! Transactions that PostgreSQL rolled back because of concurrent ones: a deadlock (SQLSTATE 40P01) or a conflict (40001).
//!
//! At the isolation level that each session sets there are no conflicts. A pooler or a proxy may set another one.

use diesel::result::{DatabaseErrorKind, Error as DieselError};

use super::{StoreError, approvals::InsertFailure, confirmations::ConfirmedFailure, limit_changes};

/// How often one transaction is run at most.
pub(in crate::storage) const ATTEMPTS: u32 = 5;

/// What a transaction may fail with.
pub(in crate::storage) trait Failure {
    /// What the database said, if it was the database.
    fn of_database(&self) -> Option<&DieselError>;
}

impl Failure for DieselError {
    fn of_database(&self) -> Option<&DieselError> {
        Some(self)
    }
}

impl Failure for limit_changes::Failure {
    fn of_database(&self) -> Option<&DieselError> {
        match self {
            Self::Database(error) => Some(error),
            Self::UsedUp(_) => None,
        }
    }
}

impl Failure for InsertFailure {
    fn of_database(&self) -> Option<&DieselError> {
        match self {
            Self::Limit(failure) => failure.of_database(),
            Self::NumberTaken => None,
        }
    }
}

impl Failure for ConfirmedFailure {
    fn of_database(&self) -> Option<&DieselError> {
        match self {
            Self::Database(error) => Some(error),
            Self::Store(error) => error.of_database(),
            Self::NotConfirmed => None,
        }
    }
}

impl Failure for StoreError {
    fn of_database(&self) -> Option<&DieselError> {
        match self {
            Self::Query(_, error) => Some(error),
            Self::WentAway(_, unavailable) => unavailable.marked().downcast_ref(),
            _ => None,
        }
    }
}

/// Whether a transaction was taken back because of others, and may succeed when it is run again.
pub(in crate::storage) fn is_conflict<Done>(done: &Result<Done, impl Failure>) -> bool {
    fn is_conflict(error: &DieselError) -> bool {
        match error {
            DieselError::DatabaseError(DatabaseErrorKind::SerializationFailure, _) => true,
            // Code 40P01, which diesel does not keep.
            DieselError::DatabaseError(DatabaseErrorKind::Unknown, told) => {
                told.message() == "deadlock detected"
            }
            DieselError::RollbackErrorOnCommit { commit_error, .. } => is_conflict(commit_error),
            _ => false,
        }
    }
    done.as_ref().err().and_then(Failure::of_database).is_some_and(is_conflict)
}

//! Durable changes that are committed together: those that wait for the connection at the same moment share one wait for the disk.
//!
//! Each change is told its own result, and only after the commit.

use std::sync::{Mutex, PoisonError};

use diesel::{
    QueryResult,
    result::{DatabaseErrorKind, Error as DieselError},
};
use tokio::sync::oneshot;

use super::{
    Sqlite,
    connection::{Commit, Connection, Writing},
};
use crate::storage::{StoreError, counts::waited};

/// Runs a change in an open transaction. Returns what tells its caller once that is committed.
type Change = Box<dyn FnOnce(&mut Connection<Writing>) -> Report + Send>;
type Report = Box<dyn FnOnce() + Send>;

/// The changes that wait.
#[derive(Default)]
pub(super) struct Together(Mutex<Vec<Change>>);

impl Together {
    fn add(&self, change: Change) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(change);
    }

    fn take(&self) -> Vec<Change> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Sqlite {
    /// Runs one change, in one transaction with all that wait like it. A change that fails does not stop the others.
    pub(in crate::storage) async fn change_together<Done: Send + 'static>(
        &self,
        change: impl FnOnce(&mut Connection<Writing>) -> QueryResult<Done> + Send + 'static,
    ) -> Result<Done, StoreError> {
        let (tell, told) = oneshot::channel();
        self.together.add(Box::new(move |connection| {
            // A caller that is gone has changed nothing.
            let done = (!tell.is_closed()).then(|| change(connection));
            Box::new(move || drop(done.map(|done| tell.send(done))))
        }));
        let mut connection = waited(self.get_to_transact()).await?;
        let changes = self.together.take();
        // Empty: the connection was waited for behind a caller that took this change with its own.
        if !changes.is_empty() {
            let run = async |connection: &mut Connection<Writing>| {
                Ok::<_, DieselError>(changes.into_iter().map(|change| change(connection)).collect::<Vec<_>>())
            };
            for report in self.transact(Commit::Durable, &mut connection, run)? {
                report();
            }
        }
        drop(connection);
        Ok(told.await.unwrap_or_else(|_| Err(not_committed()))?)
    }
}

/// What is told to those whose commit failed under another caller, which has the error itself.
fn not_committed() -> DieselError {
    let message = "a commit of several changes failed".to_owned();
    DieselError::DatabaseError(DatabaseErrorKind::Unknown, Box::new(message))
}

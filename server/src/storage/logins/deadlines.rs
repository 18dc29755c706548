//! Deadlines: which logins are overdue, and which tokens are to be forgotten.

use chrono::{DateTime, Utc};
use diesel::{dsl::min, prelude::*};
use diesel_async::RunQueryDsl;

use super::{OPEN, pushes::OpenLoginRow};
use crate::storage::{OpenLogin, Store, StoreError, columns::At, on, schema::logins};

impl Store {
    /// Open logins whose deadline has passed, the oldest first.
    pub async fn overdue_logins(&self, now: DateTime<Utc>, limit: i64) -> Result<Vec<OpenLogin>, StoreError> {
        let query = logins::table
            .filter(logins::settled_at.is_null())
            .filter(logins::expires_at.le(At(now)))
            .order(logins::expires_at)
            .limit(limit);
        let found: Vec<OpenLoginRow> =
            on!(self, |conn| query.select(OpenLoginRow::as_select()).load(conn).await?);
        found.into_iter().map(TryInto::try_into).collect()
    }

    /// The next deadline of an open login; `None`: there is none.
    pub async fn next_deadline(&self) -> Result<Option<DateTime<Utc>>, StoreError> {
        let query = logins::table.filter(logins::settled_at.is_null()).select(min(logins::expires_at));
        let next: Option<At> = on!(self, |conn| query.get_result(conn).await?);
        Ok(next.map(|at| at.0))
    }

    /// Erases the salts of logins that are over and whose token is not known any longer. Returns how many.
    pub async fn erase_salts(&self, now: DateTime<Utc>) -> Result<usize, StoreError> {
        let spent = logins::table
            .filter(logins::session_salt.is_not_null())
            .filter(logins::readable_until.le(At(now)))
            .filter(logins::state.ne_all(OPEN));
        let update = diesel::update(spent).set(logins::session_salt.eq(None::<String>));
        Ok(on!(self, |conn| update.execute(conn).await?))
    }
}

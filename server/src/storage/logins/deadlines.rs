//! Deadlines: which logins are overdue, and which tokens are to be forgotten.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::{dsl::min, prelude::*};
use diesel_async::RunQueryDsl;

use super::OPEN;
use crate::{
    model::LoginId,
    storage::{
        Store, StoreError, change,
        columns::{At, read},
        on,
        schema::logins,
    },
};

/// Which overdue logins to claim.
#[derive(Clone, Copy, Debug)]
pub struct OverdueClaim {
    /// Now.
    pub now: DateTime<Utc>,
    /// Logins whose deadline was before this have waited long enough for the provider to say how their push stands. `None`:
    /// none has, since nobody could ask.
    pub unheard_before: Option<DateTime<Utc>>,
    /// When the claimed logins are anybody's again, should they not have ended by then.
    pub leased_until: DateTime<Utc>,
    /// How many at most.
    pub limit: i64,
}

impl Store {
    /// Claims open logins to be ended, the oldest first: those past their deadline with no push to be asked about, and
    /// those that have waited long enough.
    pub async fn claim_overdue(&self, claim: &OverdueClaim) -> Result<Vec<LoginId>, StoreError> {
        let unasked = logins::table
            .filter(logins::settled_at.is_null())
            .filter(logins::ask_at.is_null())
            .filter(logins::expires_at.le(At(claim.now)))
            .order(logins::expires_at)
            .limit(claim.limit)
            .select(logins::id);
        let mut ids: Vec<String> = on!(self, |conn| unasked.load(conn).await?);
        if let Some(before) = claim.unheard_before {
            let unheard = logins::table
                .filter(logins::settled_at.is_null())
                .filter(logins::ask_at.le(At(claim.now)))
                .filter(logins::expires_at.le(At(before)))
                .order(logins::expires_at)
                .limit(claim.limit)
                .select(logins::id);
            ids.extend::<Vec<String>>(on!(self, |conn| unheard.load(conn).await?));
        }
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        // Guarded by the same again: another instance may have been faster.
        let unclaimed = logins::table
            .filter(logins::id.eq_any(&ids))
            .filter(logins::settled_at.is_null())
            .filter(logins::ask_at.is_null().or(logins::ask_at.le(At(claim.now))));
        let lease = diesel::update(unclaimed)
            .set(logins::ask_at.eq(Some(At(claim.leased_until))))
            .returning(logins::id);
        let claimed: Vec<String> = change!(self, |conn| lease.load(conn).await?);
        claimed.iter().map(|id| read(LoginId::parse(id), "logins", "id")).collect()
    }

    /// When the next login is to be ended by [`Store::claim_overdue`]; `None`: there is none. May have passed, while
    /// somebody is at it.
    pub async fn next_deadline(&self, grace: TimeDelta) -> Result<Option<DateTime<Utc>>, StoreError> {
        let unasked = logins::table
            .filter(logins::settled_at.is_null())
            .filter(logins::ask_at.is_null())
            .select(min(logins::expires_at));
        let unasked: Option<At> = on!(self, |conn| unasked.get_result(conn).await?);
        let any = logins::table.filter(logins::settled_at.is_null()).select(min(logins::expires_at));
        let any: Option<At> = on!(self, |conn| any.get_result(conn).await?);
        Ok([unasked.map(|at| at.0), any.map(|at| at.0 + grace)].into_iter().flatten().min())
    }

    /// Lets logins alone that are over, whose phone was to be heard until their deadline, and which have waited long enough
    /// since. Returns how many.
    pub async fn stop_asking(
        &self,
        now: DateTime<Utc>,
        unheard_before: DateTime<Utc>,
        limit: i64,
    ) -> Result<usize, StoreError> {
        let over = logins::table
            .filter(logins::ask_at.le(At(now)))
            .filter(logins::settled_at.is_not_null())
            .filter(logins::expires_at.le(At(unheard_before)))
            .order(logins::ask_at)
            .limit(limit)
            .select(logins::id);
        let ids: Vec<String> = on!(self, |conn| over.load(conn).await?);
        let waiting = logins::table.filter(logins::id.eq_any(&ids)).filter(logins::settled_at.is_not_null());
        let update = diesel::update(waiting).set(logins::ask_at.eq(None::<At>));
        Ok(if ids.is_empty() { 0 } else { change!(self, |conn| update.execute(conn).await?) })
    }

    /// Erases the salts of logins that are over and whose token is not known any longer. Returns how many.
    pub async fn erase_salts(&self, now: DateTime<Utc>, limit: i64) -> Result<usize, StoreError> {
        let spent = logins::table
            .filter(logins::session_salt.is_not_null())
            .filter(logins::readable_until.le(At(now)))
            .filter(logins::state.ne_all(OPEN))
            .limit(limit)
            .select(logins::id);
        let ids: Vec<String> = on!(self, |conn| spent.load(conn).await?);
        let update = diesel::update(logins::table.filter(logins::id.eq_any(&ids)))
            .set(logins::session_salt.eq(None::<String>));
        Ok(if ids.is_empty() { 0 } else { change!(self, |conn| update.execute(conn).await?) })
    }

    /// Removes logins that ended before then; the sessions that they opened stay. Returns how many.
    pub async fn remove_logins(&self, before: DateTime<Utc>, limit: i64) -> Result<usize, StoreError> {
        let old = logins::table
            .filter(logins::settled_at.lt(At(before)))
            .order(logins::settled_at)
            .limit(limit)
            .select(logins::id);
        let ids: Vec<String> = on!(self, |conn| old.load(conn).await?);
        let delete = diesel::delete(logins::table.filter(logins::id.eq_any(&ids)));
        Ok(if ids.is_empty() { 0 } else { change!(self, |conn| delete.execute(conn).await?) })
    }
}

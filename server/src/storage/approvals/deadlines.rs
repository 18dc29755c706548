//! Deadlines: which logins are overdue, and which tokens are to be forgotten.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::{dsl::min, prelude::*};
use diesel_async::RunQueryDsl;

use crate::{
    model::ApprovalId,
    storage::{
        Store, StoreError, change,
        columns::{At, read},
        on,
        schema::{approvals, session_grants},
        transact,
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
    pub async fn claim_overdue(&self, claim: &OverdueClaim) -> Result<Vec<ApprovalId>, StoreError> {
        let unasked = approvals::table
            .filter(approvals::settled_at.is_null())
            .filter(approvals::next_poll_at.is_null())
            .filter(approvals::expires_at.le(At(claim.now)))
            .order(approvals::expires_at)
            .limit(claim.limit)
            .select(approvals::id);
        let mut ids: Vec<String> = on!(self, |conn| unasked.load(conn).await?);
        if let Some(before) = claim.unheard_before {
            let unheard = approvals::table
                .filter(approvals::settled_at.is_null())
                .filter(approvals::next_poll_at.le(At(claim.now)))
                .filter(approvals::expires_at.le(At(before)))
                .order(approvals::expires_at)
                .limit(claim.limit)
                .select(approvals::id);
            ids.extend::<Vec<String>>(on!(self, |conn| unheard.load(conn).await?));
        }
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        // Guarded by the same again: another instance may have been faster.
        let unclaimed = approvals::table
            .filter(approvals::id.eq_any(&ids))
            .filter(approvals::settled_at.is_null())
            .filter(approvals::next_poll_at.is_null().or(approvals::next_poll_at.le(At(claim.now))));
        let lease = diesel::update(unclaimed)
            .set(approvals::next_poll_at.eq(Some(At(claim.leased_until))))
            .returning(approvals::id);
        let claimed: Vec<String> = change!(self, |conn| lease.load(conn).await?);
        claimed.iter().map(|id| read(ApprovalId::parse(id), "approvals", "id")).collect()
    }

    /// When the next login is to be ended by [`Store::claim_overdue`]; `None`: there is none. May have passed, while
    /// somebody is at it.
    pub async fn next_deadline(&self, grace: TimeDelta) -> Result<Option<DateTime<Utc>>, StoreError> {
        let unasked = approvals::table
            .filter(approvals::settled_at.is_null())
            .filter(approvals::next_poll_at.is_null())
            .select(min(approvals::expires_at));
        let unasked: Option<At> = on!(self, |conn| unasked.get_result(conn).await?);
        let any = approvals::table.filter(approvals::settled_at.is_null()).select(min(approvals::expires_at));
        let any: Option<At> = on!(self, |conn| any.get_result(conn).await?);
        Ok([unasked.map(|at| at.0), any.map(|at| at.0 + grace)].into_iter().flatten().min())
    }

    /// Ends the polling of a provider's pushes whose approval is settled, and whose deadline passed long enough ago. Returns how many.
    pub async fn stop_polling(
        &self,
        provider: &str,
        now: DateTime<Utc>,
        unheard_before: DateTime<Utc>,
        limit: i64,
    ) -> Result<usize, StoreError> {
        let over = approvals::table
            .filter(approvals::push_provider.eq(provider))
            .filter(approvals::next_poll_at.le(At(now)))
            .filter(approvals::settled_at.is_not_null())
            .filter(approvals::expires_at.le(At(unheard_before)))
            .order(approvals::next_poll_at)
            .limit(limit)
            .select(approvals::id);
        let ids: Vec<String> = on!(self, |conn| over.load(conn).await?);
        let waiting =
            approvals::table.filter(approvals::id.eq_any(&ids)).filter(approvals::settled_at.is_not_null());
        let update = diesel::update(waiting).set(approvals::next_poll_at.eq(None::<At>));
        Ok(if ids.is_empty() { 0 } else { change!(self, |conn| update.execute(conn).await?) })
    }

    /// Forgets the login tokens that are not to be known any longer, and deletes what derives their sessions. Returns how many.
    pub async fn forget_login_tokens(&self, now: DateTime<Utc>, limit: i64) -> Result<usize, StoreError> {
        let due = approvals::table
            .filter(approvals::readable_until.le(Some(At(now))))
            .order(approvals::readable_until)
            .limit(limit)
            .select(approvals::id);
        let ids: Vec<String> = on!(self, |conn| due.load(conn).await?);
        if ids.is_empty() {
            return Ok(0);
        }
        transact!(self, async |conn| {
            let forget = diesel::update(approvals::table.filter(approvals::id.eq_any(&ids)))
                .set(approvals::readable_until.eq(None::<At>));
            let forgotten = forget.execute(conn).await?;
            let of_them = session_grants::table.filter(session_grants::approval_id.eq_any(&ids));
            diesel::delete(of_them).execute(conn).await?;
            Ok::<_, StoreError>(forgotten)
        })
    }

    /// Removes logins that ended before then; the sessions that they opened stay. Returns how many.
    pub async fn remove_approvals(&self, before: DateTime<Utc>, limit: i64) -> Result<usize, StoreError> {
        let old = approvals::table
            .filter(approvals::settled_at.lt(At(before)))
            .order(approvals::settled_at)
            .limit(limit)
            .select(approvals::id);
        let ids: Vec<String> = on!(self, |conn| old.load(conn).await?);
        let delete = diesel::delete(approvals::table.filter(approvals::id.eq_any(&ids)));
        Ok(if ids.is_empty() { 0 } else { change!(self, |conn| delete.execute(conn).await?) })
    }
}

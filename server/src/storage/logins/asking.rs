//! Which pushes the provider is asked about, when, and by whom.
//!
//! Instances share one pace, kept as a turn: a claim takes as many of its slots as there are pushes due, and leases those
//! pushes. A claimer that dies loses nothing: what it leased is due again when the lease runs out. Nor does a power cut that
//! takes a claim back: what it was to ask about is asked about again.

use std::collections::HashSet;

use chrono::{DateTime, TimeDelta, Utc};
use diesel::{dsl::min, prelude::*};
use diesel_async::RunQueryDsl;

use crate::{
    model::{ApprovalRequestId, LoginId, Phone},
    storage::{
        Store, StoreError, change,
        columns::{At, read},
        find, on,
        schema::{logins, turns},
        transact_lightly,
    },
};

/// A login whose push is to be asked about.
#[derive(Clone, Debug)]
pub struct DueLogin {
    /// Which.
    pub id: LoginId,
    /// The phone that it waits for.
    pub phone: Phone,
    /// The network that started it; `None` if unknown.
    pub network: Option<String>,
    /// Its push, where the phone can still answer one.
    pub open_push: Option<ApprovalRequestId>,
    /// How often the provider has been asked about it before.
    pub asks: i32,
    /// Since when it has been due.
    pub due_at: DateTime<Utc>,
    /// When it is due again, should nobody say otherwise.
    pub leased_until: DateTime<Utc>,
    /// Its deadline.
    pub expires_at: DateTime<Utc>,
    /// Whether it is over, and the phone is heard only to object to a code.
    pub is_settled: bool,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = logins)]
struct DueLoginRow {
    id: String,
    phone: String,
    network: Option<String>,
    approval_request_id: Option<String>,
    verdict: Option<String>,
    asks: i32,
    ask_at: Option<At>,
    expires_at: At,
    settled_at: Option<At>,
}

impl DueLoginRow {
    fn leased(self, leased_until: DateTime<Utc>) -> Result<DueLogin, StoreError> {
        Ok(DueLogin {
            leased_until,
            id: read(LoginId::parse(&self.id), "logins", "id")?,
            phone: read(Phone::from_e164(&self.phone), "logins", "phone")?,
            network: self.network,
            open_push: self
                .approval_request_id
                .filter(|_| self.verdict.is_none())
                .map(ApprovalRequestId::new),
            asks: self.asks,
            due_at: read(self.ask_at, "logins", "ask_at")?.0,
            expires_at: self.expires_at.0,
            is_settled: self.settled_at.is_some(),
        })
    }
}

/// What to claim.
#[derive(Clone, Copy, Debug)]
pub struct AskingClaim<'a> {
    /// The turn that keeps the pace.
    pub turn: &'a str,
    /// Now.
    pub now: DateTime<Utc>,
    /// Slots from here on are left for others.
    pub until: DateTime<Utc>,
    /// A pace whose next slot is later than this was set by a clock that is wrong, and begins anew.
    pub farthest: DateTime<Utc>,
    /// When the claimed logins are due again, should nobody say otherwise.
    pub leased_until: DateTime<Utc>,
    /// How many at most.
    pub limit: usize,
}

/// What was claimed.
#[derive(Debug)]
pub struct ClaimedAskings {
    /// The logins, and when each is to be asked about.
    pub logins: Vec<(DueLogin, DateTime<Utc>)>,
    /// The first slot that is free now.
    pub next_slot: DateTime<Utc>,
    /// From one slot to the next.
    pub interval: TimeDelta,
}

impl Store {
    /// Claims logins whose push is to be asked about, longest due first, and a slot for each.
    pub async fn claim_askings(&self, claim: &AskingClaim<'_>) -> Result<ClaimedAskings, StoreError> {
        transact_lightly!(self, async |conn| {
            // A write, although nothing changes: it takes the pace, and with it all due pushes, until the commit.
            let pace = diesel::update(turns::table.find(claim.turn))
                .set(turns::next_at.eq(turns::next_at))
                .returning((turns::next_at, turns::interval_milliseconds));
            let (next_at, interval): (At, i32) = pace.get_result(conn).await?;
            let interval = TimeDelta::milliseconds(interval.into());
            let first_slot = if next_at.0 > claim.farthest { claim.now } else { next_at.0.max(claim.now) };
            let slots: Vec<_> = slots(first_slot, interval, claim).collect();
            let limit = i64::try_from(slots.len()).unwrap_or(i64::MAX);
            let due: Vec<DueLoginRow> = logins::table
                .filter(logins::ask_at.le(At(claim.now)))
                .order(logins::ask_at)
                .limit(limit)
                .select(DueLoginRow::as_select())
                .load(conn)
                .await?;
            let ids: Vec<String> = due.iter().map(|row| row.id.clone()).collect();
            // Guarded: a login may be settled between the two, and is not to be asked about then.
            let still_due =
                logins::table.filter(logins::id.eq_any(&ids)).filter(logins::ask_at.le(At(claim.now)));
            let lease = diesel::update(still_due)
                .set((logins::asks.eq(logins::asks + 1), logins::ask_at.eq(Some(At(claim.leased_until)))))
                .returning(logins::id);
            let leased: HashSet<String> = lease.load(conn).await?.into_iter().collect();
            let mut claimed = Vec::with_capacity(leased.len());
            for (row, slot) in due.into_iter().filter(|row| leased.contains(&row.id)).zip(slots) {
                claimed.push((row.leased(claim.leased_until)?, slot));
            }
            let taken = i32::try_from(claimed.len()).unwrap_or(i32::MAX);
            let next_slot = first_slot + interval * taken;
            diesel::update(turns::table.find(claim.turn))
                .set(turns::next_at.eq(At(next_slot)))
                .execute(conn)
                .await?;
            Ok(ClaimedAskings { logins: claimed, next_slot, interval })
        })
    }

    /// Says when a claimed push is to be asked about next; `None`: never again. Nothing happens where the phone has
    /// answered meanwhile, or the login has ended.
    pub async fn plan_asking(&self, id: LoginId, next: Option<DateTime<Utc>>) -> Result<(), StoreError> {
        let waiting = logins::table
            .find(id.to_string())
            .filter(logins::ask_at.is_not_null())
            .filter(logins::verdict.is_null());
        let update = diesel::update(waiting).set(logins::ask_at.eq(next.map(At)));
        transact_lightly!(self, async |conn| update.clone().execute(conn).await.map(|_| ()))
            .map_err(StoreError::from)
    }

    /// Has open pushes asked about now, those that would be soonest first: after a restart, any of them may have been
    /// answered unheard. Returns how many.
    pub async fn ask_about_open_pushes(&self, now: DateTime<Utc>, limit: i64) -> Result<usize, StoreError> {
        let soonest = logins::table
            .filter(logins::ask_at.gt(At(now)))
            // Past the deadline others may be at it, and soon ask again.
            .filter(logins::expires_at.gt(At(now)))
            .order(logins::ask_at)
            .limit(limit)
            .select(logins::id);
        let ids: Vec<String> = on!(self, |conn| soonest.load(conn).await?);
        let waiting = logins::table.filter(logins::id.eq_any(&ids)).filter(logins::ask_at.is_not_null());
        let update = diesel::update(waiting).set(logins::ask_at.eq(Some(At(now))));
        Ok(change!(self, |conn| update.execute(conn).await?))
    }

    /// When the next push is to be asked about; `None`: there is none.
    pub async fn next_asking(&self) -> Result<Option<DateTime<Utc>>, StoreError> {
        let query = logins::table.filter(logins::ask_at.is_not_null()).select(min(logins::ask_at));
        let next: Option<Option<At>> = find!(self, query);
        Ok(next.flatten().map(|at| at.0))
    }
}

/// The slots that a claim may take.
fn slots(
    first: DateTime<Utc>,
    interval: TimeDelta,
    claim: &AskingClaim<'_>,
) -> impl Iterator<Item = DateTime<Utc>> + use<> {
    let until = claim.until;
    std::iter::successors(Some(first), move |slot| Some(*slot + interval))
        .take_while(move |slot| *slot < until)
        .take(claim.limit)
}

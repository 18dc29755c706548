//! Which pushes are polled, when, and by which instance.
//!
//! Each provider is polled at its own pace, which instances share and keep as a lease: a claim takes as many of its slots as there are pushes due, and leases those
//! pushes. A claimer that dies loses nothing: what it leased is due again when the lease runs out. Nor does a power cut that
//! takes a claim back: what it was to ask about is asked about again.

use std::collections::HashSet;

use chrono::{DateTime, TimeDelta, Utc};
use diesel::{dsl::min, prelude::*};
use diesel_async::RunQueryDsl;

use crate::{
    model::{ApprovalId, Phone, PushHandle},
    storage::{
        Store, StoreError, change,
        columns::{At, read},
        find, on,
        schema::{approvals, leases},
        transact_lightly,
    },
};

/// A login whose push is to be asked about.
#[derive(Clone, Debug)]
pub struct DuePush {
    /// Which.
    pub id: ApprovalId,
    /// The phone that it waits for.
    pub phone: Phone,
    /// The network that started it; `None` if unknown.
    pub network: Option<String>,
    /// Its push, where the phone can still answer one.
    pub open_push: Option<PushHandle>,
    /// How often the provider has been asked about it before.
    pub poll_count: i32,
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
#[diesel(table_name = approvals)]
struct DuePushRow {
    id: String,
    phone: String,
    network: Option<String>,
    push_handle: Option<String>,
    verdict: Option<String>,
    poll_count: i32,
    next_poll_at: Option<At>,
    expires_at: At,
    settled_at: Option<At>,
}

impl DuePushRow {
    fn leased(self, leased_until: DateTime<Utc>) -> Result<DuePush, StoreError> {
        Ok(DuePush {
            leased_until,
            id: read(ApprovalId::parse(&self.id), "approvals", "id")?,
            phone: read(Phone::from_e164(&self.phone), "approvals", "phone")?,
            network: self.network,
            open_push: self.push_handle.filter(|_| self.verdict.is_none()).map(PushHandle::new),
            poll_count: self.poll_count,
            due_at: read(self.next_poll_at, "approvals", "next_poll_at")?.0,
            expires_at: self.expires_at.0,
            is_settled: self.settled_at.is_some(),
        })
    }
}

/// What to claim.
#[derive(Clone, Copy, Debug)]
pub struct PollClaim<'a> {
    /// The provider to poll.
    pub provider: &'a str,
    /// The lease that keeps its pace.
    pub lease: &'a str,
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
pub struct ClaimedPolls {
    /// The approvals, and when each is to be asked about.
    pub pushes: Vec<(DuePush, DateTime<Utc>)>,
    /// The first slot that is free now.
    pub next_slot: DateTime<Utc>,
    /// From one slot to the next.
    pub interval: TimeDelta,
}

impl Store {
    /// Claims logins whose push is to be asked about, longest due first, and a slot for each.
    pub async fn claim_polls(&self, claim: &PollClaim<'_>) -> Result<ClaimedPolls, StoreError> {
        transact_lightly!(self, async |conn| {
            // A write, although nothing changes: it takes the pace, and with it all due pushes, until the commit.
            let pace = diesel::update(leases::table.find(claim.lease))
                .set(leases::next_at.eq(leases::next_at))
                .returning((leases::next_at, leases::interval_milliseconds));
            let (next_at, interval): (At, i32) = pace.get_result(conn).await?;
            let interval = TimeDelta::milliseconds(interval.into());
            let first_slot = if next_at.0 > claim.farthest { claim.now } else { next_at.0.max(claim.now) };
            let slots: Vec<_> = slots(first_slot, interval, claim).collect();
            let limit = i64::try_from(slots.len()).unwrap_or(i64::MAX);
            let due: Vec<DuePushRow> = approvals::table
                .filter(approvals::push_provider.eq(claim.provider))
                .filter(approvals::next_poll_at.le(At(claim.now)))
                .order(approvals::next_poll_at)
                .limit(limit)
                .select(DuePushRow::as_select())
                .load(conn)
                .await?;
            let ids: Vec<String> = due.iter().map(|row| row.id.clone()).collect();
            // Guarded: a login may be settled between the two, and is not to be asked about then.
            let still_due = approvals::table
                .filter(approvals::id.eq_any(&ids))
                .filter(approvals::next_poll_at.le(At(claim.now)));
            let lease = diesel::update(still_due)
                .set((
                    approvals::poll_count.eq(approvals::poll_count + 1),
                    approvals::next_poll_at.eq(Some(At(claim.leased_until))),
                ))
                .returning(approvals::id);
            let leased: HashSet<String> = lease.load(conn).await?.into_iter().collect();
            let mut claimed = Vec::with_capacity(leased.len());
            for (row, slot) in due.into_iter().filter(|row| leased.contains(&row.id)).zip(slots) {
                claimed.push((row.leased(claim.leased_until)?, slot));
            }
            let taken = i32::try_from(claimed.len()).unwrap_or(i32::MAX);
            let next_slot = first_slot + interval * taken;
            diesel::update(leases::table.find(claim.lease))
                .set(leases::next_at.eq(At(next_slot)))
                .execute(conn)
                .await?;
            Ok(ClaimedPolls { pushes: claimed, next_slot, interval })
        })
    }

    /// Says when a claimed push is to be asked about next; `None`: never again. Nothing happens where the phone has
    /// answered meanwhile, or the login has ended.
    pub async fn schedule_poll(&self, id: ApprovalId, next: Option<DateTime<Utc>>) -> Result<(), StoreError> {
        let waiting = approvals::table
            .find(id.to_string())
            .filter(approvals::next_poll_at.is_not_null())
            .filter(approvals::verdict.is_null());
        let update = diesel::update(waiting).set(approvals::next_poll_at.eq(next.map(At)));
        transact_lightly!(self, async |conn| update.clone().execute(conn).await.map(|_| ()))
            .map_err(StoreError::from)
    }

    /// Makes a provider's open pushes due now, those that would be soonest first: after a restart, any of them may have been answered
    /// without a callback that was handled. Returns how many.
    pub async fn poll_open_pushes(
        &self,
        provider: &str,
        now: DateTime<Utc>,
        limit: i64,
    ) -> Result<usize, StoreError> {
        let soonest = approvals::table
            .filter(approvals::push_provider.eq(provider))
            .filter(approvals::next_poll_at.gt(At(now)))
            // Past the deadline others may be at it, and soon ask again.
            .filter(approvals::expires_at.gt(At(now)))
            .order(approvals::next_poll_at)
            .limit(limit)
            .select(approvals::id);
        let ids: Vec<String> = on!(self, |conn| soonest.load(conn).await?);
        if ids.is_empty() {
            return Ok(0);
        }
        let waiting =
            approvals::table.filter(approvals::id.eq_any(&ids)).filter(approvals::next_poll_at.is_not_null());
        let update = diesel::update(waiting).set(approvals::next_poll_at.eq(Some(At(now))));
        Ok(change!(self, |conn| update.execute(conn).await?))
    }

    /// Returns when the next push of a provider is due; `None`: there is none.
    pub async fn next_poll(&self, provider: &str) -> Result<Option<DateTime<Utc>>, StoreError> {
        let query = approvals::table
            .filter(approvals::push_provider.eq(provider))
            .filter(approvals::next_poll_at.is_not_null())
            .select(min(approvals::next_poll_at));
        let next: Option<Option<At>> = find!(self, query);
        Ok(next.flatten().map(|at| at.0))
    }
}

/// The slots that a claim may take.
fn slots(
    first: DateTime<Utc>,
    interval: TimeDelta,
    claim: &PollClaim<'_>,
) -> impl Iterator<Item = DateTime<Utc>> + use<> {
    let until = claim.until;
    std::iter::successors(Some(first), move |slot| Some(*slot + interval))
        .take_while(move |slot| *slot < until)
        .take(claim.limit)
}

//! Turns: work that instances share, so that it is done once, or at one pace, however many they are.
//!
//! A turn is a row with a time. Whoever moves the time forward, by a guarded update, has what lay before it.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::{Store, StoreError, change, columns::At, on, schema::leases};

impl Store {
    /// Makes sure that there is a turn of this name to be taken, from `first` on.
    pub async fn ensure_turn(
        &self,
        name: &str,
        first: DateTime<Utc>,
        interval: TimeDelta,
    ) -> Result<(), StoreError> {
        let insert = diesel::insert_into(leases::table)
            .values((
                leases::name.eq(name),
                leases::next_at.eq(At(first)),
                leases::interval_milliseconds.eq(milliseconds(interval)),
            ))
            .on_conflict_do_nothing();
        change!(self, |conn| insert.execute(conn).await?);
        Ok(())
    }

    /// Takes a turn, and with it all the time until `next`. Returns false where somebody else has it.
    ///
    /// A turn that is taken for more than twice as long was taken by a clock that is wrong, and is anybody's. Twice, because of two instances
    /// that come at the same moment, the one that read its clock first may come second.
    pub async fn take_turn(
        &self,
        name: &str,
        now: DateTime<Utc>,
        next: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let farthest = next + (next - now);
        let is_free = leases::next_at.le(At(now)).or(leases::next_at.gt(At(farthest)));
        let due = leases::table.find(name).filter(is_free);
        let update = diesel::update(due).set(leases::next_at.eq(At(next)));
        Ok(change!(self, |conn| update.execute(conn).await?) == 1)
    }

    /// Changes how fast turns follow each other, unless somebody has changed it meanwhile. Returns whether it did.
    pub async fn change_turn_interval(
        &self,
        name: &str,
        old: TimeDelta,
        new: TimeDelta,
    ) -> Result<bool, StoreError> {
        let same = leases::table.find(name).filter(leases::interval_milliseconds.eq(milliseconds(old)));
        let update = diesel::update(same).set(leases::interval_milliseconds.eq(milliseconds(new)));
        Ok(change!(self, |conn| update.execute(conn).await?) == 1)
    }
}

impl Store {
    /// Moves a turn's time forward to `until`, making the turn if there is none. A time later than `farthest` was set by a
    /// wrong clock and is replaced.
    pub async fn extend_turn(
        &self,
        name: &str,
        until: DateTime<Utc>,
        farthest: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        self.ensure_turn(name, until, TimeDelta::zero()).await?;
        let is_sooner = leases::next_at.lt(At(until)).or(leases::next_at.gt(At(farthest)));
        let update =
            diesel::update(leases::table.find(name).filter(is_sooner)).set(leases::next_at.eq(At(until)));
        change!(self, |conn| update.execute(conn).await?);
        Ok(())
    }

    /// Returns the times of these turns, of those that there are.
    pub async fn find_turns(&self, names: &[&str]) -> Result<Vec<(String, DateTime<Utc>)>, StoreError> {
        let query = leases::table.filter(leases::name.eq_any(names)).select((leases::name, leases::next_at));
        let found: Vec<(String, At)> = on!(self, |conn| query.load(conn).await?);
        Ok(found.into_iter().map(|(name, at)| (name, at.0)).collect())
    }
}

impl Store {
    /// Returns when each turn was last taken whose name begins so, with the rest of its name.
    pub async fn last_turns(&self, prefix: &str) -> Result<Vec<(String, DateTime<Utc>)>, StoreError> {
        let query = leases::table
            .filter(leases::name.like(format!("{prefix}%")))
            .order(leases::name)
            .select((leases::name, leases::next_at, leases::interval_milliseconds));
        let found: Vec<(String, At, i32)> = on!(self, |conn| query.load(conn).await?);
        let taken = |(name, next, interval): (String, At, i32)| {
            let rest = name.strip_prefix(prefix)?.to_owned();
            Some((rest, next.0 - TimeDelta::milliseconds(interval.into())))
        };
        Ok(found.into_iter().filter_map(taken).collect())
    }
}

fn milliseconds(interval: TimeDelta) -> i32 {
    i32::try_from(interval.num_milliseconds()).unwrap_or(i32::MAX)
}

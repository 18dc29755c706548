//! Codes sent to phones that nobody had proven, and how many of them came back, by calling code and hour, and by network too.

use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::{
    Store, StoreError, change,
    columns::At,
    on,
    schema::{code_returns, network_code_returns},
};

/// Of the codes that were sent in one hour, how many came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CodeReturns {
    /// When the hour began.
    pub hour: DateTime<Utc>,
    /// Logins that a code was sent for.
    pub sent: i32,
    /// Those of them that were confirmed by it, then or later.
    pub confirmed: i32,
}

impl Store {
    /// What was sent to unproven phones of a calling code from that hour on, the oldest hour first.
    pub async fn code_returns_since(
        &self,
        calling_code: &str,
        since: DateTime<Utc>,
    ) -> Result<Vec<CodeReturns>, StoreError> {
        let query = code_returns::table
            .filter(code_returns::calling_code.eq(calling_code))
            .filter(code_returns::hour.ge(At(hour(since))))
            .order(code_returns::hour)
            .select((code_returns::hour, code_returns::sent, code_returns::confirmed));
        let found: Vec<(At, i32, i32)> = on!(self, |conn| query.load(conn).await?);
        let returns =
            found.into_iter().map(|(hour, sent, confirmed)| CodeReturns { hour: hour.0, sent, confirmed });
        Ok(returns.collect())
    }

    /// Counts codes that were sent, and such as came back.
    pub async fn count_code_returns(
        &self,
        calling_code: &str,
        sent: i32,
        confirmed: i32,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let insert = diesel::insert_into(code_returns::table)
            .values((
                code_returns::calling_code.eq(calling_code),
                code_returns::hour.eq(At(hour(now))),
                code_returns::sent.eq(sent),
                code_returns::confirmed.eq(confirmed),
            ))
            .on_conflict((code_returns::calling_code, code_returns::hour))
            .do_update()
            .set((
                code_returns::sent.eq(code_returns::sent + sent),
                code_returns::confirmed.eq(code_returns::confirmed + confirmed),
            ));
        change!(self, |conn| insert.execute(conn).await?);
        Ok(())
    }

    /// What was sent from one network to unverified phones of a calling code from that hour on, the oldest hour first.
    pub async fn network_code_returns_since(
        &self,
        calling_code: &str,
        network: &str,
        since: DateTime<Utc>,
    ) -> Result<Vec<CodeReturns>, StoreError> {
        let query = network_code_returns::table
            .filter(network_code_returns::calling_code.eq(calling_code))
            .filter(network_code_returns::network.eq(network))
            .filter(network_code_returns::hour.ge(At(hour(since))))
            .order(network_code_returns::hour)
            .select((
                network_code_returns::hour,
                network_code_returns::sent,
                network_code_returns::confirmed,
            ));
        let found: Vec<(At, i32, i32)> = on!(self, |conn| query.load(conn).await?);
        let returns =
            found.into_iter().map(|(hour, sent, confirmed)| CodeReturns { hour: hour.0, sent, confirmed });
        Ok(returns.collect())
    }

    /// Counts codes that were sent from one network, and such as came back.
    pub async fn count_network_code_returns(
        &self,
        calling_code: &str,
        network: &str,
        (sent, confirmed): (i32, i32),
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let insert = diesel::insert_into(network_code_returns::table)
            .values((
                network_code_returns::calling_code.eq(calling_code),
                network_code_returns::network.eq(network),
                network_code_returns::hour.eq(At(hour(now))),
                network_code_returns::sent.eq(sent),
                network_code_returns::confirmed.eq(confirmed),
            ))
            .on_conflict((
                network_code_returns::calling_code,
                network_code_returns::network,
                network_code_returns::hour,
            ))
            .do_update()
            .set((
                network_code_returns::sent.eq(network_code_returns::sent + sent),
                network_code_returns::confirmed.eq(network_code_returns::confirmed + confirmed),
            ));
        change!(self, |conn| insert.execute(conn).await?);
        Ok(())
    }

    /// Removes the counts of hours before then. Returns how many.
    pub async fn remove_code_returns(&self, before: DateTime<Utc>) -> Result<usize, StoreError> {
        let of_calling_codes = diesel::delete(code_returns::table.filter(code_returns::hour.lt(At(before))));
        let of_networks =
            diesel::delete(network_code_returns::table.filter(network_code_returns::hour.lt(At(before))));
        let removed = change!(self, |conn| of_calling_codes.execute(conn).await?);
        Ok(removed + change!(self, |conn| of_networks.execute(conn).await?))
    }
}

/// The hour in which an instant lies.
fn hour(at: DateTime<Utc>) -> DateTime<Utc> {
    at.duration_trunc(TimeDelta::hours(1)).unwrap_or(at)
}

//! Codes sent to phones that nobody had proven, and how many of them came back, by calling code and hour, and by network too.

use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::{
    Store, StoreError, change,
    columns::At,
    on,
    schema::{network_sms_conversions, sms_conversions},
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
        let query = sms_conversions::table
            .filter(sms_conversions::calling_code.eq(calling_code))
            .filter(sms_conversions::hour.ge(At(hour(since))))
            .order(sms_conversions::hour)
            .select((sms_conversions::hour, sms_conversions::sent, sms_conversions::confirmed));
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
        let insert = diesel::insert_into(sms_conversions::table)
            .values((
                sms_conversions::calling_code.eq(calling_code),
                sms_conversions::hour.eq(At(hour(now))),
                sms_conversions::sent.eq(sent),
                sms_conversions::confirmed.eq(confirmed),
            ))
            .on_conflict((sms_conversions::calling_code, sms_conversions::hour))
            .do_update()
            .set((
                sms_conversions::sent.eq(sms_conversions::sent + sent),
                sms_conversions::confirmed.eq(sms_conversions::confirmed + confirmed),
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
        let query = network_sms_conversions::table
            .filter(network_sms_conversions::calling_code.eq(calling_code))
            .filter(network_sms_conversions::network.eq(network))
            .filter(network_sms_conversions::hour.ge(At(hour(since))))
            .order(network_sms_conversions::hour)
            .select((
                network_sms_conversions::hour,
                network_sms_conversions::sent,
                network_sms_conversions::confirmed,
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
        let insert = diesel::insert_into(network_sms_conversions::table)
            .values((
                network_sms_conversions::calling_code.eq(calling_code),
                network_sms_conversions::network.eq(network),
                network_sms_conversions::hour.eq(At(hour(now))),
                network_sms_conversions::sent.eq(sent),
                network_sms_conversions::confirmed.eq(confirmed),
            ))
            .on_conflict((
                network_sms_conversions::calling_code,
                network_sms_conversions::network,
                network_sms_conversions::hour,
            ))
            .do_update()
            .set((
                network_sms_conversions::sent.eq(network_sms_conversions::sent + sent),
                network_sms_conversions::confirmed.eq(network_sms_conversions::confirmed + confirmed),
            ));
        change!(self, |conn| insert.execute(conn).await?);
        Ok(())
    }

    /// Removes the counts of hours before then. Returns how many.
    pub async fn remove_code_returns(&self, before: DateTime<Utc>) -> Result<usize, StoreError> {
        let of_calling_codes =
            diesel::delete(sms_conversions::table.filter(sms_conversions::hour.lt(At(before))));
        let of_networks = diesel::delete(
            network_sms_conversions::table.filter(network_sms_conversions::hour.lt(At(before))),
        );
        let removed = change!(self, |conn| of_calling_codes.execute(conn).await?);
        Ok(removed + change!(self, |conn| of_networks.execute(conn).await?))
    }
}

/// The hour in which an instant lies.
fn hour(at: DateTime<Utc>) -> DateTime<Utc> {
    at.duration_trunc(TimeDelta::hours(1)).unwrap_or(at)
}

//! Codes sent to phones that nobody had proven, and how many of them came back, by calling code and hour.

use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use diesel::{dsl::sum, prelude::*};
use diesel_async::RunQueryDsl;

use super::{Store, StoreError, columns::At, on, schema::code_returns};

/// Of the codes that were sent, how many came back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CodeReturns {
    /// Sent.
    pub sent: i64,
    /// Typed by somebody who received them.
    pub confirmed: i64,
}

impl Store {
    /// What was sent to unproven phones of a calling code since then, to the hour.
    pub async fn code_returns_since(
        &self,
        calling_code: &str,
        since: DateTime<Utc>,
    ) -> Result<CodeReturns, StoreError> {
        let query = code_returns::table
            .filter(code_returns::calling_code.eq(calling_code))
            .filter(code_returns::hour.ge(At(hour(since))))
            .select((sum(code_returns::sent), sum(code_returns::confirmed)));
        let (sent, confirmed): (Option<i64>, Option<i64>) = on!(self, |conn| query.first(conn).await?);
        Ok(CodeReturns { sent: sent.unwrap_or_default(), confirmed: confirmed.unwrap_or_default() })
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
        on!(self, |conn| insert.execute(conn).await?);
        Ok(())
    }

    /// Removes the counts of hours before then. Returns how many.
    pub async fn remove_code_returns(&self, before: DateTime<Utc>) -> Result<usize, StoreError> {
        let delete = diesel::delete(code_returns::table.filter(code_returns::hour.lt(At(before))));
        Ok(on!(self, |conn| delete.execute(conn).await?))
    }
}

/// The hour in which an instant lies.
fn hour(at: DateTime<Utc>) -> DateTime<Utc> {
    at.duration_trunc(TimeDelta::hours(1)).unwrap_or(at)
}

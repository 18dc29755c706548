//! Queries on the audit trail of accounts, and on failed attempts.

use chrono::{DateTime, DurationRound as _, TimeDelta, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::{
    Store, StoreError, change, change_lightly,
    columns::{At, read, read_optional},
    on,
    schema::{account_events, failed_attempts},
};
use crate::model::{AccountEvent, ApprovalId, EmailPseudonym, EventId, EventKind, SessionId, UserId};

/// A row of `account_events`.
#[derive(Insertable)]
#[diesel(table_name = account_events)]
pub(super) struct EventRow<'a> {
    id: String,
    user_id: String,
    kind: &'static str,
    at: At,
    approval_id: Option<String>,
    session_id: Option<String>,
    network: Option<&'a str>,
    detail: Option<&'static str>,
}

impl<'a> From<&'a AccountEvent> for EventRow<'a> {
    fn from(event: &'a AccountEvent) -> Self {
        Self {
            id: event.id.to_string(),
            user_id: event.user.to_string(),
            kind: event.kind.as_str(),
            at: At(event.at),
            approval_id: event.approval.map(|id| id.to_string()),
            session_id: event.session.map(|id| id.to_string()),
            network: event.network.as_deref(),
            detail: event.detail,
        }
    }
}

/// Adds these events to the trail of their account, in the transaction that causes them.
macro_rules! record_events {
    ($conn:expr, $events:expr) => {
        for event in $events {
            let row = crate::storage::events::EventRow::from(event);
            diesel::insert_into(account_events::table).values(row).execute($conn).await?;
        }
    };
}

pub(super) use record_events;

/// A new event that is about the account alone.
pub(super) fn new_event(user: UserId, kind: EventKind, at: DateTime<Utc>) -> AccountEvent {
    AccountEvent::new(EventId::new(crate::random::id(at)), user, kind, at)
}

/// The events of sessions of one user that end together.
pub(super) fn sessions_ended(
    user: UserId,
    sessions: &[SessionId],
    reason: &'static str,
    at: DateTime<Utc>,
) -> Vec<AccountEvent> {
    let event = |session: &SessionId| AccountEvent {
        session: Some(*session),
        detail: Some(reason),
        ..new_event(user, EventKind::SessionEnded, at)
    };
    sessions.iter().map(event).collect()
}

/// A stored event, with its detail as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredEvent {
    /// What happened.
    pub kind: EventKind,
    /// The login or confirmation that it is about.
    pub approval: Option<ApprovalId>,
    /// The session that it is about.
    pub session: Option<SessionId>,
    /// The network of the client, if known.
    pub network: Option<String>,
    /// More about it.
    pub detail: Option<String>,
}

/// The columns of a [`StoredEvent`].
type StoredColumns = (String, Option<String>, Option<String>, Option<String>, Option<String>);

impl Store {
    /// Returns the newest events of an account, newest first.
    pub async fn account_events(&self, user: UserId, limit: i64) -> Result<Vec<StoredEvent>, StoreError> {
        let query = account_events::table
            .filter(account_events::user_id.eq(user.to_string()))
            .order((account_events::user_id.desc(), account_events::id.desc()))
            .limit(limit)
            .select((
                account_events::kind,
                account_events::approval_id,
                account_events::session_id,
                account_events::network,
                account_events::detail,
            ));
        let found: Vec<StoredColumns> = on!(self, |conn| query.load(conn).await?);
        let event = |(kind, approval, session, network, detail): StoredColumns| {
            const TABLE: &str = "account_events";
            Ok(StoredEvent {
                kind: read(EventKind::parse(&kind), TABLE, "kind")?,
                approval: read_optional(approval.as_deref(), ApprovalId::parse, TABLE, "approval_id")?,
                session: read_optional(session.as_deref(), SessionId::parse, TABLE, "session_id")?,
                network,
                detail,
            })
        };
        found.into_iter().map(event).collect()
    }

    /// Removes events from before then. Returns how many.
    pub async fn remove_account_events(
        &self,
        before: DateTime<Utc>,
        limit: i64,
    ) -> Result<usize, StoreError> {
        let old = account_events::table
            .filter(account_events::at.lt(At(before)))
            .order(account_events::at)
            .limit(limit)
            .select(account_events::id);
        let ids: Vec<String> = on!(self, |conn| old.load(conn).await?);
        let delete = diesel::delete(account_events::table.filter(account_events::id.eq_any(&ids)));
        Ok(if ids.is_empty() { 0 } else { change!(self, |conn| delete.execute(conn).await?) })
    }

    /// Counts a failed attempt: one row for each email, network and hour, whether a user has the email or not. A power cut may lose the
    /// last ones on SQLite.
    pub async fn count_failed_attempt(
        &self,
        email: &EmailPseudonym,
        network: Option<&str>,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let count = diesel::insert_into(failed_attempts::table)
            .values((
                failed_attempts::email_hash.eq(email.to_string()),
                failed_attempts::network.eq(network.unwrap_or("unknown")),
                failed_attempts::hour.eq(At(hour(at))),
                failed_attempts::count.eq(1),
            ))
            .on_conflict((failed_attempts::email_hash, failed_attempts::network, failed_attempts::hour))
            .do_update()
            .set(failed_attempts::count.eq(failed_attempts::count + 1));
        change_lightly!(self, count);
        Ok(())
    }

    /// Returns how many attempts for an email have failed since the beginning of that hour, by network.
    pub async fn failed_attempts(
        &self,
        email: &EmailPseudonym,
        since: DateTime<Utc>,
    ) -> Result<Vec<(String, i32)>, StoreError> {
        let query = failed_attempts::table
            .filter(failed_attempts::email_hash.eq(email.to_string()))
            .filter(failed_attempts::hour.ge(At(hour(since))))
            .order(failed_attempts::network)
            .select((failed_attempts::network, failed_attempts::count));
        Ok(on!(self, |conn| query.load(conn).await?))
    }

    /// Removes counts of failed attempts from the hours before that one, of so many emails. Returns how many counts.
    pub async fn remove_failed_attempts(
        &self,
        before: DateTime<Utc>,
        limit: i64,
    ) -> Result<usize, StoreError> {
        let is_old = failed_attempts::hour.lt(At(hour(before)));
        let old = failed_attempts::table
            .filter(is_old)
            .order(failed_attempts::hour)
            .limit(limit)
            .select(failed_attempts::email_hash);
        let emails: Vec<String> = on!(self, |conn| old.load(conn).await?);
        let delete =
            failed_attempts::table.filter(failed_attempts::email_hash.eq_any(&emails)).filter(is_old);
        Ok(if emails.is_empty() {
            0
        } else {
            change!(self, |conn| diesel::delete(delete).execute(conn).await?)
        })
    }
}

/// The beginning of the hour.
fn hour(at: DateTime<Utc>) -> DateTime<Utc> {
    at.duration_trunc(TimeDelta::hours(1)).unwrap_or(at)
}

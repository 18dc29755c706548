//! Queries on sessions, and on what is confirmed in them.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::{
    Store, StoreError, change, change_lightly,
    columns::{At, read, read_optional},
    confirmations::{
        Confirmed, ConfirmedFailure, LiveAt, if_confirmed, live, revoke_sessions, session_ids, usable,
        use_confirmation,
    },
    events::{record_events, sessions_ended},
    find,
    locked::Locked,
    on,
    schema::{account_events, approvals, confirmations, devices, sessions, users},
    transact,
    users::UserRow,
};
use crate::model::{
    AccountEvent, ActiveSession, DeviceId, SensitiveOperation, Session, SessionId, TokenHash, User, UserId,
};

/// How many live sessions of one user are listed.
const LISTED: i64 = 100;

/// A row of `sessions` as each request reads it.
#[derive(Queryable, Selectable)]
#[diesel(table_name = sessions)]
pub(super) struct SessionRow {
    id: String,
    user_id: String,
    expires_at: At,
    last_used_at: At,
}

/// A row of `sessions` as its user sees it.
#[derive(Queryable, Selectable)]
#[diesel(table_name = sessions)]
struct ActiveSessionRow {
    #[diesel(embed)]
    session: SessionRow,
    created_at: At,
    confirmed_at: At,
    amr: String,
    browser: Option<String>,
    network: Option<String>,
}

impl TryFrom<SessionRow> for Session {
    type Error = StoreError;

    fn try_from(row: SessionRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: read(SessionId::parse(&row.id), "sessions", "id")?,
            user_id: read(UserId::parse(&row.user_id), "sessions", "user_id")?,
            expires_at: row.expires_at.0,
            last_used_at: row.last_used_at.0,
        })
    }
}

impl TryFrom<ActiveSessionRow> for ActiveSession {
    type Error = StoreError;

    fn try_from(row: ActiveSessionRow) -> Result<Self, StoreError> {
        Ok(Self {
            session: row.session.try_into()?,
            created_at: row.created_at.0,
            confirmed_at: row.confirmed_at.0,
            amr: row.amr,
            browser: row.browser,
            network: row.network,
        })
    }
}

impl Store {
    /// Finds the live session of a token, and its user.
    pub async fn find_session(
        &self,
        token: &TokenHash,
        live: LiveAt,
    ) -> Result<Option<(Session, User)>, StoreError> {
        let of_token =
            sessions::table.inner_join(users::table).filter(sessions::token_hash.eq(token.as_str()));
        let query = live!(of_token, live);
        let found: Option<(SessionRow, UserRow)> =
            find!(self, query.select((SessionRow::as_select(), UserRow::as_select())));
        found.map(|(session, user)| Ok((session.try_into()?, user.try_into()?))).transpose()
    }

    /// Reads a session if it is live.
    pub async fn find_live_session(
        &self,
        id: SessionId,
        live: LiveAt,
    ) -> Result<Option<ActiveSession>, StoreError> {
        let query = live!(sessions::table.find(id.to_string()), live);
        let found: Option<ActiveSessionRow> = find!(self, query.select(ActiveSessionRow::as_select()));
        found.map(ActiveSession::try_from).transpose()
    }

    /// Lists the live sessions of a user, last used first, at most 100.
    pub async fn live_sessions(&self, user: UserId, live: LiveAt) -> Result<Vec<ActiveSession>, StoreError> {
        let query = live!(sessions::table.filter(sessions::user_id.eq(user.to_string())), live)
            .order((sessions::last_used_at.desc(), sessions::id.desc()))
            .limit(LISTED);
        let found: Vec<ActiveSessionRow> =
            on!(self, |conn| query.select(ActiveSessionRow::as_select()).load(conn).await?);
        found.into_iter().map(ActiveSession::try_from).collect()
    }

    /// Whether this user has or had a session with this id.
    pub async fn has_session(&self, user: UserId, id: SessionId) -> Result<bool, StoreError> {
        let query = sessions::table
            .find(id.to_string())
            .filter(sessions::user_id.eq(user.to_string()))
            .select(sessions::id);
        let found: Option<String> = find!(self, query);
        Ok(found.is_some())
    }

    /// Records that a live session was used, unless that was recorded after `since`. A power cut may lose it on SQLite.
    pub async fn record_session_used(
        &self,
        id: SessionId,
        since: DateTime<Utc>,
        live: LiveAt,
    ) -> Result<(), StoreError> {
        // Of concurrent requests and instances, the first one writes. One that is late revives nothing.
        let earlier =
            live!(sessions::table.find(id.to_string()), live).filter(sessions::last_used_at.le(At(since)));
        let now = live.now;
        let update = diesel::update(earlier).set(sessions::last_used_at.eq(At(now)));
        change_lightly!(self, update);
        Ok(())
    }

    /// Returns the sessions that were revoked since then. Sockets that missed a notification catch up with it.
    pub async fn sessions_revoked_since(&self, since: DateTime<Utc>) -> Result<Vec<SessionId>, StoreError> {
        let query = sessions::table.filter(sessions::revoked_at.gt(At(since))).select(sessions::id);
        let found: Vec<String> = on!(self, |conn| query.load(conn).await?);
        session_ids(&found)
    }

    /// Ends a session for this reason. Returns what that added to the audit trail: nothing if the session was not live.
    pub async fn revoke_session(
        &self,
        session: &Session,
        reason: &'static str,
        now: DateTime<Utc>,
    ) -> Result<Vec<AccountEvent>, StoreError> {
        let this = session.id.to_string();
        transact!(self, async |conn| {
            let live = sessions::table.filter(sessions::id.eq(&this)).filter(sessions::revoked_at.is_null());
            let revoked = revoke_sessions!(conn, live, now);
            let events = sessions_ended(session.user_id, &session_ids(&revoked)?, reason, now);
            record_events!(conn, &events);
            Ok::<_, StoreError>(events)
        })
    }

    /// Whether a confirmation allows an operation, and is unused.
    pub async fn is_confirmed(
        &self,
        confirmed: &Confirmed<'_>,
        operation: SensitiveOperation,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let query = usable!(confirmed, operation, now).select(confirmations::approval_id);
        let found: Option<String> = find!(self, query);
        Ok(found.is_some())
    }

    /// Ends a session of the user, or all but `by` if `which` is `None`, with a confirmation that `by` has for it. Returns what that added to the
    /// audit trail; `None` if it was not confirmed, and nothing changes.
    pub async fn end_sessions(
        &self,
        confirmed: &Confirmed<'_>,
        which: Option<SessionId>,
        live: LiveAt,
    ) -> Result<Option<Vec<AccountEvent>>, StoreError> {
        let by = confirmed.session;
        let (this, user) = (by.id.to_string(), by.user_id.to_string());
        // No session has an empty id.
        let (only, except) = (which.map(|id| id.to_string()), if which.is_some() { "" } else { &this });
        let ended: Result<_, ConfirmedFailure> = transact!(self, async |conn| {
            use_confirmation!(conn, confirmed, SensitiveOperation::EndSessions, live);
            let of_user = sessions::table
                .filter(sessions::user_id.eq(&user))
                .filter(sessions::revoked_at.is_null())
                .filter(sessions::expires_at.gt(At(live.now)))
                .filter(sessions::id.ne(except));
            let ended = if let Some(only) = &only {
                revoke_sessions!(conn, of_user.filter(sessions::id.eq(only)), live.now)
            } else {
                revoke_sessions!(conn, of_user, live.now)
            };
            let events = sessions_ended(by.user_id, &session_ids(&ended)?, "ENDED_BY_USER", live.now);
            record_events!(conn, &events);
            Ok(events)
        });
        if_confirmed(ended)
    }

    /// Finds the known device of the browser that a session was opened in.
    pub async fn find_device_of_session(&self, id: SessionId) -> Result<Option<DeviceId>, StoreError> {
        let login = sessions::table.find(id.to_string()).select(sessions::login_id);
        let login: Option<Option<String>> = find!(self, login);
        let Some(login) = login.flatten() else { return Ok(None) };
        let query = devices::table
            .filter(devices::login_id.eq(&login).or(devices::first_login_id.eq(&login)))
            .select(devices::id);
        let found: Option<String> = find!(self, query);
        read_optional(found.as_deref(), DeviceId::parse, "devices", "id")
    }

    /// Removes sessions that expired before then. Returns how many.
    pub async fn remove_sessions(&self, before: DateTime<Utc>, limit: i64) -> Result<usize, StoreError> {
        let old = sessions::table
            .filter(sessions::expires_at.lt(At(before)))
            .order(sessions::expires_at)
            .limit(limit)
            .select(sessions::id);
        let ids: Vec<String> = on!(self, |conn| old.load(conn).await?);
        let delete = diesel::delete(sessions::table.filter(sessions::id.eq_any(&ids)));
        Ok(if ids.is_empty() { 0 } else { change!(self, |conn| delete.execute(conn).await?) })
    }
}

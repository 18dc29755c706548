//! Queries on sessions.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::{
    Store, StoreError, change,
    columns::{At, read},
    find, on,
    schema::{logins, sessions, users},
    transact,
    users::UserRow,
};
use crate::model::{Session, SessionId, TokenHash, User, UserId};

/// A row of `sessions`, without its token's hash.
#[derive(Queryable, Selectable)]
#[diesel(table_name = sessions)]
pub(super) struct SessionRow {
    id: String,
    user_id: String,
    expires_at: At,
}

impl TryFrom<SessionRow> for Session {
    type Error = StoreError;

    fn try_from(row: SessionRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: read(SessionId::parse(&row.id), "sessions", "id")?,
            user_id: read(UserId::parse(&row.user_id), "sessions", "user_id")?,
            expires_at: row.expires_at.0,
        })
    }
}

impl Store {
    /// Finds the live session that a token opens, and whose it is.
    pub async fn find_session(
        &self,
        token: &TokenHash,
        now: DateTime<Utc>,
    ) -> Result<Option<(Session, User)>, StoreError> {
        let query = sessions::table
            .inner_join(users::table)
            .filter(sessions::token_hash.eq(token.as_str()))
            .filter(sessions::revoked_at.is_null())
            .filter(sessions::expires_at.gt(At(now)));
        let found: Option<(SessionRow, UserRow)> =
            find!(self, query.select((SessionRow::as_select(), UserRow::as_select())));
        found.map(|(session, user)| Ok((session.try_into()?, user.try_into()?))).transpose()
    }

    /// Whether a session is still live: neither revoked nor past its end.
    pub async fn is_session_live(&self, id: SessionId, now: DateTime<Utc>) -> Result<bool, StoreError> {
        let query = sessions::table
            .find(id.to_string())
            .filter(sessions::revoked_at.is_null())
            .filter(sessions::expires_at.gt(At(now)))
            .select(sessions::id);
        let found: Option<String> = find!(self, query);
        Ok(found.is_some())
    }

    /// Which sessions were ended since then. Sockets whose event was lost learn from it.
    pub async fn sessions_revoked_since(&self, since: DateTime<Utc>) -> Result<Vec<SessionId>, StoreError> {
        let query = sessions::table.filter(sessions::revoked_at.gt(At(since))).select(sessions::id);
        let found: Vec<String> = on!(self, |conn| query.load(conn).await?);
        found.iter().map(|id| read(SessionId::parse(id), "sessions", "id")).collect()
    }

    /// Ends a session and forgets the login token that could derive its token again. Returns whether it was live.
    pub async fn revoke_session(&self, id: SessionId, now: DateTime<Utc>) -> Result<bool, StoreError> {
        let this = id.to_string();
        transact!(self, async |conn| {
            // The login first, as settling does: of two that take both rows, one waits and none is stuck.
            let opened_it = sessions::table.find(&this).select(sessions::login_id.assume_not_null());
            diesel::update(logins::table.filter(logins::id.eq_any(opened_it)))
                .set(logins::session_salt.eq(None::<String>))
                .execute(conn)
                .await?;
            let live = sessions::table.find(&this).filter(sessions::revoked_at.is_null());
            let revoked =
                diesel::update(live).set(sessions::revoked_at.eq(Some(At(now)))).execute(conn).await?;
            Ok::<_, StoreError>(revoked == 1)
        })
    }

    /// Removes sessions that ended by themselves before then. Returns how many.
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

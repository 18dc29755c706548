//! Queries on sessions.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::{
    Store, StoreError,
    columns::{At, read},
    on,
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
        let found: Option<(SessionRow, UserRow)> = on!(self, |conn| query
            .select((SessionRow::as_select(), UserRow::as_select()))
            .first(conn)
            .await
            .optional()?);
        found.map(|(session, user)| Ok((session.try_into()?, user.try_into()?))).transpose()
    }

    /// Whether a session is still live: neither revoked nor past its end.
    pub async fn is_session_live(&self, id: SessionId, now: DateTime<Utc>) -> Result<bool, StoreError> {
        let query = sessions::table
            .find(id.to_string())
            .filter(sessions::revoked_at.is_null())
            .filter(sessions::expires_at.gt(At(now)))
            .select(sessions::id);
        let found: Option<String> = on!(self, |conn| query.first(conn).await.optional()?);
        Ok(found.is_some())
    }

    /// Ends a session and forgets the login token that could derive its token again. Returns whether it was live.
    pub async fn revoke_session(&self, id: SessionId, now: DateTime<Utc>) -> Result<bool, StoreError> {
        transact!(self, async |conn| {
            let live = sessions::table.find(id.to_string()).filter(sessions::revoked_at.is_null());
            let revoked: Option<Option<String>> = diesel::update(live)
                .set(sessions::revoked_at.eq(Some(At(now))))
                .returning(sessions::login_id)
                .get_result(conn)
                .await
                .optional()?;
            if let Some(Some(login_id)) = &revoked {
                diesel::update(logins::table.find(login_id))
                    .set(logins::session_salt.eq(None::<String>))
                    .execute(conn)
                    .await?;
            }
            Ok::<_, StoreError>(revoked.is_some())
        })
    }
}

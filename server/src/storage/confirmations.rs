//! What is confirmed in a session, and how a transaction uses a confirmation.

use chrono::{DateTime, Utc};
use diesel::result::Error as DieselError;

use super::{StoreError, columns::read};
use crate::model::{Session, SessionId, TokenHash};

/// When sessions are live.
#[derive(Clone, Copy, Debug)]
pub struct LiveAt {
    /// Now.
    pub now: DateTime<Utc>,
    /// Sessions that were not used since then have ended.
    pub idle_since: DateTime<Utc>,
}

/// A session, and the login token of the confirmation that it presents. The token is known to the client that typed the password: another
/// one in the same session, with a stolen cookie, cannot use the confirmation.
#[derive(Clone, Debug)]
pub struct Confirmed<'a> {
    /// The session.
    pub session: &'a Session,
    /// The hash of the login token.
    pub token: TokenHash,
}

/// Why a confirmed operation changed nothing.
pub(super) enum ConfirmedFailure {
    /// The session has no unused confirmation of it, or has ended.
    NotConfirmed,
    Store(StoreError),
    Database(DieselError),
}

impl From<StoreError> for ConfirmedFailure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<DieselError> for ConfirmedFailure {
    fn from(error: DieselError) -> Self {
        Self::Database(error)
    }
}

/// A confirmed operation that was carried out, or `None` if it was not confirmed.
pub(super) fn if_confirmed<T>(done: Result<T, ConfirmedFailure>) -> Result<Option<T>, StoreError> {
    match done {
        Ok(done) => Ok(Some(done)),
        Err(ConfirmedFailure::NotConfirmed) => Ok(None),
        Err(ConfirmedFailure::Store(error)) => Err(error),
        Err(ConfirmedFailure::Database(error)) => Err(error.into()),
    }
}

/// The sessions of a query that are live.
macro_rules! live {
    ($sessions:expr, $live:expr) => {
        $sessions
            .filter(sessions::revoked_at.is_null())
            .filter(sessions::expires_at.gt(At($live.now)))
            .filter(sessions::last_used_at.gt(At($live.idle_since)))
    };
}

/// The confirmation with this login token, if it allows the operation in the session and is unused.
macro_rules! usable {
    ($confirmed:expr, $operation:expr, $now:expr) => {
        confirmations::table
            .filter(
                confirmations::approval_id.eq_any(
                    approvals::table
                        .filter(approvals::token_hash.eq($confirmed.token.as_str()))
                        .select(approvals::id),
                ),
            )
            .filter(confirmations::session_id.eq($confirmed.session.id.to_string()))
            .filter(confirmations::operation.eq($operation.as_str()))
            .filter(confirmations::usable_until.gt(Some(At($now))))
            .filter(confirmations::used_at.is_null())
    };
}

/// Uses a confirmation in a transaction, which fails if there is none or the session has ended. The session stays live until the commit.
macro_rules! use_confirmation {
    ($conn:expr, $confirmed:expr, $operation:expr, $live:expr) => {{
        use crate::storage::confirmations::ConfirmedFailure::NotConfirmed;
        let session =
            live!(sessions::table.find($confirmed.session.id.to_string()), $live).select(sessions::id);
        let session: Option<String> = Locked(session).get_result($conn).await.optional()?;
        let usable = usable!($confirmed, $operation, $live.now).select(confirmations::approval_id);
        let usable: Option<String> = usable.get_result($conn).await.optional()?;
        let (Some(_), Some(usable)) = (session, usable) else {
            return Err(NotConfirmed);
        };
        // Guarded: another transaction may use it at the same moment.
        let unused = confirmations::table.find(usable).filter(confirmations::used_at.is_null());
        let used = diesel::update(unused).set(confirmations::used_at.eq(Some(At($live.now))));
        if used.execute($conn).await? == 0 {
            return Err(NotConfirmed);
        }
    }};
}

/// Revokes these sessions, and gives their ids. Their login tokens are unknown from then on: see [`Store::find_approval`].
macro_rules! revoke_sessions {
    ($conn:expr, $which:expr, $now:expr) => {{
        let revoke =
            diesel::update($which).set(sessions::revoked_at.eq(Some(At($now)))).returning(sessions::id);
        let revoked: Vec<String> = revoke.load($conn).await?;
        revoked
    }};
}

pub(super) use {live, revoke_sessions, usable, use_confirmation};

pub(super) fn session_ids(ids: &[String]) -> Result<Vec<SessionId>, StoreError> {
    ids.iter().map(|id| read(SessionId::parse(id), "sessions", "id")).collect()
}

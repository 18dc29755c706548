//! Queries on logins. This file: a login's row, and finding it.

mod asking;
mod begin;
mod codes;
mod deadlines;
mod delivery;
mod pushes;
mod settle;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

pub use asking::{AskingClaim, ClaimedAskings, DueLogin};
pub(super) use begin::InsertFailure;
pub use begin::{Insertion, NewLogin};
pub use deadlines::OverdueClaim;
pub use settle::{CostOfDenial, Settled, Settlement};

use super::{
    Store, StoreError,
    columns::{At, read, read_optional},
    find, on,
    schema::{logins, pending_signups, sessions, users},
    sessions::SessionRow,
    users::UserRow,
};
use crate::model::{
    ApprovalRequestId, BudgetKey, CodeChannel, DeliveryMethod, DeviceId, Email, Login, LoginFailure, LoginId,
    LoginPurpose, LoginState, LoginStep, Phone, ProviderUserId, Session, SessionSalt, TokenHash, User,
    UserId, Verdict,
};

/// The states in which a login can still be settled, as they are stored.
const OPEN: [&str; 2] = ["PENDING", "DENIED"];

/// What the holder of a login token may see: the login and, once approved, the session that it opened.
#[derive(Clone, Debug)]
pub struct OpenedLogin {
    /// The login.
    pub login: Login,
    /// What it opened, and for whom.
    pub session: Option<(Session, User)>,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = logins)]
struct LoginRow {
    id: String,
    purpose: String,
    state: String,
    next_step: String,
    failure: Option<String>,
    sequence: i32,
    user_id: Option<String>,
    phone: String,
    device_id: Option<String>,
    network: Option<String>,
    push_place: Option<String>,
    session_salt: Option<String>,
    session_delivery: String,
    readable_until: At,
    match_number: Option<String>,
    provider_user_id: String,
    approval_request_id: Option<String>,
    verdict: Option<String>,
    code_channel: Option<String>,
    tries_taken: i32,
    wrong_codes: i32,
    resend_available_at: At,
    asks: i32,
    ask_at: Option<At>,
    created_at: At,
    expires_at: At,
    settled_at: Option<At>,
}

impl TryFrom<LoginRow> for Login {
    type Error = StoreError;

    fn try_from(row: LoginRow) -> Result<Self, StoreError> {
        const TABLE: &str = "logins";
        Ok(Self {
            id: read(LoginId::parse(&row.id), TABLE, "id")?,
            purpose: read(LoginPurpose::parse(&row.purpose), TABLE, "purpose")?,
            state: read(LoginState::parse(&row.state), TABLE, "state")?,
            next_step: read(LoginStep::parse(&row.next_step), TABLE, "next_step")?,
            failure: read_optional(row.failure.as_deref(), LoginFailure::parse, TABLE, "failure")?,
            sequence: row.sequence,
            user_id: read_optional(row.user_id.as_deref(), UserId::parse, TABLE, "user_id")?,
            phone: read(Phone::from_e164(&row.phone), TABLE, "phone")?,
            device_id: read_optional(row.device_id.as_deref(), DeviceId::parse, TABLE, "device_id")?,
            network: row.network,
            push_place: row.push_place.map(BudgetKey::from_stored),
            session_salt: read_optional(
                row.session_salt.as_deref(),
                |salt| SessionSalt::from_stored(salt).ok(),
                TABLE,
                "session_salt",
            )?,
            session_delivery: read(DeliveryMethod::parse(&row.session_delivery), TABLE, "session_delivery")?,
            readable_until: row.readable_until.0,
            match_number: row.match_number,
            provider_user_id: ProviderUserId::new(row.provider_user_id),
            approval_request_id: row.approval_request_id.map(ApprovalRequestId::new),
            verdict: read_optional(row.verdict.as_deref(), Verdict::parse, TABLE, "verdict")?,
            code_channel: read_optional(
                row.code_channel.as_deref(),
                CodeChannel::parse,
                TABLE,
                "code_channel",
            )?,
            tries_taken: row.tries_taken,
            wrong_codes: row.wrong_codes,
            resend_available_at: row.resend_available_at.0,
            asks: row.asks,
            ask_at: row.ask_at.map(|at| at.0),
            created_at: row.created_at.0,
            expires_at: row.expires_at.0,
            settled_at: row.settled_at.map(|at| at.0),
        })
    }
}

impl Store {
    /// Finds the login that a login token opens, while the token is known.
    pub async fn find_login(
        &self,
        token: &TokenHash,
        now: DateTime<Utc>,
    ) -> Result<Option<OpenedLogin>, StoreError> {
        // No list, so that the statement is prepared once.
        let is_open = logins::state.eq(OPEN[0]).or(logins::state.eq(OPEN[1]));
        // One join after the other: SQLite reads the whole of a join that stands in brackets.
        let query = logins::table
            .left_join(sessions::table)
            .left_join(users::table.on(users::id.nullable().eq(sessions::user_id.nullable())))
            .filter(logins::login_token_hash.eq(token.as_str()))
            .filter(logins::session_salt.is_not_null())
            .filter(is_open.or(logins::readable_until.gt(At(now))));
        let found: Option<(LoginRow, Option<SessionRow>, Option<UserRow>)> = find!(
            self,
            query.select((
                LoginRow::as_select(),
                Option::<SessionRow>::as_select(),
                Option::<UserRow>::as_select(),
            ))
        );
        let Some((login, session, user)) = found else {
            return Ok(None);
        };
        let session = match (session, user) {
            (Some(session), Some(user)) => Some((session.try_into()?, user.try_into()?)),
            _ => None,
        };
        Ok(Some(OpenedLogin { login: login.try_into()?, session }))
    }

    /// Finds the email that a login is about: that of its user, or the one that a signup names. `None` where neither is there.
    pub async fn find_email_of_login(&self, id: LoginId) -> Result<Option<Email>, StoreError> {
        let query = logins::table
            .left_join(users::table.on(users::id.nullable().eq(logins::user_id)))
            .left_join(pending_signups::table.on(pending_signups::login_id.eq(logins::id)))
            .filter(logins::id.eq(id.to_string()))
            .select((users::email.nullable(), pending_signups::email.nullable()));
        let found: Option<(Option<String>, Option<String>)> = find!(self, query);
        Ok(found.and_then(|(users, pending)| users.or(pending)).map(Email::from_stored))
    }

    /// Which of all logins have changed since then, and their sequence numbers. Watchers whose event was lost learn from it.
    pub async fn logins_changed_since(
        &self,
        since: DateTime<Utc>,
    ) -> Result<Vec<(LoginId, i32)>, StoreError> {
        let changed = logins::table.filter(logins::changed_at.gt(At(since)));
        let query = changed.select((logins::id, logins::sequence));
        let found: Vec<(String, i32)> = on!(self, |conn| query.load(conn).await?);
        found
            .into_iter()
            .map(|(id, sequence)| Ok((read(LoginId::parse(&id), "logins", "id")?, sequence)))
            .collect()
    }
}

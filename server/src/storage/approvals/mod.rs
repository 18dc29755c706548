//! Queries on approvals. This file: an approval's row, and finding it.

mod codes;
mod consequences;
mod deadlines;
mod delivery;
mod polls;
mod pushes;
mod settle;
mod settlement;
mod start;

use std::{collections::BTreeSet, fmt};

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

pub use deadlines::OverdueClaim;
pub use polls::{ClaimedPolls, DuePush, PollClaim};
pub use settle::Settled;
pub use settlement::Settlement;
pub(super) use start::InsertFailure;
pub use start::{Consequence, Insertion, NewApproval, NewSessionGrant};

use super::{
    Store, StoreError,
    columns::{At, read, read_optional},
    find, on,
    schema::{approvals, confirmations, pending_signups, session_grants, sessions, users},
    sessions::SessionRow,
    users::UserRow,
};
use crate::model::{
    Approval, ApprovalFailure, ApprovalId, ApprovalState, ApprovalStep, BudgetKey, CodeChannel, CodeHandle,
    CodeSource, DeliveryMethod, DeviceId, Email, Phone, ProviderUserId, Purpose, PushHandle, PushRecipient,
    Session, SessionGrant, SessionId, SessionSalt, TokenHash, User, UserId, Verdict,
};

/// The states in which an approval can still be settled, as they are stored.
const OPEN: [&str; 2] = ["PENDING", "DENIED"];

/// An approval and, once it is approved, the session that it opened.
#[derive(Clone, Debug)]
pub struct FoundApproval {
    /// The approval.
    pub approval: Approval,
    /// The session that it opened, its user, and what derives its token.
    pub opened: Option<OpenedSession>,
}

/// A session that an approval opened.
#[derive(Clone)]
pub struct OpenedSession {
    /// The session.
    pub session: Session,
    /// Its user.
    pub user: User,
    /// What derives its token from the login token.
    pub grant: SessionGrant,
}

impl fmt::Debug for OpenedSession {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("OpenedSession").field(&self.session.id).finish()
    }
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = approvals)]
struct ApprovalRow {
    id: String,
    purpose: String,
    state: String,
    next_step: String,
    failure: Option<String>,
    sequence: i32,
    user_id: Option<String>,
    security_version: Option<i32>,
    phone: String,
    device_id: Option<String>,
    network: Option<String>,
    push_slot: Option<String>,
    readable_until: Option<At>,
    match_number: Option<String>,
    push_provider: Option<String>,
    push_user: Option<String>,
    push_handle: Option<String>,
    verdict: Option<String>,
    code_channel: Option<String>,
    code_provider: Option<String>,
    code_handle: Option<String>,
    tries_taken: i32,
    wrong_codes: i32,
    resend_available_at: At,
    poll_count: i32,
    next_poll_at: Option<At>,
    created_at: At,
    expires_at: At,
    settled_at: Option<At>,
}

/// A row of `session_grants`, without the tokens' hashes.
#[derive(Queryable, Selectable)]
#[diesel(table_name = session_grants)]
struct GrantRow {
    salt: String,
    delivery: String,
}

/// An approval with what it opened.
type FoundRows = (ApprovalRow, Option<SessionRow>, Option<GrantRow>, Option<UserRow>);

impl TryFrom<GrantRow> for SessionGrant {
    type Error = StoreError;

    fn try_from(row: GrantRow) -> Result<Self, StoreError> {
        const TABLE: &str = "session_grants";
        Ok(Self {
            salt: read(SessionSalt::from_stored(&row.salt).ok(), TABLE, "salt")?,
            delivery: read(DeliveryMethod::parse(&row.delivery), TABLE, "delivery")?,
        })
    }
}

impl TryFrom<ApprovalRow> for Approval {
    type Error = StoreError;

    fn try_from(row: ApprovalRow) -> Result<Self, StoreError> {
        const TABLE: &str = "approvals";
        Ok(Self {
            id: read(ApprovalId::parse(&row.id), TABLE, "id")?,
            purpose: read(Purpose::parse(&row.purpose), TABLE, "purpose")?,
            state: read(ApprovalState::parse(&row.state), TABLE, "state")?,
            next_step: read(ApprovalStep::parse(&row.next_step), TABLE, "next_step")?,
            failure: read_optional(row.failure.as_deref(), ApprovalFailure::parse, TABLE, "failure")?,
            sequence: row.sequence,
            user_id: read_optional(row.user_id.as_deref(), UserId::parse, TABLE, "user_id")?,
            phone: read(Phone::from_e164(&row.phone), TABLE, "phone")?,
            device_id: read_optional(row.device_id.as_deref(), DeviceId::parse, TABLE, "device_id")?,
            network: row.network,
            security_version: row.security_version,
            push_slot: row.push_slot.map(BudgetKey::from_stored),
            readable_until: row.readable_until.map(|at| at.0),
            match_number: row.match_number,
            push: row
                .push_provider
                .zip(row.push_user)
                .map(|(provider, user)| PushRecipient { provider, user: ProviderUserId::new(user) }),
            push_handle: row.push_handle.map(PushHandle::new),
            verdict: read_optional(row.verdict.as_deref(), Verdict::parse, TABLE, "verdict")?,
            code: row
                .code_provider
                .zip(row.code_handle)
                .map(|(provider, handle)| CodeSource { provider, handle: CodeHandle::new(handle) }),
            code_channel: read_optional(
                row.code_channel.as_deref(),
                CodeChannel::parse,
                TABLE,
                "code_channel",
            )?,
            tries_taken: row.tries_taken,
            wrong_codes: row.wrong_codes,
            resend_available_at: row.resend_available_at.0,
            poll_count: row.poll_count,
            next_poll_at: row.next_poll_at.map(|at| at.0),
            created_at: row.created_at.0,
            expires_at: row.expires_at.0,
            settled_at: row.settled_at.map(|at| at.0),
        })
    }
}

impl Store {
    /// Finds the approval of a login token, while the token is known: until it is forgotten, and no longer than the session lasts that
    /// the approval opened.
    pub async fn find_approval(
        &self,
        token: &TokenHash,
        now: DateTime<Utc>,
    ) -> Result<Option<FoundApproval>, StoreError> {
        // No list, so that the statement is prepared once.
        let is_open = approvals::state.eq(OPEN[0]).or(approvals::state.eq(OPEN[1]));
        // One join after the other: SQLite reads the whole of a join that stands in brackets.
        let query = approvals::table
            .left_join(sessions::table)
            .left_join(session_grants::table.on(session_grants::approval_id.eq(approvals::id)))
            .left_join(users::table.on(users::id.nullable().eq(sessions::user_id.nullable())))
            .filter(approvals::token_hash.eq(token.as_str()))
            .filter(sessions::revoked_at.nullable().is_null())
            .filter(is_open.or(approvals::readable_until.gt(Some(At(now)))));
        let found: Option<FoundRows> = find!(
            self,
            query.select((
                ApprovalRow::as_select(),
                Option::<SessionRow>::as_select(),
                Option::<GrantRow>::as_select(),
                Option::<UserRow>::as_select(),
            ))
        );
        let Some((approval, session, grant, user)) = found else {
            return Ok(None);
        };
        let opened = match (session, user, grant) {
            (Some(session), Some(user), Some(grant)) => Some(OpenedSession {
                session: session.try_into()?,
                user: user.try_into()?,
                grant: grant.try_into()?,
            }),
            _ => None,
        };
        Ok(Some(FoundApproval { approval: approval.try_into()?, opened }))
    }

    /// Reads an approval by its id.
    pub async fn read_approval(&self, id: ApprovalId) -> Result<Option<Approval>, StoreError> {
        let query = approvals::table.find(id.to_string());
        let found: Option<ApprovalRow> = find!(self, query.select(ApprovalRow::as_select()));
        found.map(Approval::try_from).transpose()
    }

    /// Returns the providers that open approvals need, each once: to push, or to check a code.
    pub async fn providers_of_open_approvals(&self) -> Result<Vec<String>, StoreError> {
        // All deadlines are later than that: the index of open approvals by deadline is read, and nothing else.
        let open = approvals::table
            .filter(approvals::settled_at.is_null())
            .filter(approvals::expires_at.gt(At(DateTime::UNIX_EPOCH)));
        let pushing = open.select(approvals::push_provider).distinct();
        let mut found: Vec<Option<String>> = on!(self, |conn| pushing.load(conn).await?);
        let checking = open.select(approvals::code_provider).distinct();
        found.extend::<Vec<Option<String>>>(on!(self, |conn| checking.load(conn).await?));
        let names: BTreeSet<String> = found.into_iter().flatten().collect();
        Ok(names.into_iter().collect())
    }

    /// Finds the email of an approval: that of its user, or the one of a pending signup. `None` if neither exists.
    pub async fn find_email_of_approval(&self, id: ApprovalId) -> Result<Option<Email>, StoreError> {
        let query = approvals::table
            .left_join(users::table.on(users::id.nullable().eq(approvals::user_id)))
            .left_join(pending_signups::table.on(pending_signups::approval_id.eq(approvals::id)))
            .filter(approvals::id.eq(id.to_string()))
            .select((users::email.nullable(), pending_signups::email.nullable()));
        let found: Option<(Option<String>, Option<String>)> = find!(self, query);
        Ok(found.and_then(|(users, pending)| users.or(pending)).map(Email::from_stored))
    }

    /// Returns the open approvals that were started in a session.
    pub async fn open_approvals_of_session(&self, session: SessionId) -> Result<Vec<ApprovalId>, StoreError> {
        let started = confirmations::table
            .filter(confirmations::session_id.eq(session.to_string()))
            .filter(confirmations::usable_until.is_null())
            .select(confirmations::approval_id);
        let query = approvals::table
            .filter(approvals::id.eq_any(started))
            .filter(approvals::settled_at.is_null())
            .select(approvals::id);
        let found: Vec<String> = on!(self, |conn| query.load(conn).await?);
        approval_ids(&found)
    }

    /// Returns the open approvals of a user.
    pub async fn open_approvals_of_user(&self, user: UserId) -> Result<Vec<ApprovalId>, StoreError> {
        let query = approvals::table
            .filter(approvals::user_id.eq(Some(user.to_string())))
            .filter(approvals::settled_at.is_null())
            .select(approvals::id);
        let found: Vec<String> = on!(self, |conn| query.load(conn).await?);
        approval_ids(&found)
    }

    /// Returns the approvals that changed since then, with their sequence numbers. Watchers that missed a notification catch up
    /// with it.
    pub async fn approvals_changed_since(
        &self,
        since: DateTime<Utc>,
    ) -> Result<Vec<(ApprovalId, i32)>, StoreError> {
        let changed = approvals::table.filter(approvals::changed_at.gt(Some(At(since))));
        let query = changed.select((approvals::id, approvals::sequence));
        let found: Vec<(String, i32)> = on!(self, |conn| query.load(conn).await?);
        found
            .into_iter()
            .map(|(id, sequence)| Ok((read(ApprovalId::parse(&id), "approvals", "id")?, sequence)))
            .collect()
    }
}

fn approval_ids(ids: &[String]) -> Result<Vec<ApprovalId>, StoreError> {
    ids.iter().map(|id| read(ApprovalId::parse(id), "approvals", "id")).collect()
}

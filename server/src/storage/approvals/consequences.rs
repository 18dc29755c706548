//! What follows from settling an approval, in the transaction that settles it: the user and the session that it opens, the operation that it
//! allows, or the session that a denial ends. Each is a macro, since the statements are compiled for both databases.

use diesel::prelude::*;

use super::settlement::Settlement;
use crate::{
    model::Approval,
    storage::{
        columns::At,
        schema::{enrollments, pending_signups, sessions, users},
    },
};

/// Creates the user of a signup, unless a user has the email. Returns whether it did.
macro_rules! create_user {
    ($conn:expr, $pending:expr, $approval:expr, $how:expr) => {{
        let password_hash = PasswordHash::new($pending.password_hash.clone());
        let user = diesel::insert_into(users::table).values($pending.into_user($how));
        let is_new = user.on_conflict_do_nothing().execute($conn).await? == 1;
        if is_new {
            if let Some(enrollment) = enrollment($how, $approval) {
                diesel::insert_into(enrollments::table).values(enrollment).execute($conn).await?;
            }
            count_hash_parameters!($conn, password_hash.parameters(), 1_i64, $how.at);
        }
        is_new
    }};
}

/// Ends the pending signup of an approval: if it is approved, its user is created. Gives the user, and the effect: a user may have the email
/// already.
macro_rules! end_signup {
    ($conn:expr, $approval:expr, $effect:expr, $how:expr) => {{
        let pending = diesel::delete(pending_signups::table.find($approval.id.to_string()))
            .returning(PendingSignupRow::as_returning());
        let pending: Option<PendingSignupRow> = pending.get_result($conn).await.optional()?;
        match pending {
            Some(pending) if $effect.approves() => {
                if create_user!($conn, pending, $approval, $how) {
                    (Some($how.user_id), $effect)
                } else {
                    (None, Effect::fail(ApprovalFailure::EmailTaken))
                }
            }
            _ => ($approval.user_id, $effect),
        }
    }};
}

/// Opens the session of a login, and makes its browser a known device.
macro_rules! open_session {
    ($conn:expr, $approval:expr, $user_id:expr, $decision:expr, $how:expr) => {{
        let granted = session_grants::table.find($approval.id.to_string()).select((
            session_grants::session_token_hash,
            session_grants::device_token_hash,
            session_grants::browser,
        ));
        let granted: (String, String, Option<String>) = granted.get_result($conn).await?;
        let (token_hash, device_token_hash, browser) = granted;
        let session = NewSessionRow {
            id: $how.session_id.to_string(),
            token_hash,
            user_id: $user_id.to_string(),
            login_id: $approval.id.to_string(),
            created_at: At($how.at),
            expires_at: At($how.session_expires_at),
            confirmed_at: At($how.at),
            amr: $approval.amr($decision),
            last_used_at: At($how.at),
            browser,
            network: $approval.network.as_deref(),
        };
        diesel::insert_into(sessions::table).values(session).execute($conn).await?;
        know_device!($conn, $approval, $user_id, device_token_hash, $how);
    }};
}

/// Allows the operation that was to be confirmed. `STEP_UP` is none: it only marks the session as confirmed.
macro_rules! allow_operation {
    ($conn:expr, $approval:expr, $decision:expr, $how:expr) => {{
        let this = $approval.id.to_string();
        let asked =
            confirmations::table.find(&this).select((confirmations::session_id, confirmations::operation));
        let (session_id, operation): (String, String) = asked.get_result($conn).await?;
        if SensitiveOperation::parse(&operation) == Some(SensitiveOperation::StepUp) {
            let confirmed =
                (sessions::confirmed_at.eq(At($how.at)), sessions::amr.eq($approval.amr($decision)));
            diesel::update(sessions::table.find(session_id)).set(confirmed).execute($conn).await?;
        } else {
            let usable = confirmations::usable_until.eq(Some(At($how.usable_until)));
            diesel::update(confirmations::table.find(&this)).set(usable).execute($conn).await?;
        }
    }};
}

/// Ends the session that an approval opened or, for CONFIRM, the one that asked, and forgets its device: its client is not its user.
macro_rules! end_session {
    ($conn:expr, $approval:expr, $how:expr) => {{
        let this = $approval.id.to_string();
        // The session, and the login that opened it.
        let session: Option<(String, Option<String>)> = match $approval.purpose.on_approved() {
            OnApproved::AllowOperation => {
                let asking = confirmations::table
                    .inner_join(sessions::table)
                    .filter(confirmations::approval_id.eq(&this));
                asking.select((sessions::id, sessions::login_id)).get_result($conn).await.optional()?
            }
            OnApproved::CreateUserAndSession | OnApproved::OpenSession => {
                let opened = sessions::table.filter(sessions::login_id.eq(Some(&this)));
                opened.select((sessions::id, sessions::login_id)).get_result($conn).await.optional()?
            }
        };
        let (session, login) = session.unzip();
        let live =
            sessions::table.find(session.clone().unwrap_or_default()).filter(sessions::revoked_at.is_null());
        let revoke = diesel::update(live).set(sessions::revoked_at.eq(Some(At($how.at))));
        let was_live = revoke.execute($conn).await? == 1;
        // Also of a session that has ended before: its client is not its user.
        forget_devices_of!($conn, $approval, login.flatten().unwrap_or(this));
        let session = session.filter(|_| was_live);
        read_optional(session.as_deref(), SessionId::parse, "sessions", "id")?
    }};
}

pub(super) use {allow_operation, create_user, end_session, end_signup, open_session};

#[derive(Queryable, Selectable)]
#[diesel(table_name = pending_signups)]
pub(super) struct PendingSignupRow {
    full_name: String,
    email: String,
    country_code: String,
    phone: String,
    pub(super) password_hash: String,
}

#[derive(Insertable)]
#[diesel(table_name = users)]
pub(super) struct NewUserRow {
    id: String,
    full_name: String,
    email: String,
    country_code: String,
    phone: String,
    password_hash: String,
    security_version: i32,
    created_at: At,
}

#[derive(Insertable)]
#[diesel(table_name = enrollments)]
pub(super) struct NewEnrollmentRow<'a> {
    user_id: String,
    provider: &'a str,
    provider_user_id: &'a str,
    created_at: At,
}

#[derive(Insertable)]
#[diesel(table_name = sessions)]
pub(super) struct NewSessionRow<'a> {
    pub(super) id: String,
    pub(super) token_hash: String,
    pub(super) user_id: String,
    pub(super) login_id: String,
    pub(super) created_at: At,
    pub(super) expires_at: At,
    pub(super) confirmed_at: At,
    pub(super) amr: &'a str,
    pub(super) last_used_at: At,
    pub(super) browser: Option<String>,
    pub(super) network: Option<&'a str>,
}

impl PendingSignupRow {
    pub(super) fn into_user(self, how: &Settlement) -> NewUserRow {
        NewUserRow {
            id: how.user_id.to_string(),
            full_name: self.full_name,
            email: self.email,
            country_code: self.country_code,
            phone: self.phone,
            password_hash: self.password_hash,
            security_version: 0,
            created_at: At(how.at),
        }
    }
}

/// The enrollment of a new user, if a provider that pushes enrolled them.
pub(super) fn enrollment<'a>(how: &Settlement, approval: &'a Approval) -> Option<NewEnrollmentRow<'a>> {
    approval.push.as_ref().map(|push| NewEnrollmentRow {
        user_id: how.user_id.to_string(),
        provider: &push.provider,
        provider_user_id: push.user.as_str(),
        created_at: At(how.at),
    })
}

//! Storing a new approval, with what approving it does.

use chrono::{DateTime, Utc};
use diesel::{prelude::*, result::Error as DieselError};
use diesel_async::RunQueryDsl;

use crate::{
    model::{
        ApprovalId, ApprovalState, ApprovalStep, BudgetKey, CodeSource, DeliveryMethod, DeviceId,
        PendingSignup, Phone, Purpose, PushRecipient, SensitiveOperation, SessionId, SessionSalt, TokenHash,
        User,
    },
    storage::{
        LimitChanges, Store, StoreError, Taken, UsedUp,
        columns::At,
        limit_changes::Failure,
        limit_rows::change_limits,
        on,
        schema::{approvals, confirmations, pending_signups, rate_limits, session_grants},
        sqlite::Commit,
        transact_as,
    },
};

/// An approval to store.
#[derive(Debug)]
pub struct NewApproval<'a> {
    /// Its id.
    pub id: ApprovalId,
    /// What approving it does.
    pub consequence: &'a Consequence<'a>,
    /// The phone that answers.
    pub phone: &'a Phone,
    /// The hash of its login token.
    pub token: TokenHash,
    /// Shown here and on the phone; differs from those of the phone's other open approvals.
    pub match_number: Option<&'a str>,
    /// The rate limit that holds its slot among the phone's open pushes.
    pub push_slot: Option<&'a BudgetKey>,
    /// The known device that starts it.
    pub device_id: Option<DeviceId>,
    /// The network that starts it, if known.
    pub network: Option<&'a str>,
    /// Whom a provider pushes to, if one can.
    pub push: Option<&'a PushRecipient>,
    /// Where a code that an app shows is checked, if one shows any.
    pub code: Option<&'a CodeSource>,
    /// Now.
    pub created_at: DateTime<Utc>,
    /// Its deadline.
    pub expires_at: DateTime<Utc>,
}

/// What approving a new approval does, stored with it.
#[derive(Debug)]
pub enum Consequence<'a> {
    /// A user is created, and a session is opened for them.
    CreateUser(&'a PendingSignup, NewSessionGrant<'a>),
    /// A session of this user is opened.
    OpenSession(&'a User, NewSessionGrant<'a>),
    /// The operation is allowed once in that session of the user.
    AllowOperation(&'a User, SessionId, SensitiveOperation),
}

/// What a login needs to open its session.
#[derive(Debug)]
pub struct NewSessionGrant<'a> {
    /// The hash of the session token that is derived from the login token.
    pub session_token: TokenHash,
    /// The hash of the device token that is derived from it too.
    pub device_token: TokenHash,
    /// What derives them.
    pub salt: &'a SessionSalt,
    /// How the session is delivered.
    pub delivery: DeliveryMethod,
    /// The browser and system that the request named.
    pub browser: Option<&'a str>,
}

impl Consequence<'_> {
    /// The purpose of an approval with this consequence.
    #[must_use]
    pub fn purpose(&self) -> Purpose {
        match self {
            Self::CreateUser(..) => Purpose::Signup,
            Self::OpenSession(..) => Purpose::Login,
            Self::AllowOperation(..) => Purpose::Confirm,
        }
    }

    fn user(&self) -> Option<&User> {
        match self {
            Self::CreateUser(..) => None,
            Self::OpenSession(user, _) | Self::AllowOperation(user, ..) => Some(user),
        }
    }

    fn grant(&self) -> Option<&NewSessionGrant<'_>> {
        match self {
            Self::CreateUser(_, grant) | Self::OpenSession(_, grant) => Some(grant),
            Self::AllowOperation(..) => None,
        }
    }
}

/// The result of [`Store::start_approval`].
#[derive(Debug)]
pub enum Insertion {
    /// It is stored, and this is reserved.
    Stored(Vec<Taken>),
    /// Nothing is stored: another open login of the phone has its match number.
    NumberTaken,
    /// Nothing is stored: this limit is exhausted.
    Exhausted(UsedUp),
}

/// Why the transaction stored nothing.
pub(in crate::storage) enum InsertFailure {
    Limit(Failure),
    NumberTaken,
}

impl From<Failure> for InsertFailure {
    fn from(failure: Failure) -> Self {
        Self::Limit(failure)
    }
}

impl From<DieselError> for InsertFailure {
    fn from(error: DieselError) -> Self {
        Self::Limit(error.into())
    }
}

#[derive(Insertable)]
#[diesel(table_name = approvals)]
struct NewApprovalRow<'a> {
    id: String,
    purpose: &'static str,
    state: &'static str,
    next_step: &'static str,
    sequence: i32,
    user_id: Option<String>,
    security_version: Option<i32>,
    phone: &'a str,
    token_hash: &'a str,
    match_number: Option<&'a str>,
    push_slot: Option<&'a str>,
    push_provider: Option<&'a str>,
    push_user: Option<&'a str>,
    code_provider: Option<&'a str>,
    code_handle: Option<&'a str>,
    tries_taken: i32,
    wrong_codes: i32,
    resend_available_at: At,
    poll_count: i32,
    created_at: At,
    expires_at: At,
    device_id: Option<String>,
    network: Option<&'a str>,
}

#[derive(Insertable)]
#[diesel(table_name = session_grants)]
struct NewGrantRow<'a> {
    approval_id: String,
    session_token_hash: &'a str,
    device_token_hash: &'a str,
    salt: String,
    delivery: &'static str,
    browser: Option<&'a str>,
}

#[derive(Insertable)]
#[diesel(table_name = pending_signups)]
struct PendingSignupRow<'a> {
    approval_id: String,
    full_name: &'a str,
    email: &'a str,
    country_code: &'a str,
    phone: &'a str,
    password_hash: &'a str,
}

#[derive(Insertable)]
#[diesel(table_name = confirmations)]
struct NewConfirmationRow {
    approval_id: String,
    session_id: String,
    operation: &'static str,
}

impl<'a> NewApproval<'a> {
    fn row(&'a self) -> NewApprovalRow<'a> {
        let user = self.consequence.user();
        NewApprovalRow {
            id: self.id.to_string(),
            purpose: self.consequence.purpose().as_str(),
            state: ApprovalState::Pending.as_str(),
            // Until a push is known to be sent.
            next_step: ApprovalStep::EnterCode.as_str(),
            sequence: 1,
            user_id: user.map(|user| user.id.to_string()),
            security_version: user.map(|user| user.security_version),
            phone: self.phone.e164(),
            token_hash: self.token.as_str(),
            match_number: self.match_number,
            push_slot: self.push_slot.map(BudgetKey::as_str),
            push_provider: self.push.map(|push| &*push.provider),
            push_user: self.push.map(|push| push.user.as_str()),
            code_provider: self.code.map(|code| &*code.provider),
            code_handle: self.code.map(|code| code.handle.as_str()),
            tries_taken: 0,
            wrong_codes: 0,
            resend_available_at: At(self.created_at),
            poll_count: 0,
            created_at: At(self.created_at),
            expires_at: At(self.expires_at),
            device_id: self.device_id.map(|id| id.to_string()),
            network: self.network,
        }
    }

    fn grant_row(&'a self) -> Option<NewGrantRow<'a>> {
        self.consequence.grant().map(|grant| NewGrantRow {
            approval_id: self.id.to_string(),
            session_token_hash: grant.session_token.as_str(),
            device_token_hash: grant.device_token.as_str(),
            salt: grant.salt.to_stored(),
            delivery: grant.delivery.as_str(),
            browser: grant.browser,
        })
    }

    fn signup_row(&'a self) -> Option<PendingSignupRow<'a>> {
        let Consequence::CreateUser(signup, _) = self.consequence else { return None };
        Some(PendingSignupRow {
            approval_id: self.id.to_string(),
            full_name: signup.full_name.as_str(),
            email: signup.email.as_str(),
            country_code: signup.phone.country_code().digits(),
            phone: signup.phone.e164(),
            password_hash: signup.password_hash.as_str(),
        })
    }

    fn confirmation_row(&self) -> Option<NewConfirmationRow> {
        let Consequence::AllowOperation(_, session, operation) = self.consequence else { return None };
        Some(NewConfirmationRow {
            approval_id: self.id.to_string(),
            session_id: session.to_string(),
            operation: operation.as_str(),
        })
    }
}

impl Store {
    /// Returns the match numbers of one phone's open approvals.
    pub async fn match_numbers_in_use(&self, phone: &Phone) -> Result<Vec<String>, StoreError> {
        let query = approvals::table
            .filter(approvals::phone.eq(phone.e164()))
            .filter(approvals::settled_at.is_null())
            .filter(approvals::match_number.is_not_null())
            .select(approvals::match_number.assume_not_null());
        Ok(on!(self, |conn| query.load(conn).await?))
    }

    /// Stores a new approval and changes rate limits with it, or does neither.
    ///
    /// An approval with a push need survive a power cut only once the result of the push is stored: its token is returned after that.
    pub async fn start_approval(
        &self,
        new: &NewApproval<'_>,
        changes: &LimitChanges<'_>,
    ) -> Result<Insertion, StoreError> {
        let (row, at) = (new.row(), new.created_at.timestamp_micros());
        let (grant, signup, confirmation) = (new.grant_row(), new.signup_row(), new.confirmation_row());
        let commit = if new.push_slot.is_some() { Commit::Light } else { Commit::Durable };
        let inserted = transact_as!(self, commit, async |conn| {
            // The approval before the limits, as where one is settled: of two transactions, one waits and none is stuck.
            let approval = diesel::insert_into(approvals::table).values(&row).on_conflict_do_nothing();
            if approval.execute(conn).await? == 0 {
                return Err(InsertFailure::NumberTaken);
            }
            if let Some(grant) = &grant {
                diesel::insert_into(session_grants::table).values(grant).execute(conn).await?;
            }
            if let Some(signup) = &signup {
                diesel::insert_into(pending_signups::table).values(signup).execute(conn).await?;
            }
            if let Some(confirmation) = &confirmation {
                diesel::insert_into(confirmations::table).values(confirmation).execute(conn).await?;
            }
            Ok::<_, InsertFailure>(change_limits!(conn, changes, at))
        });
        match inserted {
            Ok(reserved) => Ok(Insertion::Stored(reserved)),
            Err(InsertFailure::NumberTaken) => Ok(Insertion::NumberTaken),
            Err(InsertFailure::Limit(Failure::Database(error))) => Err(error.into()),
            Err(InsertFailure::Limit(Failure::UsedUp(key))) => {
                let limits = [changes.reserved, changes.required].concat();
                Ok(Insertion::Exhausted(self.exhausted(&limits, key, new.created_at).await?))
            }
        }
    }
}

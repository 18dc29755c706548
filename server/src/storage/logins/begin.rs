//! A login's first row.

use chrono::{DateTime, Utc};
use diesel::{prelude::*, result::Error as DieselError};
use diesel_async::RunQueryDsl;

use crate::{
    model::{
        BudgetKey, DeliveryMethod, DeviceId, LoginId, LoginPurpose, LoginState, LoginStep, PendingSignup,
        Phone, ProviderUserId, SessionSalt, TokenHash, UserId,
    },
    storage::{
        LimitChanges, Store, StoreError, Taken, UsedUp,
        budgets::{Failure, change_limits, release, take},
        columns::At,
        on,
        schema::{budgets, logins, pending_signups},
        sqlite::Commit,
        transact_as,
    },
};

/// What a login begins with.
#[derive(Debug)]
pub struct NewLogin<'a> {
    /// Its id.
    pub id: LoginId,
    /// Whose it is; `None` for a signup.
    pub user_id: Option<UserId>,
    /// What becomes a user when the phone is proven; `None` for a login.
    pub signup: Option<&'a PendingSignup>,
    /// The phone that is asked.
    pub phone: &'a Phone,
    /// The hash of its login token.
    pub login_token: TokenHash,
    /// The hash of the session token that is derived from it.
    pub session_token: TokenHash,
    /// The hash of the device token that is derived from it too.
    pub device_token: TokenHash,
    /// What derives them.
    pub session_salt: &'a SessionSalt,
    /// How its session is delivered.
    pub session_delivery: DeliveryMethod,
    /// Shown here and on the phone; differs from those of the phone's other open logins.
    pub match_number: Option<&'a str>,
    /// What holds its place among the phone's open pushes.
    pub push_place: Option<&'a BudgetKey>,
    /// The known device that it comes from.
    pub device_id: Option<DeviceId>,
    /// The network that it comes from, where that is known.
    pub network: Option<&'a str>,
    /// Who runs the second factor.
    pub provider: &'a str,
    /// How they know the person.
    pub provider_user_id: &'a ProviderUserId,
    /// Now.
    pub created_at: DateTime<Utc>,
    /// Its deadline.
    pub expires_at: DateTime<Utc>,
}

/// The result of [`Store::begin_login`].
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
#[diesel(table_name = logins)]
struct NewLoginRow<'a> {
    id: String,
    purpose: &'static str,
    state: &'static str,
    next_step: &'static str,
    sequence: i32,
    user_id: Option<String>,
    phone: &'a str,
    login_token_hash: &'a str,
    session_token_hash: &'a str,
    session_salt: String,
    readable_until: At,
    match_number: Option<&'a str>,
    provider: &'a str,
    provider_user_id: &'a str,
    tries_taken: i32,
    wrong_codes: i32,
    resend_available_at: At,
    asks: i32,
    created_at: At,
    expires_at: At,
    changed_at: At,
    device_id: Option<String>,
    device_token_hash: &'a str,
    network: Option<&'a str>,
    push_place: Option<&'a str>,
    session_delivery: &'static str,
}

#[derive(Insertable)]
#[diesel(table_name = pending_signups)]
struct PendingSignupRow<'a> {
    login_id: String,
    full_name: &'a str,
    email: &'a str,
    country_code: &'a str,
    phone: &'a str,
    password_hash: &'a str,
}

impl<'a> NewLogin<'a> {
    fn row(&'a self) -> NewLoginRow<'a> {
        let purpose = if self.signup.is_some() { LoginPurpose::Signup } else { LoginPurpose::Login };
        NewLoginRow {
            id: self.id.to_string(),
            purpose: purpose.as_str(),
            state: LoginState::Pending.as_str(),
            // Until a push is known to be out.
            next_step: LoginStep::EnterCode.as_str(),
            sequence: 1,
            user_id: self.user_id.map(|id| id.to_string()),
            phone: self.phone.e164(),
            login_token_hash: self.login_token.as_str(),
            session_token_hash: self.session_token.as_str(),
            session_salt: self.session_salt.to_stored(),
            readable_until: At(self.expires_at),
            match_number: self.match_number,
            provider: self.provider,
            provider_user_id: self.provider_user_id.as_str(),
            tries_taken: 0,
            wrong_codes: 0,
            resend_available_at: At(self.created_at),
            asks: 0,
            created_at: At(self.created_at),
            expires_at: At(self.expires_at),
            changed_at: At(self.created_at),
            device_id: self.device_id.map(|id| id.to_string()),
            device_token_hash: self.device_token.as_str(),
            network: self.network,
            push_place: self.push_place.map(BudgetKey::as_str),
            session_delivery: self.session_delivery.as_str(),
        }
    }

    fn signup_row(&'a self) -> Option<PendingSignupRow<'a>> {
        self.signup.map(|signup| PendingSignupRow {
            login_id: self.id.to_string(),
            full_name: signup.full_name.as_str(),
            email: signup.email.as_str(),
            country_code: signup.phone.country_code().digits(),
            phone: signup.phone.e164(),
            password_hash: signup.password_hash.as_str(),
        })
    }
}

impl Store {
    /// The match numbers of the open logins of one phone.
    pub async fn match_numbers_in_use(&self, phone: &Phone) -> Result<Vec<String>, StoreError> {
        let query = logins::table
            .filter(logins::phone.eq(phone.e164()))
            .filter(logins::settled_at.is_null())
            .filter(logins::match_number.is_not_null())
            .select(logins::match_number.assume_not_null());
        Ok(on!(self, |conn| query.load(conn).await?))
    }

    /// Stores a new login and changes rate limits with it, or does neither.
    ///
    /// A login with a push need survive a power cut only once the result of the push is stored: its token is returned after that.
    pub async fn begin_login(
        &self,
        new: &NewLogin<'_>,
        changes: &LimitChanges<'_>,
    ) -> Result<Insertion, StoreError> {
        let (row, signup, at) = (new.row(), new.signup_row(), new.created_at.timestamp_micros());
        let commit = if new.push_place.is_some() { Commit::Light } else { Commit::Durable };
        let inserted = transact_as!(self, commit, async |conn| {
            // The login before the limits, as where one is settled: of two transactions, one waits and none is stuck.
            let login = diesel::insert_into(logins::table).values(&row).on_conflict_do_nothing();
            if login.execute(conn).await? == 0 {
                return Err(InsertFailure::NumberTaken);
            }
            if let Some(signup) = &signup {
                diesel::insert_into(pending_signups::table).values(signup).execute(conn).await?;
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

//! The one place where a login is settled: callback, code, asking, cancelling and the clock all end here.
//!
//! One transaction. Its first statement takes the row, so that of two decisions the second finds what the first left;
//! what follows from that is [`Decision::effect`]'s to say. Settling a login and opening its session are one.

#![expect(clippy::ref_option_ref, reason = "what diesel's derive makes of optional words")]

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::LoginRow;
use crate::{
    model::{
        AfterDenial, ApprovalRequestId, CodeChannel, Decision, DeviceId, Effect, Login, LoginFailure,
        LoginId, LoginPurpose, LoginState, LoginStep, PasswordHash, SessionId, SessionSalt, UserId, Verdict,
        readable_until,
    },
    storage::{
        Store, StoreError,
        budgets::{Taking, charge, end_hold, take},
        columns::{At, read_optional},
        devices::{forget_devices_of, know_device},
        hash_parameters::count_hash_parameters,
        schema::{budgets, devices, enrollments, hash_parameters, logins, pending_signups, sessions, users},
        transact,
    },
};

/// What settling needs to know besides the decision.
pub struct Settlement {
    /// Now.
    pub at: DateTime<Utc>,
    /// The push that the verdict speaks of, to be written down where it is not yet.
    pub push: Option<ApprovalRequestId>,
    /// The id of the session, where one is opened.
    pub session_id: SessionId,
    /// When that session ends.
    pub session_expires_at: DateTime<Utc>,
    /// The id of the user, where a signup becomes one.
    pub user_id: UserId,
    /// The id of the device, where it was not known before.
    pub device_id: DeviceId,
    /// Until when the device is known.
    pub device_expires_at: DateTime<Utc>,
    /// Which logins a code may still approve after a denial.
    pub after_denial: AfterDenial,
    /// What it costs that the phone has denied this login, where that is what was decided.
    pub cost_of_denial: CostOfDenial,
}

/// What it costs that a phone has denied a login.
pub type CostOfDenial = Box<dyn Fn(&Login) -> Vec<Taking> + Send + Sync>;

/// What settling came to.
#[derive(Debug)]
pub struct Settled {
    /// The login as it is now.
    pub login: Login,
    /// What the decision did to it.
    pub effect: Effect,
    /// The session that a late denial ended.
    pub ended_session: Option<SessionId>,
}

/// Whatever a verdict means for its login: the push no longer lies open on the phone.
macro_rules! free_place {
    ($conn:expr, $login:expr, $decision:expr, $how:expr) => {
        if let (Some(_), Some(place)) = ($decision.verdict(), &$login.push_place) {
            end_hold!($conn, place.as_str(), $login.expires_at, $how.at);
        }
    };
}

/// Ends the session that a login opened, and forgets the device: whoever was in it is not its user.
macro_rules! end_session {
    ($conn:expr, $login:expr, $how:expr) => {{
        let login_id = $login.id.to_string();
        let live =
            sessions::table.filter(sessions::login_id.eq(login_id)).filter(sessions::revoked_at.is_null());
        let revoke =
            diesel::update(live).set(sessions::revoked_at.eq(Some(At($how.at)))).returning(sessions::id);
        let revoked: Option<String> = revoke.get_result($conn).await.optional()?;
        forget_devices_of!($conn, $login);
        read_optional(revoked.as_deref(), SessionId::parse, "sessions", "id")?
    }};
}

/// Makes a signup a user, unless somebody has the email. Returns whether it did.
macro_rules! create_user {
    ($conn:expr, $pending:expr, $login:expr, $provider:expr, $how:expr) => {{
        let password_hash = PasswordHash::new($pending.password_hash.clone());
        let user = diesel::insert_into(users::table).values($pending.into_user($how));
        let is_new = user.on_conflict_do_nothing().execute($conn).await? == 1;
        if is_new {
            let enrollment = enrollment($how, $provider, $login);
            diesel::insert_into(enrollments::table).values(enrollment).execute($conn).await?;
            count_hash_parameters!($conn, password_hash.parameters(), 1_i64, $how.at);
        }
        is_new
    }};
}

impl Store {
    /// Decides a login, exactly once. `None`: there is no such login.
    pub async fn settle(
        &self,
        id: LoginId,
        decision: Decision,
        how: &Settlement,
    ) -> Result<Option<Settled>, StoreError> {
        let this = id.to_string();
        transact!(self, async |conn| {
            // A write, although nothing changes: it takes the row before anything is read.
            let taken =
                diesel::update(logins::table.find(&this)).set(logins::asks.eq(logins::asks)).returning((
                    LoginRow::as_returning(),
                    logins::session_token_hash,
                    logins::device_token_hash,
                    logins::provider,
                ));
            let taken: Option<(LoginRow, String, Option<String>, String)> =
                taken.get_result(conn).await.optional()?;
            let Some((row, token_hash, device_token_hash, provider)) = taken else {
                return Ok(None);
            };
            let found = Login::try_from(row)?;
            free_place!(conn, &found, decision, how);
            let mut effect = decision.effect(&found, how.after_denial);
            if effect == Effect::Ignore {
                return Ok(Some(Settled { login: found, effect, ended_session: None }));
            }
            if decision.verdict() == Some(Verdict::Denied) {
                charge!(conn, &(how.cost_of_denial)(&found), how.at);
            }
            let mut user_id = found.user_id;
            if effect.ends_the_login() {
                let pending = diesel::delete(pending_signups::table.find(&this))
                    .returning(PendingSignupRow::as_returning());
                let pending: Option<PendingSignupRow> = match found.purpose {
                    LoginPurpose::Signup => pending.get_result(conn).await.optional()?,
                    LoginPurpose::Login => None,
                };
                if let (Some(pending), true) = (pending, effect.opens_a_session()) {
                    if create_user!(conn, pending, &found, &provider, how) {
                        user_id = Some(how.user_id);
                    } else {
                        effect = Effect::EMAIL_TAKEN;
                    }
                }
            }
            let change = Change::of(&found, user_id, decision, effect, how);
            let login =
                diesel::update(logins::table.find(&this)).set(change).returning(LoginRow::as_returning());
            let login: LoginRow = login.get_result(conn).await?;
            if let (true, Some(user_id)) = (effect.opens_a_session(), user_id) {
                let session = session(how, token_hash, user_id, &this);
                diesel::insert_into(sessions::table).values(session).execute(conn).await?;
                if let Some(token_hash) = device_token_hash {
                    know_device!(conn, &found, user_id, token_hash, how);
                }
            }
            let ended_session =
                if effect == Effect::EndSession { end_session!(conn, &found, how) } else { None };
            Ok(Some(Settled { login: login.try_into()?, effect, ended_session }))
        })
    }
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = pending_signups)]
struct PendingSignupRow {
    full_name: String,
    email: String,
    country_code: String,
    phone: String,
    password_hash: String,
}

#[derive(Insertable)]
#[diesel(table_name = users)]
struct NewUserRow {
    id: String,
    full_name: String,
    email: String,
    country_code: String,
    phone: String,
    password_hash: String,
    created_at: At,
}

#[derive(Insertable)]
#[diesel(table_name = enrollments)]
struct NewEnrollmentRow<'a> {
    user_id: String,
    provider: &'a str,
    provider_user_id: &'a str,
    created_at: At,
}

#[derive(Insertable)]
#[diesel(table_name = sessions)]
struct NewSessionRow<'a> {
    id: String,
    token_hash: String,
    user_id: String,
    login_id: &'a str,
    created_at: At,
    expires_at: At,
}

impl PendingSignupRow {
    fn into_user(self, how: &Settlement) -> NewUserRow {
        NewUserRow {
            id: how.user_id.to_string(),
            full_name: self.full_name,
            email: self.email,
            country_code: self.country_code,
            phone: self.phone,
            password_hash: self.password_hash,
            created_at: At(how.at),
        }
    }
}

fn enrollment<'a>(how: &Settlement, provider: &'a str, login: &'a Login) -> NewEnrollmentRow<'a> {
    NewEnrollmentRow {
        user_id: how.user_id.to_string(),
        provider,
        provider_user_id: login.provider_user_id.as_str(),
        created_at: At(how.at),
    }
}

fn session<'a>(
    how: &Settlement,
    token_hash: String,
    user_id: UserId,
    login_id: &'a str,
) -> NewSessionRow<'a> {
    NewSessionRow {
        id: how.session_id.to_string(),
        token_hash,
        user_id: user_id.to_string(),
        login_id,
        created_at: At(how.at),
        expires_at: At(how.session_expires_at),
    }
}

/// All that a decision can change of a login's row.
#[derive(AsChangeset)]
#[diesel(table_name = logins, treat_none_as_null = true)]
struct Change {
    state: &'static str,
    next_step: &'static str,
    failure: Option<&'static str>,
    sequence: i32,
    user_id: Option<String>,
    session_salt: Option<String>,
    approval_request_id: Option<String>,
    verdict: Option<&'static str>,
    code_channel: Option<&'static str>,
    ask_at: Option<At>,
    changed_at: At,
}

/// When a login ends, and until when it can be read then.
#[derive(AsChangeset)]
#[diesel(table_name = logins)]
struct End {
    settled_at: Option<At>,
    readable_until: Option<At>,
}

impl Change {
    fn of(
        found: &Login,
        user_id: Option<UserId>,
        decision: Decision,
        effect: Effect,
        how: &Settlement,
    ) -> (Self, End) {
        let verdict = decision.verdict().or(found.verdict);
        let push = found.approval_request_id.as_ref().or(how.push.as_ref());
        let (state, failure) = match effect {
            Effect::Settle { state, failure } => (state, failure),
            _ => (found.state, found.failure),
        };
        let ends = effect.ends_the_login();
        let is_denied = matches!(effect, Effect::Settle { state: LoginState::Denied, .. });
        // A code got in, and the phone can still say that it was somebody else's.
        let stays_asked =
            effect.opens_a_session() && verdict.is_none() || state.is_open() && verdict.is_none();
        let change = Self {
            state: state.as_str(),
            next_step: if state.is_open() { LoginStep::EnterCode } else { LoginStep::None }.as_str(),
            failure: failure.map(LoginFailure::as_str),
            sequence: if effect == Effect::Record { found.sequence } else { found.sequence + 1 },
            user_id: user_id.map(|id| id.to_string()),
            session_salt: found
                .session_salt
                .as_ref()
                .filter(|_| effect != Effect::EndSession)
                .map(SessionSalt::to_stored),
            approval_request_id: push.map(|push| push.as_str().to_owned()),
            verdict: verdict.map(Verdict::as_str),
            // What was sent before a denial counts no more: another code has to be asked for.
            code_channel: found.code_channel.filter(|_| !is_denied).map(CodeChannel::as_str),
            ask_at: found.ask_at.filter(|_| stays_asked).map(At),
            changed_at: At(how.at),
        };
        let end = End {
            settled_at: ends.then_some(At(how.at)),
            readable_until: ends.then(|| At(readable_until(found.expires_at, how.at))),
        };
        (change, end)
    }
}

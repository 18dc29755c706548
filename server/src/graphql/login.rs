//! Logins: beginning one, typing a code, asking for another, giving up, and how it stands.

use async_graphql::{Context, Enum, InputObject, Object, Result, SimpleObject};
use chrono::{DateTime, Utc};

use super::{
    NotInUrl, api, client_info,
    error::{LoginError, LoginErrorCode, internal, seconds},
    session::{Session, SessionDelivery},
};
use crate::{
    approvals::{ApprovalStatus, CodeTrouble, StartError},
    logins::StartedLogin,
    model::{self, LoginToken},
    users::{CheckError, Credential, PasswordError, Recognised},
};

/// Where a login stands. More may come: where you do not know one, go by `nextStep`.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "model::ApprovalState")]
pub enum LoginState {
    /// It waits for the phone or a code: `nextStep` says for which.
    Pending,
    /// Approved. The end. A signup or login has a `session`; a confirmation allows its operation.
    Approved,
    /// The phone denied the login, and a code may still approve it: call `resendToken`. Codes that were sent before the denial
    /// are rejected.
    Denied,
    /// Neither an approval nor a right code came in time. The end: begin again.
    Expired,
    /// It ended otherwise; `failure` says why. The end: begin again.
    Failed,
}

/// What the person does next: what to show them.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "model::ApprovalStep")]
pub enum LoginStep {
    /// Approve the push on their phone, after comparing the number. Show `matchNumber`, and wait. A code that they type is
    /// taken as well.
    ApproveOnPhone,
    /// Type a code. Show a field for it; `codeChannel` tells where the code is found.
    EnterCode,
    /// Nothing: the login is over, and this is its last status. Go by `state`.
    None,
}

/// What a login is for.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "model::Purpose")]
pub enum LoginPurpose {
    /// To prove the phone of a new account, which then exists and is signed in.
    Signup,
    /// To sign in with an account.
    Login,
    /// Confirms that the signed-in user is present, before a sensitive change. Opens no session.
    Confirm,
}

/// Why a login is `FAILED`.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "model::ApprovalFailure")]
pub enum LoginFailure {
    /// Too many codes were wrong: five, unless the service is set otherwise.
    TooManyWrongCodes,
    /// The person gave up, by `cancelLogin`.
    Cancelled,
    /// A signup whose email has a user already; told only now that its phone is proven. They may log in instead.
    EmailTaken,
    /// The phone denied the login, and no code may approve it: a signup, a confirmation, or a login without the device token of a
    /// known browser. The setting `AFTER_DENIAL` changes this for logins.
    Denied,
    /// The session that started this login has ended.
    SessionEnded,
    /// The password, email, phone or factors of the account changed after this login was started. Start again.
    AccountChanged,
}

/// How a code reaches a person.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "model::CodeChannel")]
pub enum CodeChannel {
    /// In a text message.
    Sms,
    /// The app on their phone shows it, and nothing is sent: tell them to open it.
    App,
    /// In a call, which reads it out.
    Voice,
}

/// How a login stands. Every answer and every event shows the whole of it.
#[derive(Clone, SimpleObject)]
pub struct LoginStatus {
    /// Grows with every change of this login: of two statuses, the one with the higher number is newer. Drop the older.
    sequence: i32,
    /// How far the login has come.
    state: LoginState,
    /// What the person does next: what to show them.
    next_step: LoginStep,
    /// What the login is for.
    purpose: LoginPurpose,
    /// Why it failed. With `FAILED` only; null otherwise.
    failure: Option<LoginFailure>,
    /// Two digits that the push shows too: show them. A person who sees another number on their phone should deny, for that
    /// is not their login. Null where there is no push.
    match_number: Option<String>,
    /// How the last code was sent. Null if none was sent, and after a denial until another one is requested.
    code_channel: Option<CodeChannel>,
    /// When this was told, by the service's clock. Count the instants below down from here: the clock of a browser may be wrong.
    told_at: DateTime<Utc>,
    /// When the login becomes `EXPIRED`, unless it is over by then.
    expires_at: DateTime<Utc>,
    /// Not before then `resendToken` sends a code: offer it from then on. Null when the login is over.
    resend_available_at: Option<DateTime<Utc>>,
    /// The session that it opened: the same one, however often it is read. Null unless `APPROVED`, and for `CONFIRM`.
    session: Option<Session>,
}

impl LoginStatus {
    pub(super) async fn of(status: ApprovalStatus, delivery: &SessionDelivery) -> Self {
        let is_settled = status.is_settled();
        let session = match delivery.derive(&status) {
            Some(session) => Some(delivery.deliver(session).await),
            None => None,
        };
        let approval = status.approval;
        Self {
            sequence: approval.sequence,
            state: approval.state.into(),
            next_step: approval.next_step.into(),
            purpose: approval.purpose.into(),
            failure: approval.failure.map(Into::into),
            match_number: approval.match_number,
            code_channel: approval.code_channel.map(Into::into),
            told_at: delivery.now(),
            expires_at: approval.expires_at,
            resend_available_at: (!is_settled).then_some(approval.resend_available_at),
            session,
        }
    }

    pub(super) async fn of_any(status: Option<ApprovalStatus>, delivery: &SessionDelivery) -> Option<Self> {
        match status {
            Some(status) => Some(Self::of(status, delivery).await),
            None => None,
        }
    }
}

/// What a person types to log in.
#[derive(InputObject)]
pub struct LoginInput {
    /// Their email address. Upper and lower case are the same.
    email: String,
    /// Their password.
    password: String,
    /// What `Session.deviceToken` said when this person last signed in in this browser; left out where they never have. It
    /// replaces neither the password nor the phone: it spares people who have been here before the pauses that others'
    /// guesses cause, and lets them type a code after a denial. One that is not known (any more) does no harm.
    device_token: Option<String>,
}

/// Which login is given up.
#[derive(InputObject)]
pub struct CancelLoginInput {
    /// The login's secret handle, as `signup` or `login` gave it.
    login_token: String,
}

/// What became of `login`.
#[derive(SimpleObject)]
pub struct LoginPayload {
    /// The secret handle of the login: for `loginStatus`, `verifyToken`, `resendToken` and `cancelLogin`. Keep it as
    /// safe as a session token, which it leads to. It is known until `expiresAt`, and for two minutes after the end; where a
    /// session is delivered, for two minutes after that was first done. Never longer than the session lasts. Null where no
    /// login was begun.
    login_token: Option<String>,
    /// How the login stands. Null where none was begun.
    status: Option<LoginStatus>,
    /// What is wrong. Empty where the phone has a push or a code.
    errors: Vec<LoginError>,
}

/// What became of `cancelLogin`.
#[derive(SimpleObject)]
pub struct CancelLoginPayload {
    /// How the login stands now. Null where nobody knows the login token.
    status: Option<LoginStatus>,
}

/// How a login stands.
#[derive(Default)]
pub struct LoginQuery;

#[Object]
impl LoginQuery {
    /// How a login stands now. Follow the subscription of this name instead, unless a proxy denies WebSockets: then ask
    /// every few seconds. Null where nobody knows the login token, or no longer. Not by GET: the token must not stand in a
    /// URL.
    #[graphql(guard = "NotInUrl")]
    async fn login_status(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The login's secret handle, as `signup` or `login` gave it.")] login_token: String,
    ) -> Result<Option<LoginStatus>> {
        let Ok(token) = LoginToken::parse(&login_token) else {
            return Ok(None);
        };
        let found = api(context)?.logins.approvals.find_status(&token).await;
        let status = found.map_err(|error| internal(context, &error))?;
        Ok(LoginStatus::of_any(status, &SessionDelivery::of(context, &token)?).await)
    }
}

/// Beginning a login and giving one up.
#[derive(Default)]
pub struct LoginMutation;

#[Object]
impl LoginMutation {
    /// Begins a login: checks the password, then asks the phone, by push or else with a code. Nobody is signed in yet: show
    /// what `status.nextStep` says, and follow `loginStatus`.
    async fn login(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Who logs in.")] input: LoginInput,
    ) -> Result<LoginPayload> {
        let api = api(context)?;
        let client = client_info(context);
        let credential = Credential {
            email: &input.email,
            password: &input.password,
            device_token: input.device_token.as_deref(),
            from: client.address,
        };
        let Recognised { user, device, password_try } = match api.users.check_password(&credential).await {
            Ok(Some(recognised)) => recognised,
            Ok(None) => return Ok(LoginPayload::rejected(LoginError::wrong_credentials())),
            Err(CheckError::TooOften { retry_after }) => {
                return Ok(LoginPayload::rejected(LoginError::rate_limited(Some(seconds(retry_after)))));
            }
            Err(CheckError::Password(PasswordError::Busy { retry_after })) => {
                return Ok(LoginPayload::rejected(LoginError::busy(seconds(retry_after))));
            }
            Err(error) => return Err(internal(context, &error)),
        };
        match api.logins.start_login(&user, device, &client, password_try).await {
            Ok(started) => LoginPayload::started(context, started).await,
            Err(StartError::Store(error)) => Err(internal(context, &error)),
            Err(error) => Ok(LoginPayload::rejected(error.into())),
        }
    }

    /// Ends a login because the person gave up; approving its push does nothing any more. One that is over stays as it is.
    async fn cancel_login(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which login.")] input: CancelLoginInput,
    ) -> Result<CancelLoginPayload> {
        let Ok(token) = LoginToken::parse(&input.login_token) else {
            return Ok(CancelLoginPayload { status: None });
        };
        let cancelled = api(context)?.logins.approvals.cancel(&token).await;
        let status = cancelled.map_err(|error| internal(context, &error))?;
        let delivery = SessionDelivery::of(context, &token)?;
        Ok(CancelLoginPayload { status: LoginStatus::of_any(status, &delivery).await })
    }
}

impl LoginPayload {
    fn rejected(error: LoginError) -> Self {
        Self { login_token: None, status: None, errors: vec![error] }
    }

    async fn started(context: &Context<'_>, started: StartedLogin) -> Result<Self> {
        let delivery = SessionDelivery::of(context, &started.token)?;
        Ok(Self {
            login_token: Some(started.token.reveal()),
            status: Some(LoginStatus::of(started.status, &delivery).await),
            errors: started.trouble.map(Into::into).into_iter().collect(),
        })
    }
}

impl LoginError {
    fn wrong_credentials() -> Self {
        Self::new(LoginErrorCode::WrongCredentials, "The email or the password is wrong.")
    }

    fn busy(retry_after: i32) -> Self {
        let message = "Too many people are logging in just now. Please try again in a moment.";
        Self { retry_after_seconds: Some(retry_after), ..Self::new(LoginErrorCode::Busy, message) }
    }

    fn unavailable(retry_after_seconds: Option<i32>) -> Self {
        let message = "Your phone cannot be reached just now. Please try again in a moment.";
        Self { retry_after_seconds, ..Self::new(LoginErrorCode::ProviderUnavailable, message) }
    }

    fn rate_limited(retry_after_seconds: Option<i32>) -> Self {
        let message = "Too many attempts. Please wait a moment.";
        Self { retry_after_seconds, ..Self::new(LoginErrorCode::RateLimited, message) }
    }
}

impl From<StartError> for LoginError {
    fn from(error: StartError) -> Self {
        match error {
            StartError::RateLimited { retry_after } => Self::rate_limited(retry_after.map(seconds)),
            StartError::Unavailable { retry_after } => Self::unavailable(retry_after.map(seconds)),
            StartError::Refused | StartError::Store(_) => Self::unavailable(None),
        }
    }
}

impl From<CodeTrouble> for LoginError {
    fn from(trouble: CodeTrouble) -> Self {
        match trouble {
            CodeTrouble::RateLimited { retry_after } => Self::rate_limited(retry_after.map(seconds)),
            CodeTrouble::Unavailable { retry_after } => Self::unavailable(retry_after.map(seconds)),
            CodeTrouble::TooSoon { .. } | CodeTrouble::ChannelUnavailable => Self::unavailable(None),
        }
    }
}

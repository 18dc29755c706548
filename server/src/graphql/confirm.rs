//! Confirming one sensitive operation: with the password and a second factor.

use async_graphql::{Context, Enum, InputObject, Object, Result, SimpleObject};

use super::{
    api, client_info,
    error::{ConfirmError, ConfirmErrorCode, NOT_SIGNED_IN, internal, seconds},
    login::LoginStatus,
    session::{SessionDelivery, end_session},
    signed_in,
};
use crate::{
    approvals::{CodeTrouble, StartError},
    logins::StartedLogin,
    model,
    users::{CheckError, Confirmation, PasswordError, SessionUser},
};

/// An operation that needs a confirmation. New operations may be added.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "model::SensitiveOperation")]
pub enum SensitiveOperation {
    /// Change the password.
    ChangePassword,
    /// End sessions.
    EndSessions,
    /// None here: it sets `ActiveSession.confirmedAt`, for other services.
    StepUp,
}

/// How the user confirms: with the password and a second factor.
#[derive(InputObject)]
pub struct ConfirmInput {
    /// The operation to allow.
    operation: SensitiveOperation,
    /// The user's password.
    password: Option<String>,
}

/// The result of `confirm`.
#[derive(SimpleObject)]
pub struct ConfirmPayload {
    /// The secret handle of the login, for `loginStatus`, `verifyToken`, `resendToken` and `cancelLogin`. Keep it as safe as a
    /// password. Null if no login was started.
    login_token: Option<String>,
    /// The status of that login. Null if no login was started.
    status: Option<LoginStatus>,
    /// Empty if the login was started and the user can approve it.
    errors: Vec<ConfirmError>,
}

/// Confirming an operation.
#[derive(Default)]
pub struct ConfirmMutation;

#[Object]
impl ConfirmMutation {
    /// Starts a login with purpose `CONFIRM`, for one operation in the session of this request. When it is `APPROVED`, that operation is
    /// allowed once, within five minutes, to the client that sends the `loginToken` with it. The push names the operation. Denying it ends the session, and so do five wrong passwords.
    async fn confirm(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The operation, and the proof.")] input: ConfirmInput,
    ) -> Result<ConfirmPayload> {
        let Some(signed_in) = signed_in(context) else {
            return Ok(ConfirmPayload::of_error(ConfirmError::not_signed_in()));
        };
        let Some(password) = &input.password else {
            return Ok(ConfirmPayload::of_error(ConfirmError::password_required()));
        };
        let (api, client) = (api(context)?, client_info(context));
        let (session, user) = (&signed_in.session, &signed_in.user);
        let by = SessionUser { session, user, from: client.address };
        let (user, password_try) = match api.users.confirm_password(by, password).await {
            Ok(Confirmation::Right { user, password_try }) => (user, password_try),
            Ok(Confirmation::Wrong) => return Ok(ConfirmPayload::of_error(ConfirmError::wrong_password())),
            Ok(Confirmation::TooManyWrong) => {
                tracing::warn!(session.id = %session.id, "too many wrong passwords in a session; session ended");
                end_session(context, session, "TOO_MANY_WRONG_PASSWORDS").await?;
                return Ok(ConfirmPayload::of_error(ConfirmError::not_signed_in()));
            }
            Err(CheckError::TooOften { retry_after }) => {
                let retry_after = Some(seconds(retry_after));
                return Ok(ConfirmPayload::of_error(ConfirmError::rate_limited(retry_after)));
            }
            Err(CheckError::Password(PasswordError::Busy { retry_after })) => {
                return Ok(ConfirmPayload::of_error(ConfirmError::busy(seconds(retry_after))));
            }
            Err(error) => return Err(internal(context, &error)),
        };
        let operation = input.operation.into();
        match api.logins.start_confirmation((session, &user), operation, &client, password_try).await {
            Ok(started) => ConfirmPayload::started(context, started).await,
            Err(StartError::Store(error)) => Err(internal(context, &error)),
            Err(error) => Ok(ConfirmPayload::of_error(error.into())),
        }
    }
}

impl ConfirmPayload {
    fn of_error(error: ConfirmError) -> Self {
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

impl ConfirmError {
    fn not_signed_in() -> Self {
        Self::new(ConfirmErrorCode::NotSignedIn, NOT_SIGNED_IN)
    }

    fn password_required() -> Self {
        let error = Self::new(ConfirmErrorCode::PasswordRequired, "Please type your password.");
        Self { field: Some("input.password".to_owned()), ..error }
    }

    fn wrong_password() -> Self {
        let error = Self::new(ConfirmErrorCode::WrongPassword, "The password is wrong.");
        Self { field: Some("input.password".to_owned()), ..error }
    }

    fn busy(retry_after: i32) -> Self {
        let message = "Too many people are logging in just now. Please try again in a moment.";
        Self { retry_after_seconds: Some(retry_after), ..Self::new(ConfirmErrorCode::Busy, message) }
    }

    fn refused() -> Self {
        let message = "Your phone cannot be used to confirm this.";
        Self::new(ConfirmErrorCode::ProviderRefused, message)
    }

    fn unavailable(retry_after_seconds: Option<i32>) -> Self {
        let message = "Your phone cannot be reached just now. Please try again in a moment.";
        Self { retry_after_seconds, ..Self::new(ConfirmErrorCode::ProviderUnavailable, message) }
    }

    fn rate_limited(retry_after_seconds: Option<i32>) -> Self {
        let message = "Too many attempts. Please wait a moment.";
        Self { retry_after_seconds, ..Self::new(ConfirmErrorCode::RateLimited, message) }
    }
}

impl From<StartError> for ConfirmError {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Refused => Self::refused(),
            StartError::RateLimited { retry_after } => Self::rate_limited(retry_after.map(seconds)),
            StartError::Unavailable { retry_after } => Self::unavailable(retry_after.map(seconds)),
            StartError::Store(_) => Self::unavailable(None),
        }
    }
}

impl From<CodeTrouble> for ConfirmError {
    fn from(trouble: CodeTrouble) -> Self {
        match trouble {
            CodeTrouble::RateLimited { retry_after } => Self::rate_limited(retry_after.map(seconds)),
            CodeTrouble::Unavailable { retry_after } => Self::unavailable(retry_after.map(seconds)),
            CodeTrouble::TooSoon { .. } | CodeTrouble::ChannelUnavailable => Self::unavailable(None),
        }
    }
}

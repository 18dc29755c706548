//! Changing the password.

use async_graphql::{Context, InputObject, Object, Result, SimpleObject};

use super::{
    api, client_info,
    error::{
        CONFIRMATION_REQUIRED, ChangePasswordError, ChangePasswordErrorCode, NOT_SIGNED_IN, internal,
        password_message, seconds,
    },
    signed_in,
};
use crate::{
    model::{InvalidPassword, LoginToken},
    users::{self, PasswordError, SessionUser},
};

/// A new password.
#[derive(InputObject)]
pub struct ChangePasswordInput {
    /// The `loginToken` of the confirmation: only the client that asked for it knows it. Without it, `CONFIRMATION_REQUIRED`.
    login_token: Option<String>,
    /// The new password: 8 to 128 characters, not a common one.
    new_password: String,
}

/// The result of `changePassword`.
#[derive(SimpleObject)]
pub struct ChangePasswordPayload {
    /// The number of other sessions that were ended.
    ended_sessions: i32,
    /// Empty if the password was changed.
    errors: Vec<ChangePasswordError>,
}

/// Changing the password.
#[derive(Default)]
pub struct ChangePasswordMutation;

#[Object]
impl ChangePasswordMutation {
    /// Changes the password. All other sessions, open logins and known browsers of the user end. Needs `confirm` with
    /// `CHANGE_PASSWORD`.
    async fn change_password(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The new password.")] input: ChangePasswordInput,
    ) -> Result<ChangePasswordPayload> {
        use users::ChangePasswordError as Failure;
        let Some(signed_in) = signed_in(context) else {
            return Ok(ChangePasswordPayload::of_error(ChangePasswordError::not_signed_in()));
        };
        let (api, from) = (api(context)?, client_info(context).address);
        let (session, user) = (&signed_in.session, &signed_in.user);
        let by = SessionUser { session, user, from };
        let token = confirmation(input.login_token.as_deref());
        let changed = api.users.change_password(by, token.as_ref(), &input.new_password, api.sessions.live());
        let error = match changed.await {
            Ok(ended) => {
                api.logins.approvals.after_sessions_ended(&ended).await;
                api.logins.approvals.after_account_changed(user.id).await;
                let ended_sessions = i32::try_from(ended.len()).unwrap_or(i32::MAX);
                return Ok(ChangePasswordPayload { ended_sessions, errors: Vec::new() });
            }
            Err(Failure::NotConfirmed) => ChangePasswordError::not_confirmed(),
            Err(Failure::Invalid(fault)) => fault.into(),
            Err(Failure::Password(PasswordError::Busy { retry_after })) => {
                ChangePasswordError::busy(seconds(retry_after))
            }
            Err(error) => return Err(internal(context, &error)),
        };
        Ok(ChangePasswordPayload::of_error(error))
    }
}

/// Parses the login token of a confirmation; `None` if there is none.
pub(super) fn confirmation(login_token: Option<&str>) -> Option<LoginToken> {
    login_token.and_then(|token| LoginToken::parse(token).ok())
}

impl ChangePasswordPayload {
    fn of_error(error: ChangePasswordError) -> Self {
        Self { ended_sessions: 0, errors: vec![error] }
    }
}

impl ChangePasswordError {
    fn not_signed_in() -> Self {
        Self::new(ChangePasswordErrorCode::NotSignedIn, NOT_SIGNED_IN)
    }

    fn not_confirmed() -> Self {
        Self::new(ChangePasswordErrorCode::ConfirmationRequired, CONFIRMATION_REQUIRED)
    }

    fn busy(retry_after: i32) -> Self {
        let message = "Too many passwords are being checked just now. Please try again in a moment.";
        Self { retry_after_seconds: Some(retry_after), ..Self::new(ChangePasswordErrorCode::Busy, message) }
    }
}

impl From<InvalidPassword> for ChangePasswordError {
    fn from(fault: InvalidPassword) -> Self {
        let code = match fault {
            InvalidPassword::Common => ChangePasswordErrorCode::CommonPassword,
            _ => ChangePasswordErrorCode::InvalidPassword,
        };
        let error = Self::new(code, password_message(fault));
        Self { field: Some("input.newPassword".to_owned()), ..error }
    }
}

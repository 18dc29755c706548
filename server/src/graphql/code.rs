//! Codes: typing one and asking for another.

use std::time::Duration;

use async_graphql::{Context, InputObject, Object, Result, SimpleObject};

use super::{
    api, client_info,
    error::{
        ResendTokenError, ResendTokenErrorCode, VerifyTokenError, VerifyTokenErrorCode, internal, seconds,
    },
    login::{CodeChannel, LoginStatus},
    session::SessionDelivery,
};
use crate::{
    approvals::{ApprovalStatus, CodeTrouble, ResendError, VerifyError},
    model::LoginToken,
};

/// A code that a person typed, and the login that it is for.
#[derive(InputObject)]
pub struct VerifyTokenInput {
    /// The login's secret handle, as `signup` or `login` gave it.
    login_token: String,
    /// Six to eight digits, or the message that they came in. Send it as it was typed or pasted.
    code: String,
}

/// Another code that a person asks for, and the login that it is for.
#[derive(InputObject)]
pub struct ResendTokenInput {
    /// The login's secret handle, as `signup` or `login` gave it.
    login_token: String,
    /// How it should reach the person. Without: by text message. `APP` has the app show it, or sends a text message where
    /// there is no app: `status.codeChannel` tells which it was.
    channel: Option<CodeChannel>,
}

/// What became of `verifyToken`.
#[derive(SimpleObject)]
pub struct VerifyTokenPayload {
    /// How the login stands now: `APPROVED` with a session where the code was right, or `FAILED` where it was right and the
    /// email of a signup has a user already. Null where nobody knows the login token.
    status: Option<LoginStatus>,
    /// What is wrong. Empty where the code was right.
    errors: Vec<VerifyTokenError>,
}

/// What became of `resendToken`.
#[derive(SimpleObject)]
pub struct ResendTokenPayload {
    /// How the login stands now; `codeChannel` tells how the code reaches the person. Null where nobody knows the login
    /// token.
    status: Option<LoginStatus>,
    /// What is wrong. Empty where a code is on its way.
    errors: Vec<ResendTokenError>,
}

/// Typing a code and asking for another.
#[derive(Default)]
pub struct CodeMutation;

#[Object]
impl CodeMutation {
    /// Has a code judged that the person typed, and signs them in where it is right. Any code of their phone's will do while
    /// the login is not over, also while a push is open; after a denial, `resendToken` has to come first. On a login that is
    /// approved already, the answer is the same again.
    async fn verify_token(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The code, and the login that it is for.")] input: VerifyTokenInput,
    ) -> Result<VerifyTokenPayload> {
        let Ok(token) = LoginToken::parse(&input.login_token) else {
            return Ok(VerifyTokenPayload::of_error(VerifyError::LoginNotFound, None).await);
        };
        let delivery = SessionDelivery::of(context, &token)?;
        match api(context)?.logins.try_code(&token, &input.code, client_info(context).address).await {
            Ok(status) => {
                let status = Some(LoginStatus::of(status, &delivery).await);
                Ok(VerifyTokenPayload { status, errors: Vec::new() })
            }
            Err(VerifyError::Store(error)) => Err(internal(context, &error)),
            Err(error) => Ok(VerifyTokenPayload::of_error(error, Some(&delivery)).await),
        }
    }

    /// Sends a code, the first or another: one in 30 seconds for one login, unless the service is set otherwise, and not
    /// without end to one phone. An open push stays open.
    async fn resend_token(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The login, and how the code should reach the person.")] input: ResendTokenInput,
    ) -> Result<ResendTokenPayload> {
        let Ok(token) = LoginToken::parse(&input.login_token) else {
            return Ok(ResendTokenPayload::of_error(ResendError::LoginNotFound, None).await);
        };
        let delivery = SessionDelivery::of(context, &token)?;
        match api(context)?.logins.approvals.resend_code(&token, input.channel.map(Into::into)).await {
            Ok(status) => {
                let status = Some(LoginStatus::of(status, &delivery).await);
                Ok(ResendTokenPayload { status, errors: Vec::new() })
            }
            Err(ResendError::Store(error)) => Err(internal(context, &error)),
            Err(error) => Ok(ResendTokenPayload::of_error(error, Some(&delivery)).await),
        }
    }
}

impl VerifyTokenPayload {
    async fn of_error(error: VerifyError, delivery: Option<&SessionDelivery>) -> Self {
        use VerifyTokenErrorCode as Code;
        let (code, message) = match &error {
            VerifyError::LoginNotFound => {
                (Code::LoginNotFound, "This login is not known any more. Please begin again.")
            }
            VerifyError::LoginOver(_) => (Code::LoginOver, "This login is over. Please begin again."),
            VerifyError::NoCodeSent(_) => {
                (Code::NoCodeSent, "You denied this login on your phone. Please ask for a new code first.")
            }
            VerifyError::InvalidCode(_) => (Code::InvalidCode, "This is not the code."),
            VerifyError::UnreadableCode(_) => {
                (Code::InvalidCode, "This cannot be read as a code. Please type its 6 to 8 digits.")
            }
            VerifyError::CodeAlreadyUsed(_) => {
                (Code::CodeAlreadyUsed, "This code has been used already. Please wait for the next one.")
            }
            VerifyError::AllTriesTaken(..) | VerifyError::RateLimited(..) => {
                (Code::RateLimited, "Too many attempts. Please wait a moment.")
            }
            VerifyError::Unavailable(..) | VerifyError::Store(_) => (
                Code::ProviderUnavailable,
                "The code cannot be checked just now. Please try again in a moment.",
            ),
        };
        let field =
            matches!(code, Code::InvalidCode | Code::CodeAlreadyUsed).then(|| "input.code".to_owned());
        let (status, retry_after) = error.into_status();
        let tries_left = status.as_ref().map(|status| status.tries_left);
        let retry_after_seconds = retry_after.map(seconds);
        let error = VerifyTokenError {
            field,
            retry_after_seconds,
            tries_left,
            ..VerifyTokenError::new(code, message)
        };
        let status = match (status, delivery) {
            (Some(status), Some(delivery)) => Some(LoginStatus::of(status, delivery).await),
            _ => None,
        };
        Self { status, errors: vec![error] }
    }
}

impl VerifyError {
    /// How the login stands, and how long to wait.
    fn into_status(self) -> (Option<ApprovalStatus>, Option<Duration>) {
        match self {
            Self::LoginNotFound | Self::Store(_) => (None, None),
            Self::LoginOver(status)
            | Self::NoCodeSent(status)
            | Self::InvalidCode(status)
            | Self::UnreadableCode(status)
            | Self::CodeAlreadyUsed(status) => (Some(*status), None),
            Self::AllTriesTaken(status, retry_after) => (Some(*status), Some(retry_after)),
            Self::RateLimited(status, retry_after) | Self::Unavailable(status, retry_after) => {
                (Some(*status), retry_after)
            }
        }
    }
}

impl ResendTokenPayload {
    async fn of_error(error: ResendError, delivery: Option<&SessionDelivery>) -> Self {
        use ResendTokenErrorCode as Code;
        let (status, code, message, retry_after) = match error {
            ResendError::LoginNotFound | ResendError::Store(_) => {
                (None, Code::LoginNotFound, "This login is not known any more. Please begin again.", None)
            }
            ResendError::LoginOver(status) => {
                (Some(status), Code::LoginOver, "This login is over. Please begin again.", None)
            }
            ResendError::NotSent(status, trouble) => {
                let (code, message, retry_after) = match trouble {
                    CodeTrouble::TooSoon { retry_after } => (
                        Code::TooSoon,
                        "It is too soon for another code. Please wait a moment.",
                        Some(retry_after),
                    ),
                    CodeTrouble::ChannelUnavailable => {
                        (Code::ChannelUnavailable, "Codes cannot travel this way to this phone.", None)
                    }
                    CodeTrouble::RateLimited { retry_after } => {
                        (Code::RateLimited, "Too many codes. Please wait a moment.", retry_after)
                    }
                    CodeTrouble::Unavailable { retry_after } => {
                        let message = "Your phone cannot be reached just now. Please try again in a moment.";
                        (Code::ProviderUnavailable, message, retry_after)
                    }
                };
                (Some(status), code, message, retry_after)
            }
        };
        let field = (code == Code::ChannelUnavailable).then(|| "input.channel".to_owned());
        let retry_after_seconds = retry_after.map(seconds);
        let error = ResendTokenError { field, retry_after_seconds, ..ResendTokenError::new(code, message) };
        let status = status.map(|status| *status);
        let status = match (status, delivery) {
            (Some(status), Some(delivery)) => Some(LoginStatus::of(status, delivery).await),
            _ => None,
        };
        Self { status, errors: vec![error] }
    }
}

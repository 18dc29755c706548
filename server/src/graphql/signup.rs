//! Signing up.

use async_graphql::{Context, InputObject, Object, Result, SimpleObject};

use super::{
    api, client_info,
    error::{SignupError, SignupErrorCode, internal, password_message, seconds},
    login::LoginStatus,
    session::SessionDelivery,
};
use crate::{
    approvals::{CodeTrouble, StartError},
    logins::StartedLogin,
    model::InvalidPassword,
    users::{FieldFault, PasswordError, SignupForm, SignupRejection},
};

/// What a person types to sign up.
#[derive(InputObject)]
pub struct SignupInput {
    /// What they call themselves: 1 to 100 characters.
    full_name: String,
    /// Their email address, to log in with. Upper and lower case are the same.
    email: String,
    /// The calling code of their phone's country: `1`, `44`; a leading `+` is allowed.
    country_code: String,
    /// Their phone as one writes it in that country, or with its calling code; blanks, dots and hyphens are allowed.
    /// Pushes and codes go there.
    phone: String,
    /// The password that they choose: 8 to 128 characters of any kind, and not easy to guess.
    password: String,
}

/// What became of `signup`.
#[derive(SimpleObject)]
pub struct SignupPayload {
    /// The secret handle of the login that proves the phone: for `loginStatus`, `verifyToken`, `resendToken` and
    /// `cancelLogin`. Keep it as safe as a session token, which it leads to. It is known until `expiresAt`, and for two
    /// minutes after the end, but no longer than the session lasts. Null where no login was begun.
    login_token: Option<String>,
    /// How that login stands. Null where none was begun.
    status: Option<LoginStatus>,
    /// What is wrong, with all fields at once; `COMMON_PASSWORD` once the rest is right. Empty where the phone has a push or a code.
    errors: Vec<SignupError>,
}

/// Signing up.
#[derive(Default)]
pub struct SignupMutation;

#[Object]
impl SignupMutation {
    /// Begins a login with purpose `SIGNUP`: the phone gets a push to approve, or a code to type here. The user exists, and
    /// is signed in, once that has proven the phone: show what `status.nextStep` says, and follow `loginStatus`. An email
    /// that has a user already looks the same; only who proves the phone is told, by `FAILED` with `EMAIL_TAKEN`.
    async fn signup(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Who signs up.")] input: SignupInput,
    ) -> Result<SignupPayload> {
        let api = api(context)?;
        let client = client_info(context);
        let form = SignupForm {
            full_name: &input.full_name,
            email: &input.email,
            country_code: &input.country_code,
            phone: &input.phone,
            password: &input.password,
            from: client.address,
        };
        let prepared = match api.users.prepare_signup(&form).await {
            Ok(prepared) => prepared,
            Err(SignupRejection::Invalid(faults)) => {
                return Ok(SignupPayload::rejected(faults.into_iter().map(Into::into).collect()));
            }
            Err(SignupRejection::TooOften { retry_after }) => {
                return Ok(SignupPayload::rejected(vec![SignupError::rate_limited(Some(seconds(
                    retry_after,
                )))]));
            }
            Err(SignupRejection::Password(PasswordError::Busy { retry_after })) => {
                return Ok(SignupPayload::rejected(vec![SignupError::busy(seconds(retry_after))]));
            }
            Err(error) => return Err(internal(context, &error)),
        };
        match api.logins.start_signup(&prepared.signup, &client).await {
            Ok(started) => SignupPayload::started(context, started).await,
            Err(StartError::Store(error)) => Err(internal(context, &error)),
            Err(error) => {
                if !matches!(error, StartError::Refused) {
                    api.users.withdraw_signup(prepared).await;
                }
                Ok(SignupPayload::rejected(vec![error.into()]))
            }
        }
    }
}

impl SignupPayload {
    fn rejected(errors: Vec<SignupError>) -> Self {
        Self { login_token: None, status: None, errors }
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

impl SignupError {
    fn of_field(code: SignupErrorCode, field: &str, message: &str) -> Self {
        Self { field: Some(format!("input.{field}")), ..Self::new(code, message) }
    }

    fn busy(retry_after_seconds: i32) -> Self {
        let message = "Too many people are signing up just now. Please try again in a moment.";
        Self { retry_after_seconds: Some(retry_after_seconds), ..Self::new(SignupErrorCode::Busy, message) }
    }

    fn unavailable(retry_after_seconds: Option<i32>) -> Self {
        let message = "Your phone cannot be reached just now. Please try again in a moment.";
        Self { retry_after_seconds, ..Self::new(SignupErrorCode::ProviderUnavailable, message) }
    }

    fn refused() -> Self {
        let message = "This phone number cannot be used.";
        Self::of_field(SignupErrorCode::ProviderRefused, "phone", message)
    }

    fn rate_limited(retry_after_seconds: Option<i32>) -> Self {
        let message = "Too many attempts. Please wait a moment.";
        Self { retry_after_seconds, ..Self::new(SignupErrorCode::RateLimited, message) }
    }
}

impl From<FieldFault> for SignupError {
    fn from(fault: FieldFault) -> Self {
        use SignupErrorCode as Code;
        let (code, field, message) = match fault {
            FieldFault::Name => {
                (Code::InvalidName, "fullName", "Please tell us your name, in at most 100 characters.")
            }
            FieldFault::Email => (Code::InvalidEmail, "email", "This is not an email address."),
            FieldFault::CountryCode => {
                (Code::InvalidCountryCode, "countryCode", "There is no such calling code.")
            }
            FieldFault::CountryNotServed => {
                (Code::ProviderRefused, "countryCode", "Phones of this country cannot be used here.")
            }
            FieldFault::Phone => (Code::InvalidPhone, "phone", "This is not a phone number of that country."),
            FieldFault::Password(fault) => {
                let is_common = fault == InvalidPassword::Common;
                let code = if is_common { Code::CommonPassword } else { Code::InvalidPassword };
                (code, "password", password_message(fault))
            }
        };
        Self::of_field(code, field, message)
    }
}

impl From<StartError> for SignupError {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Refused => Self::refused(),
            StartError::RateLimited { retry_after } => Self::rate_limited(retry_after.map(seconds)),
            StartError::Unavailable { retry_after } => Self::unavailable(retry_after.map(seconds)),
            StartError::Store(_) => Self::unavailable(None),
        }
    }
}

impl From<CodeTrouble> for SignupError {
    fn from(trouble: CodeTrouble) -> Self {
        match trouble {
            CodeTrouble::RateLimited { retry_after } => Self::rate_limited(retry_after.map(seconds)),
            CodeTrouble::Unavailable { retry_after } => Self::unavailable(retry_after.map(seconds)),
            CodeTrouble::TooSoon { .. } | CodeTrouble::ChannelUnavailable => Self::unavailable(None),
        }
    }
}

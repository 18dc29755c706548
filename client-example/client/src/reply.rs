//! What the mutations take and what they answer. Errors that a person or a program can act on are data here, with
//! one set of codes per mutation; what goes wrong on the way is a [`ClientError`](crate::ClientError) instead. A
//! reply may hold a login and an error at once.

use std::{fmt, time::Duration};

use crate::{
    error::Listed,
    login::{CodeChannel, LoginStatus},
    open_enum::open_enum,
    token::{DeviceToken, LoginToken},
};

/// A new account.
#[derive(Clone)]
pub struct SignupInput {
    /// The person's name.
    pub full_name: String,
    /// The address to log in with.
    pub email: String,
    /// The calling code of the phone, such as `1` or `+44`.
    pub country_code: String,
    /// The phone that proves the account and every later login.
    pub phone: String,
    /// 8 to 128 characters.
    pub password: String,
}

/// What a person logs in with.
#[derive(Clone)]
pub struct LoginInput {
    /// The address given at signup.
    pub email: String,
    /// The password given at signup.
    pub password: String,
    /// What the last session from here came with. It spares its holder the pauses that others' guesses cause.
    pub device_token: Option<DeviceToken>,
}

/// The answer of `signup`.
pub type SignupReply = BeginReply<SignupErrorCode>;
/// The answer of `login`.
pub type LoginReply = BeginReply<LoginErrorCode>;
/// The answer of `verifyToken`.
pub type VerifyTokenReply = StatusReply<VerifyTokenErrorCode>;
/// The answer of `resendToken`.
pub type ResendTokenReply = StatusReply<ResendTokenErrorCode>;

/// The answer of a mutation that begins a login.
///
/// A token beside errors is a login that began, though not smoothly: after `PROVIDER_UNAVAILABLE`, `resendToken`
/// tries again without the password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BeginReply<Code> {
    /// The handle of the login that began.
    pub login_token: Option<LoginToken>,
    /// How it stands.
    pub status: Option<LoginStatus>,
    /// What was refused, or went wrong beside it.
    pub errors: Vec<PayloadError<Code>>,
}

impl<Code> BeginReply<Code> {
    /// The login that began, or why none did. Errors beside a login are left out: read [`BeginReply::errors`] first
    /// where they matter.
    pub fn into_result(self) -> Result<Begun, Refused<Code>> {
        match (self.login_token, self.status) {
            (Some(login_token), Some(status)) => Ok(Begun { login_token, status }),
            _ => Err(Refused { errors: self.errors, status: None }),
        }
    }
}

/// A login that began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Begun {
    /// Its handle.
    pub login_token: LoginToken,
    /// How it stood when it began.
    pub status: LoginStatus,
}

/// The answer of a mutation about a login that exists already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusReply<Code> {
    /// How the login stands now; missing where the service knows no such login.
    pub status: Option<LoginStatus>,
    /// What was refused.
    pub errors: Vec<PayloadError<Code>>,
}

impl<Code> StatusReply<Code> {
    /// How the login stands, or why the mutation was refused.
    pub fn into_result(self) -> Result<LoginStatus, Refused<Code>> {
        match self.status {
            Some(status) if self.errors.is_empty() => Ok(status),
            status => Err(Refused { errors: self.errors, status: status.map(Box::new) }),
        }
    }
}

/// A mutation that the service refused, with everything it said about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused<Code> {
    /// Everything that was wrong, at once.
    pub errors: Vec<PayloadError<Code>>,
    /// How the login stands after the refusal, where there is one: a fifth wrong code ends it.
    pub status: Option<Box<LoginStatus>>,
}

impl<Code: fmt::Display> fmt::Display for Refused<Code> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.errors.is_empty() {
            return formatter.write_str("refused without a reason");
        }
        Listed(&self.errors).fmt(formatter)
    }
}

impl<Code: fmt::Debug + fmt::Display> std::error::Error for Refused<Code> {}

/// One thing that a mutation refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PayloadError<Code> {
    /// What a program acts on.
    pub code: Code,
    /// What a person reads, in English.
    pub message: String,
    /// The input it is about, as a path such as `input.email`.
    pub field: Option<String>,
    /// After how many seconds another attempt may succeed.
    pub retry_after_seconds: Option<u64>,
    /// How many wrong codes the login still bears; told by `verifyToken` alone.
    pub tries_left: Option<u64>,
}

impl<Code> PayloadError<Code> {
    /// How long to wait before another attempt, where waiting helps.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after_seconds.map(Duration::from_secs)
    }
}

impl<Code: fmt::Display> fmt::Display for PayloadError<Code> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { code, message, field, retry_after_seconds, tries_left } = self;
        write!(formatter, "{message} [{code}]")?;
        if let Some(field) = field {
            write!(formatter, ", in {field}")?;
        }
        if let Some(tries) = tries_left {
            write!(formatter, ", {tries} tries left")?;
        }
        if let Some(seconds) = retry_after_seconds {
            write!(formatter, ", again in {seconds} s")?;
        }
        Ok(())
    }
}

/// One thing that `signup` refused.
pub type SignupError = PayloadError<SignupErrorCode>;
/// One thing that `login` refused.
pub type LoginError = PayloadError<LoginErrorCode>;
/// One thing that `verifyToken` refused.
pub type VerifyTokenError = PayloadError<VerifyTokenErrorCode>;
/// One thing that `resendToken` refused.
pub type ResendTokenError = PayloadError<ResendTokenErrorCode>;

open_enum! {
    /// Why `signup` refused.
    SignupErrorCode {
        /// Not an email address.
        InvalidEmail = "INVALID_EMAIL",
        /// The name is empty or too long.
        InvalidName = "INVALID_NAME",
        /// No such calling code.
        InvalidCountryCode = "INVALID_COUNTRY_CODE",
        /// Not a phone number of that country.
        InvalidPhone = "INVALID_PHONE",
        /// The password is too short, too long or holds what it may not.
        InvalidPassword = "INVALID_PASSWORD",
        /// The password is one of those that are guessed first.
        CommonPassword = "COMMON_PASSWORD",
        /// Who runs the second factor does not take this phone.
        ProviderRefused = "PROVIDER_REFUSED",
        /// Who runs the second factor cannot be reached.
        ProviderUnavailable = "PROVIDER_UNAVAILABLE",
        /// Too many attempts.
        RateLimited = "RATE_LIMITED",
        /// The service has too much to do just now.
        Busy = "BUSY",
    }
}

open_enum! {
    /// Why `login` refused.
    LoginErrorCode {
        /// No such email, or not its password: the service does not say which.
        WrongCredentials = "WRONG_CREDENTIALS",
        /// Neither a push nor a code could be sent; `resendToken` may help.
        ProviderUnavailable = "PROVIDER_UNAVAILABLE",
        /// Too many attempts.
        RateLimited = "RATE_LIMITED",
        /// The service has too much to do just now.
        Busy = "BUSY",
    }
}

open_enum! {
    /// Why `verifyToken` refused.
    VerifyTokenErrorCode {
        /// Not the code, or nothing that a code could be.
        InvalidCode = "INVALID_CODE",
        /// The phone denied the login: ask for another code first.
        NoCodeSent = "NO_CODE_SENT",
        /// This code let another login in already.
        CodeAlreadyUsed = "CODE_ALREADY_USED",
        /// No such login.
        LoginNotFound = "LOGIN_NOT_FOUND",
        /// The login has ended.
        LoginOver = "LOGIN_OVER",
        /// Who runs the second factor cannot be reached.
        ProviderUnavailable = "PROVIDER_UNAVAILABLE",
        /// Too many attempts.
        RateLimited = "RATE_LIMITED",
    }
}

open_enum! {
    /// Why `resendToken` refused.
    ResendTokenErrorCode {
        /// No such login.
        LoginNotFound = "LOGIN_NOT_FOUND",
        /// The login has ended.
        LoginOver = "LOGIN_OVER",
        /// A code was sent just now.
        TooSoon = "TOO_SOON",
        /// A code cannot travel this way to this phone.
        ChannelUnavailable = "CHANNEL_UNAVAILABLE",
        /// Who runs the second factor cannot be reached.
        ProviderUnavailable = "PROVIDER_UNAVAILABLE",
        /// Too many attempts.
        RateLimited = "RATE_LIMITED",
    }
}

/// The ways a person can ask a code to travel.
impl CodeChannel {
    /// Reads a channel from a person's words, in any case.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match Self::from(text.to_ascii_uppercase().as_str()) {
            Self::Other(_) => None,
            known => Some(known),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::login::{LoginState, LoginStep, tests::status};

    fn error(code: LoginErrorCode) -> LoginError {
        PayloadError {
            code,
            message: "the phone cannot be reached".to_owned(),
            field: None,
            retry_after_seconds: Some(30),
            tries_left: None,
        }
    }

    #[test]
    fn a_login_that_began_beside_an_error_began() {
        let reply = BeginReply {
            login_token: Some(LoginToken::new("token")),
            status: Some(status(1, LoginState::Pending, LoginStep::EnterCode)),
            errors: vec![error(LoginErrorCode::ProviderUnavailable)],
        };
        assert_eq!(reply.into_result().unwrap().login_token, LoginToken::new("token"));
    }

    #[test]
    fn a_reply_without_a_login_is_refused_with_its_errors() {
        let reply =
            BeginReply { login_token: None, status: None, errors: vec![error(LoginErrorCode::RateLimited)] };
        let refused = reply.into_result().unwrap_err();
        assert_eq!(refused.errors[0].code, LoginErrorCode::RateLimited);
        assert_eq!(refused.errors[0].retry_after(), Some(Duration::from_secs(30)));
        assert_eq!(refused.to_string(), "the phone cannot be reached [RATE_LIMITED], again in 30 s");
    }

    #[test]
    fn a_refusal_says_everything_that_was_wrong_in_one_line() {
        let wrong_code = VerifyTokenError {
            code: VerifyTokenErrorCode::InvalidCode,
            message: "That is not the code".to_owned(),
            field: Some("input.code".to_owned()),
            retry_after_seconds: None,
            tries_left: Some(4),
        };
        let limited = VerifyTokenError {
            code: VerifyTokenErrorCode::RateLimited,
            message: "Too many attempts".to_owned(),
            field: None,
            retry_after_seconds: Some(30),
            tries_left: None,
        };
        let reply = StatusReply { status: None, errors: vec![wrong_code, limited] };
        assert_eq!(
            reply.into_result().unwrap_err().to_string(),
            "That is not the code [INVALID_CODE], in input.code, 4 tries left; \
             Too many attempts [RATE_LIMITED], again in 30 s"
        );
    }

    #[test]
    fn a_refusal_keeps_the_status_that_came_with_it() {
        let failed = status(7, LoginState::Failed, LoginStep::None);
        let reply = StatusReply {
            status: Some(failed.clone()),
            errors: vec![error(LoginErrorCode::from("A_CODE_OF_TOMORROW"))],
        };
        let refused = reply.into_result().unwrap_err();
        assert_eq!(refused.status, Some(Box::new(failed)));
        assert_eq!(refused.errors[0].code, LoginErrorCode::Other("A_CODE_OF_TOMORROW".to_owned()));
    }

    #[test]
    fn a_channel_is_read_in_any_case_and_nothing_else_is() {
        assert_eq!(CodeChannel::parse("sms"), Some(CodeChannel::Sms));
        assert_eq!(CodeChannel::parse("Voice"), Some(CodeChannel::Voice));
        assert_eq!(CodeChannel::parse("pigeon"), None);
    }
}

//! The one mapping from what went wrong to what a client is told.
//!
//! Outcomes that somebody can act on become payload errors: a code, a message for a person, the field, the seconds to
//! wait. Everything else becomes `INTERNAL`, or `UNAVAILABLE` where something does not answer just now, with the request's id, and
//! is logged once, here.

use std::time::Duration;

use async_graphql::{Context, Enum, Error, ErrorExtensions, SimpleObject};

use super::RequestId;
use crate::model::{InvalidPassword, Unavailable};

/// An error with a code that a client can act on.
#[must_use]
pub fn coded(code: &'static str, message: &str) -> Error {
    Error::new(message).extend_with(|_, extensions| extensions.set("code", code))
}

/// Why a new password is not accepted, for people.
pub(super) fn password_message(fault: InvalidPassword) -> &'static str {
    match fault {
        InvalidPassword::TooShort => "A password needs at least 8 characters.",
        InvalidPassword::TooLong => "A password may have at most 128 characters.",
        InvalidPassword::ContainsNul => "A password must not contain a NUL character.",
        InvalidPassword::Common => {
            "This password is easy to guess. Please use a longer one, such as four words."
        }
    }
}

/// A fault of ours, or of something that we need. The client is told the request's id and nothing else.
pub(super) fn internal(context: &Context<'_>, error: &(dyn std::error::Error + 'static)) -> Error {
    internal_in(context.data_opt(), error)
}

/// [`internal`] where the context is gone: in a stream.
pub(super) fn internal_in(
    request_id: Option<&RequestId>,
    error: &(dyn std::error::Error + 'static),
) -> Error {
    let request_id = request_id.map_or("", RequestId::as_str);
    let causes = std::iter::successors(error.source(), |cause| cause.source()).map(ToString::to_string);
    let causes: Vec<_> = causes.collect();
    let (code, message) = if Unavailable::is_cause_of(error) {
        tracing::error!(request.id = request_id, %error, ?causes, "unavailable");
        ("UNAVAILABLE", "This cannot be done just now. Please try again in a moment.")
    } else {
        tracing::error!(request.id = request_id, %error, ?causes, "internal error");
        ("INTERNAL", "Something went wrong on our side. Please try again.")
    };
    Error::new(message).extend_with(|_, extensions| {
        extensions.set("code", code);
        extensions.set("requestId", request_id);
    })
}

/// Whole seconds, rounded up: after them it is certainly time.
pub(super) fn seconds(duration: Duration) -> i32 {
    let whole = duration.as_secs() + u64::from(duration.subsec_nanos() > 0);
    i32::try_from(whole).unwrap_or(i32::MAX)
}

/// An error as payloads hold it. All have the same members, each has its own codes: a client that switches over them
/// knows that it has them all.
macro_rules! payload_errors {
    ($($(#[$doc:meta])* $error:ident($code:ident) { $($(#[$extra_doc:meta])* $extra:ident: $kind:ty,)* })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, SimpleObject)]
        pub struct $error {
            /// What went wrong, for programs. New codes may come: where you do not know one, show the message.
            pub code: $code,
            /// What went wrong, for people, in English. May be shown as it is; its wording may change.
            pub message: String,
            /// The path of the input field that it is about, such as `input.email`: show it there. Null where it is about none.
            pub field: Option<String>,
            /// After how many seconds trying again makes sense. Null where waiting alone does not help, or nobody knows how long.
            pub retry_after_seconds: Option<i32>,
            $($(#[$extra_doc])* pub $extra: $kind,)*
        }

        impl $error {
            /// An error of no field, which waiting does not mend.
            pub(super) fn new(code: $code, message: &str) -> Self {
                Self { code, message: message.to_owned(), field: None, retry_after_seconds: None $(, $extra: <$kind>::default())* }
            }
        }
    )*};
}

payload_errors! {
    /// Why a signup was not begun or, beside a `loginToken`, why the phone has neither a push nor a code.
    SignupError(SignupErrorCode) {}
    /// Why a login was not begun or, beside a `loginToken`, why the phone has neither a push nor a code.
    LoginError(LoginErrorCode) {}
    /// Why a code did not sign the person in.
    VerifyTokenError(VerifyTokenErrorCode) {
        /// How many more codes this login will have judged before it is over. Null where nobody knows the login token.
        tries_left: Option<i32>,
    }
    /// Why no other code was sent.
    ResendTokenError(ResendTokenErrorCode) {}
    /// Why `confirm` was not carried out, or only in part.
    ConfirmError(ConfirmErrorCode) {}
    /// Why `changePassword` was not carried out.
    ChangePasswordError(ChangePasswordErrorCode) {}
    /// Why `endSession` was not carried out.
    EndSessionError(EndSessionErrorCode) {}
    /// Why `endOtherSessions` was not carried out.
    EndOtherSessionsError(EndOtherSessionsErrorCode) {}
}

/// For people who are not signed in.
pub(super) const NOT_SIGNED_IN: &str = "You are not logged in. Please log in first.";
/// For people who have to confirm first.
pub(super) const CONFIRMATION_REQUIRED: &str = "Please confirm this first.";

/// What can go wrong with `signup`.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
pub enum SignupErrorCode {
    /// What was typed is no email address.
    InvalidEmail,
    /// The name has no letter or digit, or more than 100 characters.
    InvalidName,
    /// No country has this calling code.
    InvalidCountryCode,
    /// The phone is no number of that country, or one that charges whoever calls it.
    InvalidPhone,
    /// The password has fewer than 8 or more than 128 characters, or holds a NUL character: `message` says which.
    InvalidPassword,
    /// The password is easy to guess: common, made of common words, or of the name, the email, the phone or the service. Ask for
    /// another.
    CommonPassword,
    /// This phone cannot be used, and trying again does not help: the provider of pushes and codes will not serve it, or
    /// (with `input.countryCode` as the field) this service does not serve its country.
    ProviderRefused,
    /// The provider of pushes and codes cannot be asked just now. With a `loginToken`: ask for a code by `resendToken`
    /// in a moment. Without: sign up again in a moment.
    ProviderUnavailable,
    /// Too often. With a `loginToken`: no code is sent just now, and `resendToken` sends one after
    /// `retryAfterSeconds`. Without: sign up again after them.
    RateLimited,
    /// Too many people at once. Nothing was begun: try the same again after `retryAfterSeconds`.
    Busy,
}

/// What can go wrong with `login`.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
pub enum LoginErrorCode {
    /// The email or the password is wrong. Which of them is never told.
    WrongCredentials,
    /// The provider of pushes and codes cannot be asked just now. With a `loginToken`: ask for a code by `resendToken`
    /// in a moment; the password need not be typed again. Without: log in again in a moment.
    ProviderUnavailable,
    /// Too often. With a `loginToken`: no code is sent just now, and `resendToken` sends one after
    /// `retryAfterSeconds`; the code that an app shows is taken all the while. Without: log in again after them.
    RateLimited,
    /// Too many people at once. Nothing was begun: try the same again after `retryAfterSeconds`.
    Busy,
}

/// What can go wrong with `verifyToken`.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
pub enum VerifyTokenErrorCode {
    /// It is not the code, and it took a try: `triesLeft` counts them. Text without six to eight digits takes none.
    InvalidCode,
    /// The code was right, but has been used already. It took a try. Wait until the app shows the next one, or ask for
    /// another.
    CodeAlreadyUsed,
    /// The phone denied the login, and no code was requested since then. Call `resendToken` first. Takes no try.
    NoCodeSent,
    /// Nobody knows this login token, or no longer. Begin again.
    LoginNotFound,
    /// The login is over; `status` says how. Begin again.
    LoginOver,
    /// The provider of the codes gave no answer. Try again in a moment; `triesLeft` tells whether it took a try.
    ProviderUnavailable,
    /// Too many codes at once, or too many wrong ones for this phone, over all its logins. The code was not judged: wait for
    /// `retryAfterSeconds`, or approve a push. Where the login is over by then, begin another after them.
    RateLimited,
}

/// What can go wrong with `resendToken`.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
pub enum ResendTokenErrorCode {
    /// Nobody knows this login token, or no longer. Begin again.
    LoginNotFound,
    /// The login is over; `status` says how. Begin again.
    LoginOver,
    /// Another code cannot be sent yet. Wait for `retryAfterSeconds`.
    TooSoon,
    /// Codes cannot reach this phone this way. Offer another channel.
    ChannelUnavailable,
    /// The provider of the codes gave no answer. Try again in a moment.
    ProviderUnavailable,
    /// Too often, for this login or for others of the same phone. Wait for `retryAfterSeconds`; where the login is over by
    /// then, begin another after them. A code that an app shows is taken all the while.
    RateLimited,
}

/// The errors of `confirm`.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
pub enum ConfirmErrorCode {
    /// The request comes without a live session. Log in first.
    NotSignedIn,
    /// The input has no password. Ask for it.
    PasswordRequired,
    /// The password is wrong. The fifth wrong one ends the session.
    WrongPassword,
    /// The provider did not answer. With a `loginToken`: request a code by `resendToken` in a moment. Without: try again in a moment.
    ProviderUnavailable,
    /// The provider does not serve this phone. Waiting does not help; offer another method.
    ProviderRefused,
    /// Too many attempts. Wait for `retryAfterSeconds`; with a `loginToken`, `resendToken` sends a code after them.
    RateLimited,
    /// Too many passwords are waiting to be hashed. Send the same again after `retryAfterSeconds`.
    Busy,
}

/// The errors of `changePassword`.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
pub enum ChangePasswordErrorCode {
    /// The request comes without a live session. Log in first.
    NotSignedIn,
    /// The session has no unused confirmation of this operation. Call `confirm` for it, follow its login to `APPROVED`, then send the
    /// same mutation again.
    ConfirmationRequired,
    /// The new password has fewer than 8 or more than 128 characters, or contains a NUL character. `message` says which.
    InvalidPassword,
    /// The new password is easy to guess. Ask for another.
    CommonPassword,
    /// Too many passwords are waiting to be hashed. Send the same again after `retryAfterSeconds`.
    Busy,
}

/// The errors of `endSession`.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
pub enum EndSessionErrorCode {
    /// The request comes without a live session. Log in first.
    NotSignedIn,
    /// The session has no unused confirmation of this operation. Call `confirm` for it, follow its login to `APPROVED`, then send the
    /// same mutation again.
    ConfirmationRequired,
    /// The user has no session with this id.
    SessionNotFound,
}

/// The errors of `endOtherSessions`.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
pub enum EndOtherSessionsErrorCode {
    /// The request comes without a live session. Log in first.
    NotSignedIn,
    /// The session has no unused confirmation of this operation. Call `confirm` for it, follow its login to `APPROVED`, then send the
    /// same mutation again.
    ConfirmationRequired,
}

#[cfg(test)]
mod tests {
    use async_graphql::{EmptyMutation, EmptySubscription, Object, Request, Schema};

    use super::*;

    struct Faulty;

    #[Object]
    impl Faulty {
        async fn read(&self, context: &Context<'_>) -> async_graphql::Result<bool> {
            let error = std::future::ready(std::io::Error::other("planted detail")).await;
            Err(internal(context, &error))
        }
    }

    #[tokio::test]
    async fn a_fault_of_ours_tells_the_requests_id_and_nothing_else() {
        let schema = Schema::new(Faulty, EmptyMutation, EmptySubscription);
        let request = Request::new("{ read }").data(RequestId::from("request-7".to_owned()));
        let answer = serde_json::to_string(&schema.execute(request).await).unwrap();
        assert!(answer.contains(r#""code":"INTERNAL","requestId":"request-7""#), "{answer}");
        assert!(!answer.contains("planted"), "{answer}");
    }

    #[test]
    fn what_does_not_answer_just_now_is_told_apart_from_a_fault() {
        let code = |error: &(dyn std::error::Error + 'static)| {
            let error = internal_in(None, error);
            error.extensions.unwrap().get("code").unwrap().to_string()
        };
        let fault = std::io::Error::other("planted detail");
        assert_eq!(code(&fault), "\"INTERNAL\"");
        let away = Unavailable::new("planted detail");
        assert_eq!(code(&away), "\"UNAVAILABLE\"");
    }

    #[test]
    fn seconds_to_wait_are_rounded_up() {
        for (milliseconds, expected) in [(0, 0), (1, 1), (1_000, 1), (1_001, 2)] {
            assert_eq!(seconds(Duration::from_millis(milliseconds)), expected);
        }
    }
}

//! What a client learns of a login: its status, the session it ends in, the user. One public type each, whichever
//! operation brought it. Nothing here talks to anybody; a login is over exactly when its next step is `NONE`.

use std::fmt;

use chrono::{DateTime, Utc};

use crate::{
    open_enum::open_enum,
    token::{DeviceToken, SessionToken},
};

/// How a login stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginStatus {
    /// Grows with every change of this login; of two statuses the one with the greater number is newer.
    pub sequence: i64,
    /// How far the login has come.
    pub state: LoginState,
    /// What the person does next.
    pub next_step: LoginStep,
    /// What the login is for.
    pub purpose: LoginPurpose,
    /// Why it failed; with [`LoginState::Failed`] only.
    pub failure: Option<LoginFailure>,
    /// Two digits that the phone shows too, so that a person can tell their own login from somebody else's.
    pub match_number: Option<String>,
    /// How the code travels, where one is on its way.
    pub code_channel: Option<CodeChannel>,
    /// When the login expires, by the service's clock.
    pub expires_at: DateTime<Utc>,
    /// When another code may be asked for, by the service's clock.
    pub resend_available_at: Option<DateTime<Utc>>,
    /// The session; with [`LoginState::Approved`] only, and never for [`LoginPurpose::Confirm`].
    pub session: Option<Session>,
}

impl LoginStatus {
    /// Whether this status is the last one: nothing follows a step of `NONE`.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.next_step == LoginStep::None
    }

    /// What there is to do about this status, or `None` while the phone has the word.
    #[must_use]
    pub fn outcome(&self) -> Option<Outcome> {
        if let Some(session) = &self.session {
            return Some(Outcome::SignedIn(session.clone()));
        }
        if self.state == LoginState::Approved {
            return Some(Outcome::Confirmed);
        }
        match self.next_step {
            LoginStep::None => Some(Outcome::Refused(self.clone())),
            LoginStep::EnterCode => Some(Outcome::NeedsCode(self.clone())),
            LoginStep::ApproveOnPhone | LoginStep::Other(_) => None,
        }
    }
}

/// Where waiting for the phone led.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The person is signed in.
    SignedIn(Session),
    /// A confirmation was approved: its operation is allowed, once.
    Confirmed,
    /// The phone said no, or cannot be asked: a code decides.
    NeedsCode(LoginStatus),
    /// The login ended without a session.
    Refused(LoginStatus),
}

/// Signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The bearer of this session.
    pub token: SessionToken,
    /// What to present at the next login from here, as [`LoginInput::device_token`](crate::LoginInput::device_token), in
    /// place of an older one.
    pub device_token: DeviceToken,
    /// When the session ends by itself, by the service's clock.
    pub expires_at: DateTime<Utc>,
    /// Whose session it is.
    pub user: User,
}

/// A person's account.
#[derive(Clone, PartialEq, Eq)]
pub struct User {
    /// The user's id, opaque.
    pub id: String,
    /// The name given at signup.
    pub full_name: String,
    /// The address that the user logs in with.
    pub email: String,
    /// The calling code of the phone, without a plus.
    pub country_code: String,
    /// The phone with all but its last digits hidden.
    pub masked_phone: String,
    /// When the phone was proven, by the service's clock.
    pub created_at: DateTime<Utc>,
}

impl fmt::Debug for User {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("User").field("id", &self.id).finish_non_exhaustive()
    }
}

open_enum! {
    /// How far a login has come.
    LoginState {
        /// The second factor is awaited.
        Pending = "PENDING",
        /// Approved; a signup or login has a session.
        Approved = "APPROVED",
        /// The phone said no; a code may still follow.
        Denied = "DENIED",
        /// Nobody answered in time.
        Expired = "EXPIRED",
        /// Ended for the reason in [`LoginStatus::failure`].
        Failed = "FAILED",
    }
}

open_enum! {
    /// What the person does next.
    LoginStep {
        /// Answer the push on the phone.
        ApproveOnPhone = "APPROVE_ON_PHONE",
        /// Type a code.
        EnterCode = "ENTER_CODE",
        /// Nothing: the login is over.
        None = "NONE",
    }
}

open_enum! {
    /// What a login is for.
    LoginPurpose {
        /// To prove the phone of a new account.
        Signup = "SIGNUP",
        /// To get into an account.
        Login = "LOGIN",
        /// To confirm a sensitive operation in a session.
        Confirm = "CONFIRM",
    }
}

open_enum! {
    /// Why a login failed.
    LoginFailure {
        /// Five codes were wrong.
        TooManyWrongCodes = "TOO_MANY_WRONG_CODES",
        /// The person, or a program of theirs, called it off.
        Cancelled = "CANCELLED",
        /// The phone is proven, but a user has this email already.
        EmailTaken = "EMAIL_TAKEN",
        /// The phone said no, where the service takes that for the last word.
        Denied = "DENIED",
        /// The session that started it has ended.
        SessionEnded = "SESSION_ENDED",
        /// The account changed after it was started.
        AccountChanged = "ACCOUNT_CHANGED",
    }
}

open_enum! {
    /// How a code travels.
    CodeChannel {
        /// A text message.
        Sms = "SMS",
        /// The Authy app shows it.
        App = "APP",
        /// A phone call reads it out.
        Voice = "VOICE",
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn status(sequence: i64, state: LoginState, next_step: LoginStep) -> LoginStatus {
        LoginStatus {
            sequence,
            state,
            next_step,
            purpose: LoginPurpose::Login,
            failure: None,
            match_number: Some("42".to_owned()),
            code_channel: None,
            expires_at: DateTime::UNIX_EPOCH,
            resend_available_at: None,
            session: None,
        }
    }

    fn session() -> Session {
        let user = User {
            id: "1".to_owned(),
            full_name: "Planted Name".to_owned(),
            email: "planted@example.com".to_owned(),
            country_code: "1".to_owned(),
            masked_phone: "•••99".to_owned(),
            created_at: DateTime::UNIX_EPOCH,
        };
        let (token, device_token) = (SessionToken::new("planted"), DeviceToken::new("planted"));
        Session { token, device_token, expires_at: DateTime::UNIX_EPOCH, user }
    }

    #[test]
    fn a_status_does_not_show_whose_it_is() {
        let approved =
            LoginStatus { session: Some(session()), ..status(2, LoginState::Approved, LoginStep::None) };
        let text = format!("{approved:?}");
        assert!(!text.to_lowercase().contains("planted"), "{text}");
        assert!(!text.contains("99"), "{text}");
    }

    #[test]
    fn a_login_is_over_when_no_step_is_left() {
        assert!(status(2, LoginState::Expired, LoginStep::None).is_over());
        assert!(!status(2, LoginState::Denied, LoginStep::EnterCode).is_over());
        assert!(!status(2, LoginState::Pending, LoginStep::from("LOOK_INTO_THE_CAMERA")).is_over());
    }

    #[test]
    fn every_status_has_its_outcome() {
        let pending = status(1, LoginState::Pending, LoginStep::ApproveOnPhone);
        let denied = status(2, LoginState::Denied, LoginStep::EnterCode);
        let expired = status(3, LoginState::Expired, LoginStep::None);
        let approved = LoginStatus { session: Some(session()), ..expired.clone() };
        assert_eq!(pending.outcome(), None);
        assert_eq!(denied.outcome(), Some(Outcome::NeedsCode(denied)));
        assert_eq!(expired.outcome(), Some(Outcome::Refused(expired)));
        assert_eq!(approved.outcome(), Some(Outcome::SignedIn(session())));
        let confirmed = status(3, LoginState::Approved, LoginStep::None);
        assert_eq!(confirmed.outcome(), Some(Outcome::Confirmed));
    }
}

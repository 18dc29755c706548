//! A user's live sessions, the operations that need a confirmation, and the answers of both.

use chrono::{DateTime, Utc};

use crate::{
    open_enum::open_enum,
    reply::{BeginReply, PayloadError, Refused},
};

/// A live session as its user sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActiveSession {
    /// The id of the session. It is not a secret.
    pub id: String,
    /// When the session was opened.
    pub created_at: DateTime<Utc>,
    /// When the session ends at the latest.
    pub expires_at: DateTime<Utc>,
    /// The last full authentication.
    pub confirmed_at: DateTime<Utc>,
    /// Whether it is the session of the request.
    pub is_current: bool,
    /// When the session was last used, to the minute.
    pub last_used_at: DateTime<Utc>,
    /// When the session ends if it is not used before.
    pub idle_expires_at: DateTime<Utc>,
    /// How the user was authenticated at `confirmed_at`: values of RFC 8176.
    pub amr: Vec<String>,
    /// The browser and system that opened it; `None` if unknown. Clients can forge it.
    pub browser: Option<String>,
    /// The network that opened it; `None` if unknown.
    pub network: Option<String>,
}

/// The answer of `confirm`.
pub type ConfirmReply = BeginReply<ConfirmErrorCode>;
/// The answer of `changePassword`.
pub type ChangePasswordReply = EndedReply<ChangePasswordErrorCode>;
/// The answer of `endSession`.
pub type EndSessionReply = EndedReply<EndSessionErrorCode>;
/// The answer of `endOtherSessions`.
pub type EndOtherSessionsReply = EndedReply<EndOtherSessionsErrorCode>;

/// The answer of a mutation that ends sessions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndedReply<Code> {
    /// How many sessions were ended.
    pub ended_sessions: u64,
    /// Why nothing was done.
    pub errors: Vec<PayloadError<Code>>,
}

impl<Code> EndedReply<Code> {
    /// Returns how many sessions were ended, or why nothing was done.
    pub fn into_result(self) -> Result<u64, Refused<Code>> {
        if self.errors.is_empty() {
            Ok(self.ended_sessions)
        } else {
            Err(Refused { errors: self.errors, status: None })
        }
    }
}

open_enum! {
    /// An operation that needs a confirmation.
    SensitiveOperation {
        /// Change the password.
        ChangePassword = "CHANGE_PASSWORD",
        /// End sessions.
        EndSessions = "END_SESSIONS",
        /// None: it marks the session as confirmed.
        StepUp = "STEP_UP",
    }
}

open_enum! {
    /// Why `confirm` was refused.
    ConfirmErrorCode {
        /// No live session.
        NotSignedIn = "NOT_SIGNED_IN",
        /// The password is missing.
        PasswordRequired = "PASSWORD_REQUIRED",
        /// The password is wrong. The fifth wrong one ends the session.
        WrongPassword = "WRONG_PASSWORD",
        /// The provider did not answer.
        ProviderUnavailable = "PROVIDER_UNAVAILABLE",
        /// The provider does not serve this phone.
        ProviderRefused = "PROVIDER_REFUSED",
        /// Too many attempts.
        RateLimited = "RATE_LIMITED",
        /// Too many passwords are waiting to be hashed.
        Busy = "BUSY",
    }
}

open_enum! {
    /// Why `changePassword` was refused.
    ChangePasswordErrorCode {
        /// No live session.
        NotSignedIn = "NOT_SIGNED_IN",
        /// The session has no unused confirmation of it.
        ConfirmationRequired = "CONFIRMATION_REQUIRED",
        /// The new password is too short, too long or contains a NUL character.
        InvalidPassword = "INVALID_PASSWORD",
        /// The new password is easy to guess.
        CommonPassword = "COMMON_PASSWORD",
        /// Too many passwords are waiting to be hashed.
        Busy = "BUSY",
    }
}

open_enum! {
    /// Why `endSession` was refused.
    EndSessionErrorCode {
        /// No live session.
        NotSignedIn = "NOT_SIGNED_IN",
        /// The session has no unused confirmation of it.
        ConfirmationRequired = "CONFIRMATION_REQUIRED",
        /// The user has no session with this id.
        SessionNotFound = "SESSION_NOT_FOUND",
    }
}

open_enum! {
    /// Why `endOtherSessions` was refused.
    EndOtherSessionsErrorCode {
        /// No live session.
        NotSignedIn = "NOT_SIGNED_IN",
        /// The session has no unused confirmation of it.
        ConfirmationRequired = "CONFIRMATION_REQUIRED",
    }
}

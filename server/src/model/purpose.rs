//! What an approval is for, which methods may answer it, and what approving it does.

use super::words::words;

words! {
    /// What an approval is for.
    Purpose {
        /// Verifies the phone of an account that does not exist yet.
        Signup = "SIGNUP",
        /// Opens a session.
        Login = "LOGIN",
        /// Allows one operation in a session, once.
        Confirm = "CONFIRM",
    }
}

words! {
    /// How a person answers an approval.
    Method {
        /// A push to the provider's app.
        Push = "PUSH",
        /// A code that the provider sent or its app shows.
        ProviderCode = "CODE",
        /// A code of an authenticator app (TOTP).
        AuthenticatorApp = "AUTHENTICATOR_APP",
        /// A passkey (`WebAuthn`).
        Passkey = "PASSKEY",
        /// A recovery code: a substitute for the second factor.
        RecoveryCode = "RECOVERY_CODE",
    }
}

words! {
    /// An operation that needs a confirmation.
    SensitiveOperation {
        /// Change the password.
        ChangePassword = "CHANGE_PASSWORD",
        /// End other sessions.
        EndSessions = "END_SESSIONS",
        /// None here: it sets the session's `confirmed_at`, for other services.
        StepUp = "STEP_UP",
    }
}

/// What approving an approval does. Storage carries it out in the transaction that settles the approval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnApproved {
    /// A user is created from the pending signup, and a session is opened for them.
    CreateUserAndSession,
    /// A session is opened.
    OpenSession,
    /// One operation is allowed in the session that asked.
    AllowOperation,
}

impl Purpose {
    /// Whether this method may answer an approval with this purpose. The one table for it: a method outside it is refused before
    /// a provider is called.
    #[must_use]
    pub fn allows(self, method: Method) -> bool {
        match (self, method) {
            (_, Method::Push | Method::ProviderCode | Method::AuthenticatorApp | Method::Passkey)
            | (Self::Login, Method::RecoveryCode) => true,
            (Self::Signup | Self::Confirm, Method::RecoveryCode) => false,
        }
    }

    /// What approving it does.
    #[must_use]
    pub fn on_approved(self) -> OnApproved {
        match self {
            Self::Signup => OnApproved::CreateUserAndSession,
            Self::Login => OnApproved::OpenSession,
            Self::Confirm => OnApproved::AllowOperation,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recovery_code_answers_nothing_but_a_login() {
        for &purpose in Purpose::ALL {
            for &method in Method::ALL {
                let is_allowed = method != Method::RecoveryCode || purpose == Purpose::Login;
                assert_eq!(purpose.allows(method), is_allowed, "{purpose:?} by {method:?}");
            }
        }
    }

    #[test]
    fn only_signups_and_logins_open_a_session() {
        let opens_a_session = |purpose: &&Purpose| purpose.on_approved() != OnApproved::AllowOperation;
        let opening: Vec<_> = Purpose::ALL.iter().filter(opens_a_session).copied().collect();
        assert_eq!(opening, [Purpose::Signup, Purpose::Login]);
    }
}

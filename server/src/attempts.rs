//! One log event and one count for each attempt to prove a factor, by password or by code.
//!
//! Operators see from them who is being attacked, and from where. They hold no secret and no email: an email is shown as a keyed hash,
//! alike for known and unknown ones, which is the same for all attempts on it.

use crate::model::{EmailPseudonym, LoginId};

/// An attempt to prove a factor, and what it came to.
#[derive(Clone, Debug)]
pub(crate) struct Attempt {
    /// Which factor, and the outcome.
    pub(crate) outcome: Outcome,
    /// The email that was typed, or that of the login. `None` for an unknown login.
    pub(crate) email: Option<EmailPseudonym>,
    /// The network that the client is in, where its address is known.
    pub(crate) network: Option<String>,
    /// Whether the client presented, or the login came from, a known device.
    pub(crate) is_known_device: bool,
    /// The login that a code was typed for.
    pub(crate) login: Option<LoginId>,
}

/// What an attempt came to, by factor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// What a password came to.
    Password(PasswordOutcome),
    /// What a code came to.
    Code(CodeOutcome),
}

/// What a password came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PasswordOutcome {
    /// It was right.
    Right,
    /// It was wrong, or the email is unknown.
    Wrong,
    /// Too many were wrong before: it was not compared.
    RateLimited,
    /// There was no room in the queue: it was not compared.
    Busy,
    /// The service failed before an answer.
    Failed,
}

/// What a code came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CodeOutcome {
    /// It was right, or the login was approved before.
    Right,
    /// It was wrong.
    Wrong,
    /// The text was no code: it was not judged.
    Unreadable,
    /// After a denial no code was sent yet: it was not judged.
    NoCodeSent,
    /// It was right, and used before.
    AlreadyUsed,
    /// Too many were wrong before: it was not judged.
    RateLimited,
    /// The login is over or unknown.
    NoLogin,
    /// The provider gave no answer.
    Unavailable,
    /// The service failed before an answer.
    Failed,
}

impl PasswordOutcome {
    const fn word(self) -> &'static str {
        match self {
            Self::Right => "right",
            Self::Wrong => "wrong",
            Self::RateLimited => "rate_limited",
            Self::Busy => "busy",
            Self::Failed => "failed",
        }
    }
}

impl CodeOutcome {
    const fn word(self) -> &'static str {
        match self {
            Self::Right => "right",
            Self::Wrong => "wrong",
            Self::Unreadable => "unreadable",
            Self::NoCodeSent => "no_code_sent",
            Self::AlreadyUsed => "already_used",
            Self::RateLimited => "rate_limited",
            Self::NoLogin => "no_login",
            Self::Unavailable => "unavailable",
            Self::Failed => "failed",
        }
    }
}

impl Attempt {
    /// Logs and counts it.
    pub(crate) fn record(self) {
        let (factor, outcome) = match self.outcome {
            Outcome::Password(outcome) => {
                let outcome = outcome.word();
                metrics::counter!("countersign_password_attempts_total", "outcome" => outcome).increment(1);
                ("password", outcome)
            }
            Outcome::Code(outcome) => {
                let outcome = outcome.word();
                metrics::counter!("countersign_code_attempts_total", "outcome" => outcome).increment(1);
                ("code", outcome)
            }
        };
        tracing::info!(
            factor,
            outcome,
            email.hash = self.email.map(tracing::field::display),
            network = self.network,
            device.known = self.is_known_device,
            login.id = self.login.map(tracing::field::display),
            "login attempt"
        );
    }
}

//! The audit trail: what happens to an account, and each attempt to prove a factor by password or by code.
//!
//! An event of an account is stored in the transaction that causes it, and logged here. An attempt is logged and counted; a failed one is
//! also counted in the database, by email, network and hour, with one statement that is the same for known and unknown emails.
//! Operators see from them who is attacked, and from where. They contain no secret and no email: an email is shown as a keyed hash.

use tokio_util::task::TaskTracker;

use crate::{
    clock::Clock,
    model::{AccountEvent, ApprovalId, EmailPseudonym, EventKind, SessionId},
    storage::Store,
};

/// Logs events of an account that were stored.
pub(crate) fn log(events: &[AccountEvent]) {
    for event in events {
        tracing::info!(
            event.kind = event.kind.as_str(),
            event.id = %event.id,
            user.id = %event.user,
            login.id = event.approval.map(tracing::field::display),
            session.id = event.session.map(tracing::field::display),
            network = event.network,
            detail = event.detail,
            "account event"
        );
    }
}

/// Returns the sessions that ended with these events.
pub(crate) fn ended_sessions(events: &[AccountEvent]) -> Vec<SessionId> {
    let ended = events.iter().filter(|event| event.kind == EventKind::SessionEnded);
    ended.filter_map(|event| event.session).collect()
}

/// Records attempts. Clones share everything.
#[derive(Clone)]
pub(crate) struct Attempts {
    store: Store,
    clock: Clock,
    tasks: TaskTracker,
}

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
    pub(crate) login: Option<ApprovalId>,
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

impl Outcome {
    /// Whether it was a guess that failed.
    const fn is_failure(self) -> bool {
        matches!(self, Self::Password(PasswordOutcome::Wrong) | Self::Code(CodeOutcome::Wrong))
    }
}

impl Attempts {
    /// Joins the parts. `tasks` runs what no request waits for.
    pub(crate) fn new(store: Store, clock: Clock, tasks: TaskTracker) -> Self {
        Self { store, clock, tasks }
    }

    /// Logs and counts an attempt. A failed one is stored by a task of its own: how long that takes tells a client nothing.
    pub(crate) fn record(&self, attempt: Attempt) {
        attempt.log();
        let (true, Some(email)) = (attempt.outcome.is_failure(), attempt.email) else { return };
        let (store, at) = (self.store.clone(), self.clock.now());
        self.tasks.spawn(async move {
            if let Err(error) = store.count_failed_attempt(&email, attempt.network.as_deref(), at).await {
                tracing::warn!(%error, email.hash = %email, "failed attempt not stored");
            }
        });
    }
}

impl Attempt {
    fn log(&self) {
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
            email.hash = self.email.as_ref().map(tracing::field::display),
            network = self.network.as_deref(),
            device.known = self.is_known_device,
            login.id = self.login.map(tracing::field::display),
            "login attempt"
        );
    }
}

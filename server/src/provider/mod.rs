//! Who confirms the second factor.
//!
//! [`SecondFactor`] is a trait because configuration picks the provider: Authy first, Twilio Verify v2 next. What a
//! provider says is reduced here to what a caller can act on; how it says it stays in the provider's own file.

pub mod authy;
mod breaker;
pub mod guarded;
pub mod measured;
mod payload;
pub(crate) mod signature;

use std::{fmt, time::Duration};

use async_trait::async_trait;
use http::{HeaderMap, Method};

pub use self::breaker::PauseScope;
use crate::model::{ApprovalId, Code, CodeChannel, Email, Phone, ProviderUserId, PushHandle, Verdict};

/// One provider of second factors.
///
/// Every call ends within the configured `PROVIDER_TIMEOUT`. None is repeated blindly: a call that sends a message
/// or judges a code is made once.
#[async_trait]
pub trait SecondFactor: fmt::Debug + Send + Sync {
    /// The provider's name as it is stored with enrollments and logins: `authy`.
    fn name(&self) -> &'static str;

    /// Registers a person's phone and returns how the provider knows them. The same phone gives the same id.
    async fn enrol(&self, email: &Email, phone: &Phone) -> Result<ProviderUserId, ProviderError>;

    /// Sends the push that asks for the second factor.
    async fn request_push(&self, request: &PushRequest<'_>) -> Result<PushHandle, ProviderError>;

    /// Asks how an approval request stands.
    async fn find_push(&self, id: &PushHandle) -> Result<PushStatus, ProviderError>;

    /// Sends a code, or tells the person to open the app, and says which of the two happened.
    async fn send_code(&self, user: &ProviderUserId, sending: Sending) -> Result<CodeChannel, ProviderError>;

    /// Has a code judged. Only an `Ok` is a judgement; [`ProviderError::was_certainly_not_judged`] tells the rest.
    async fn check_code(&self, user: &ProviderUserId, code: &Code) -> Result<CodeJudgement, ProviderError>;

    /// Reads a callback: checks whose it is first, and then what it says. Touches nothing.
    fn read_callback(&self, callback: &Callback<'_>) -> Result<CallbackReport, CallbackError>;
}

/// What the push is to say.
#[derive(Debug)]
pub struct PushRequest<'a> {
    /// Whom to ask.
    pub user: &'a ProviderUserId,
    /// The login that the answer belongs to; travels hidden and comes back in the callback.
    pub approval_id: ApprovalId,
    /// The one line that the person reads first.
    pub message: &'a str,
    /// What is shown below it, in this order: label and value.
    pub details: &'a [(&'a str, String)],
    /// How long the request may be answered: what remains of the login.
    pub expires_in: Duration,
}

/// How an approval request stands at the provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PushStatus {
    /// Nobody has answered yet.
    Pending,
    /// The phone answered.
    Answered(Verdict),
    /// Nobody answered in time, or the provider does not know it (any more).
    Gone,
}

/// How a code should travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sending {
    /// As the provider prefers: a person with the app is told to open it, everybody else gets a text message.
    Preferred,
    /// By text message, whether they have the app or not.
    Sms,
    /// By a call, whether they have the app or not.
    Voice,
}

/// What became of a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodeJudgement {
    /// It is the person's, and is spent now.
    Right,
    /// It is not.
    Wrong,
    /// It was right, but has already been spent.
    AlreadyUsed,
}

/// Why the provider did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    /// It will not serve this person: an impossible phone, a banned country, a suspended user.
    #[error("the provider refused (code {code})")]
    Refused {
        /// The provider's own error code, for the log.
        code: String,
    },
    /// No push can be sent: the person has no app, or pushes are switched off.
    #[error("no push can be sent (code {code})")]
    NoPush {
        /// The provider's own error code, for the log.
        code: String,
    },
    /// Codes cannot travel this way to this person.
    #[error("codes cannot travel this way (code {code})")]
    ChannelUnavailable {
        /// The provider's own error code, for the log.
        code: String,
    },
    /// It does not know this person (any more): enrol again.
    #[error("the provider does not know this person")]
    NotEnrolled,
    /// Too many requests.
    #[error("the provider asks for a pause")]
    RateLimited {
        /// How long to wait, at most an hour; `None` if the provider does not say.
        retry_after: Option<Duration>,
        /// Whose requests there are too many of.
        scope: RateLimitScope,
    },
    /// The call was not made: calls like it have failed, and a pause is due.
    #[error("calls to the provider are paused")]
    Paused {
        /// How long to wait.
        retry_after: Duration,
        /// Which calls are paused.
        scope: PauseScope,
    },
    /// It does not accept our key, or our account is closed. Someone must act.
    #[error("the provider does not accept our key (code {code})")]
    Unauthorized {
        /// The provider's own error code, for the log.
        code: String,
    },
    /// The request certainly did not reach it.
    #[error("the provider cannot be reached")]
    Unreachable(#[source] reqwest::Error),
    /// There was no time left to ask it.
    #[error("there was no time left to ask the provider")]
    NotAsked,
    /// No answer in time. Whether the request took effect is not known.
    #[error("the provider did not answer in time")]
    TimedOut,
    /// An answer that makes no sense (a failure of its own, HTML, a cut-off body). Whether the request took effect is
    /// not known.
    #[error("the provider answered nonsense: {reason} (HTTP {status})")]
    Nonsense {
        /// The HTTP status, 0 where there was none.
        status: u16,
        /// What was wrong with it; never its text.
        reason: &'static str,
    },
}

/// Whose requests there are too many of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RateLimitScope {
    /// Those about the person of this call.
    Person,
    /// The provider does not say.
    Unknown,
}

impl ProviderError {
    /// What kind of failure it is, in a word.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Refused { .. } => "refused",
            Self::NoPush { .. } => "no_push",
            Self::ChannelUnavailable { .. } => "channel_unavailable",
            Self::NotEnrolled => "not_enrolled",
            Self::RateLimited { .. } => "rate_limited",
            Self::Paused { .. } => "paused",
            Self::Unauthorized { .. } => "unauthorized",
            Self::Unreachable(_) => "unreachable",
            Self::NotAsked => "not_asked",
            Self::TimedOut => "timed_out",
            Self::Nonsense { .. } => "nonsense",
        }
    }

    /// Whether what was asked for may have been done although there is no answer that says so.
    #[must_use]
    pub fn may_have_taken_effect(&self) -> bool {
        matches!(self, Self::TimedOut | Self::Nonsense { .. })
    }

    /// Whether a code sent along was certainly not judged, so that the try can be given back.
    #[must_use]
    pub fn was_certainly_not_judged(&self) -> bool {
        matches!(
            self,
            Self::NotEnrolled
                | Self::RateLimited { .. }
                | Self::Paused { .. }
                | Self::Unauthorized { .. }
                | Self::Unreachable(_)
                | Self::NotAsked
        )
    }
}

/// A callback as it arrived, unread.
#[derive(Debug)]
pub struct Callback<'a> {
    /// `POST` or `GET`.
    pub method: &'a Method,
    /// All headers.
    pub headers: &'a HeaderMap,
    /// The query string, raw and without the question mark.
    pub query: &'a str,
    /// The body, raw.
    pub body: &'a [u8],
}

/// What an authentic callback says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallbackReport {
    /// The phone answered an approval request.
    Answered {
        /// Which.
        id: PushHandle,
        /// Whose phone.
        user: ProviderUserId,
        /// The login that was sent along hidden, where it came back.
        approval_id: Option<ApprovalId>,
        /// What the phone said.
        verdict: Verdict,
    },
    /// Authentic, and nothing to act on (a trial callback, another kind of event).
    NothingToDo,
}

/// Why a callback is not believed.
#[derive(Debug, thiserror::Error)]
pub enum CallbackError {
    /// No signature, or not ours.
    #[error("the signature does not match")]
    Forged,
    /// Signed, but it can be read in two ways (RFC 8259 §4): duplicate keys, bracketed keys, or contradicting members.
    #[error("ambiguous: {0}")]
    Ambiguous(&'static str),
}

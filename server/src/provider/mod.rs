//! Providers: vendors that reach phones.
//!
//! Several are configured at once ([`Providers`]). What a vendor can do is two traits, [`PushProvider`] and [`CodeProvider`], and
//! [`Enrollment`] if it keeps people of its own. No word of a vendor leaves its folder: what it answers is reduced here to what a caller can
//! act on. Adding one takes a folder, its settings, and a line in [`Providers::from_settings`].

pub mod authy;
mod breaker;
mod configured;
mod error;
pub mod guarded;
mod measured;
mod payload;
pub(crate) mod signature;

use std::{fmt, time::Duration};

use async_trait::async_trait;
use http::{HeaderMap, Method};

pub use self::{
    breaker::PauseScope,
    configured::{ProviderSettings, Providers},
    error::{ProviderError, RateLimitScope},
};
use crate::model::{
    ApprovalId, Code, CodeChannel, CodeHandle, Email, Phone, ProviderUserId, PushHandle, Verdict,
};

/// One vendor, and what it can do.
///
/// Every call ends within `PROVIDER_TIMEOUT`. None is repeated blindly: a call that sends a message or checks a code is made once.
pub trait Provider: fmt::Debug + Send + Sync {
    /// Returns its name as it is stored and as its callback's path has it: `authy`.
    fn name(&self) -> &'static str;

    /// Returns how people are enrolled, if it keeps people of its own.
    fn enrollment(&self) -> Option<&dyn Enrollment> {
        None
    }

    /// Returns its pushes, if it has any.
    fn pushes(&self) -> Option<&dyn PushProvider> {
        None
    }

    /// Returns its codes, if it has any.
    fn codes(&self) -> Option<&dyn CodeProvider> {
        None
    }
}

/// A provider that keeps people of its own.
#[async_trait]
pub trait Enrollment: Send + Sync {
    /// Whether people whom it does not know are enrolled.
    fn takes_new_people(&self) -> bool;

    /// Registers a person's phone. The same phone gives the same id.
    async fn enroll(&self, email: &Email, phone: &Phone) -> Result<ProviderUserId, ProviderError>;
}

/// A provider that pushes to the people who are enrolled with it.
#[async_trait]
pub trait PushProvider: Send + Sync {
    /// Sends a push that asks for an answer.
    async fn request(&self, request: &PushRequest<'_>) -> Result<PushHandle, ProviderError>;

    /// Returns the status of a push.
    async fn find(&self, push: &PushHandle) -> Result<PushStatus, ProviderError>;

    /// Reads a callback, after it has checked that the provider sent it. Changes nothing.
    fn read_callback(&self, callback: &Callback<'_>) -> Result<CallbackReport, CallbackError>;
}

/// A provider that sends codes and checks them.
#[async_trait]
pub trait CodeProvider: Send + Sync {
    /// Whether it has an app that shows codes, the same ones for every approval of a person.
    fn has_app(&self) -> bool {
        false
    }

    /// Returns what the codes are checked with that its app shows; `None` without such an app.
    fn app_codes(&self, user: &ProviderUserId) -> Option<CodeHandle> {
        let _ = user;
        None
    }

    /// Returns what the code of this message will be checked with, if that is known before the answer: an answer that is lost then
    /// leaves a code that can be checked.
    fn expected_handle(&self, message: &CodeMessage<'_>) -> Option<CodeHandle> {
        let _ = message;
        None
    }

    /// Sends a code, or notifies the person to open the app.
    async fn send(&self, message: &CodeMessage<'_>) -> Result<SentCode, ProviderError>;

    /// Checks a code. Only `Ok` is a judgement; [`ProviderError::was_certainly_not_judged`] says whether an error may be one.
    async fn check(&self, check: &CodeCheck<'_>) -> Result<CodeJudgement, ProviderError>;
}

/// A push to send.
#[derive(Debug)]
pub struct PushRequest<'a> {
    /// The person.
    pub user: &'a ProviderUserId,
    /// The approval that the answer belongs to. It is not shown, and comes back in the callback.
    pub approval_id: ApprovalId,
    /// The line that the person reads first.
    pub message: &'a str,
    /// What is shown below it, in this order: label and value.
    pub details: &'a [(&'a str, String)],
    /// How long the push can be answered: until the approval's deadline.
    pub expires_in: Duration,
}

/// The status of a push at the provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PushStatus {
    /// It is not answered.
    Pending,
    /// The phone answered.
    Answered(Verdict),
    /// It was not answered in time, or the provider does not know it (any more).
    Gone,
}

/// How a code should be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sending {
    /// As the provider prefers: a person with its app is notified to open it, everybody else gets a text message.
    Preferred,
    /// In a text message, to people with the app too.
    Sms,
    /// In a call, to people with the app too.
    Voice,
}

/// A message with a code, to be sent.
#[derive(Clone, Copy, Debug)]
pub struct CodeMessage<'a> {
    /// The phone.
    pub phone: &'a Phone,
    /// The provider's id of the person; `None` if it keeps no people of its own.
    pub user: Option<&'a ProviderUserId>,
    /// The approval that the code belongs to.
    pub approval_id: ApprovalId,
    /// How it should be sent.
    pub sending: Sending,
}

/// A code that was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentCode {
    /// How. [`CodeChannel::App`]: nothing was sent, and the app shows a code.
    pub channel: CodeChannel,
    /// What the code is checked with.
    pub handle: CodeHandle,
}

/// A typed code, to be checked.
#[derive(Debug)]
pub struct CodeCheck<'a> {
    /// What the code is checked with.
    pub handle: &'a CodeHandle,
    /// The approval that it is to approve.
    pub approval_id: ApprovalId,
    /// The code.
    pub code: &'a Code,
}

/// The provider's judgement of a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodeJudgement {
    /// It is right, and used up now.
    Right,
    /// It is wrong.
    Wrong,
    /// It was right, and has been used before.
    AlreadyUsed,
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
        /// The push.
        id: PushHandle,
        /// The person.
        user: ProviderUserId,
        /// The approval that was sent along with the push, if it came back.
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

//! One request for a person's countersignature, from its start to its one terminal state, and the rules for it.
//!
//! What a decision does is computed here and nowhere else ([`Decision::effect`]). Storage ensures that of two concurrent decisions
//! exactly one takes effect.

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    ApprovalId, BudgetKey, CodeSource, DeviceId, Method, Phone, Purpose, PushHandle, PushRecipient, UserId,
    words::words,
};

words! {
    /// The state of an approval.
    ApprovalState {
        /// Waits for the phone or a code.
        Pending = "PENDING",
        /// Approved. Terminal.
        Approved = "APPROVED",
        /// The phone denied it. A code that is requested after that can still approve it.
        Denied = "DENIED",
        /// The deadline passed. Terminal.
        Expired = "EXPIRED",
        /// Ended otherwise; [`ApprovalFailure`] says why. Terminal.
        Failed = "FAILED",
    }
}

words! {
    /// What the person does next.
    ApprovalStep {
        /// Approve the push.
        ApproveOnPhone = "APPROVE_ON_PHONE",
        /// Type a code.
        EnterCode = "ENTER_CODE",
        /// Nothing: the approval is settled.
        None = "NONE",
    }
}

words! {
    /// Why an approval failed.
    ApprovalFailure {
        /// Too many codes were wrong.
        TooManyWrongCodes = "TOO_MANY_WRONG_CODES",
        /// The person cancelled it.
        Cancelled = "CANCELLED",
        /// A user has the email of the signup already. Shown only after the phone is verified.
        EmailTaken = "EMAIL_TAKEN",
        /// The phone denied it, and no code may follow ([`AfterDenial`]).
        Denied = "DENIED",
        /// The session that asked for it has ended.
        SessionEnded = "SESSION_ENDED",
        /// The user's password, email, phone or factors changed after it was started.
        AccountChanged = "ACCOUNT_CHANGED",
    }
}

words! {
    /// How a code is delivered.
    CodeChannel {
        /// In a text message.
        Sms = "SMS",
        /// The app on the phone shows it. Only a notification is sent.
        App = "APP",
        /// In a call.
        Voice = "VOICE",
    }
}

words! {
    /// The phone's answer to a push.
    Verdict {
        /// Yes.
        Approved = "APPROVED",
        /// No.
        Denied = "DENIED",
    }
}

words! {
    /// Which logins a code may still approve after the phone denied them: the setting `AFTER_DENIAL`.
    ///
    /// The phone answers once, so an approval by such a code cannot be denied any more.
    AfterDenial {
        /// Logins that were started with the token of a known device.
        KnownDevice = "known_device",
        /// All logins.
        Code = "code",
        /// None.
        Final = "final",
    }
}

impl AfterDenial {
    /// Whether a code may approve this approval after the phone denies it. A denial of any purpose but LOGIN is final: the phone of
    /// a denied signup belongs to somebody else.
    #[must_use]
    pub fn allows_code(self, approval: &Approval) -> bool {
        let is_allowed = match self {
            Self::KnownDevice => approval.device_id.is_some(),
            Self::Code => true,
            Self::Final => false,
        };
        is_allowed && approval.purpose == Purpose::Login
    }
}

words! {
    /// How the session that a login opens is delivered. Fixed by the request that starts the login, so that a client which has only
    /// the login token cannot choose.
    DeliveryMethod {
        /// In the body of a response or an event, for a client that presents it as a bearer.
        Bearer = "BEARER",
        /// In a cookie of the browser, set by an HTTP response.
        Cookie = "COOKIE",
    }
}

/// What settles an approval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settler {
    /// The phone's verdict on the push, by callback or by poll.
    Push,
    /// A code, right or wrong once too often.
    Code,
    /// The person, by cancelling.
    Person,
    /// The deadline.
    Clock,
    /// The end of its session, or a change of its account.
    Account,
}

/// For how long a login token is known after its approval is settled, and after its session was first delivered.
pub(super) const READABLE_AFTER: TimeDelta = TimeDelta::minutes(2);

/// When the token of an approval that is settled then is forgotten if no session is delivered: at its deadline or two minutes after
/// it is settled, whichever is later.
#[must_use]
pub fn readable_until(expires_at: DateTime<Utc>, settled_at: DateTime<Utc>) -> DateTime<Utc> {
    expires_at.max(settled_at + READABLE_AFTER)
}

impl ApprovalState {
    /// Whether an approval in this state can still be settled.
    #[must_use]
    pub fn is_open(self) -> bool {
        matches!(self, Self::Pending | Self::Denied)
    }
}

/// An approval as it is stored.
#[derive(Clone, Debug)]
pub struct Approval {
    /// Its id.
    pub id: ApprovalId,
    /// What it is for.
    pub purpose: Purpose,
    /// Its state.
    pub state: ApprovalState,
    /// What the person does next.
    pub next_step: ApprovalStep,
    /// Why it failed, with [`ApprovalState::Failed`] only.
    pub failure: Option<ApprovalFailure>,
    /// Increases by one with each change that a watcher can see.
    pub sequence: i32,
    /// Its user; `None` for a signup that is not approved.
    pub user_id: Option<UserId>,
    /// The user's security version when it was started; `None` for a signup.
    pub security_version: Option<i32>,
    /// The phone that answers.
    pub phone: Phone,
    /// The known device that started it.
    pub device_id: Option<DeviceId>,
    /// The network that started it, if known.
    pub network: Option<String>,
    /// The rate limit that holds its slot among the phone's open pushes, until the deadline.
    pub push_slot: Option<BudgetKey>,
    /// When its token is forgotten, once it is settled; `None` if it is open or the token is forgotten.
    pub readable_until: Option<DateTime<Utc>>,
    /// Shown to the person and on the phone; `None` without a push.
    pub match_number: Option<String>,
    /// Whom a provider pushes to; `None` if no provider can.
    pub push: Option<PushRecipient>,
    /// The provider's handle of the push, if known.
    pub push_handle: Option<PushHandle>,
    /// The phone's one verdict on the push.
    pub verdict: Option<Verdict>,
    /// Where a code is checked; `None` if none was sent and no app shows one.
    pub code: Option<CodeSource>,
    /// How the last code was sent; after a denial, the last code that was requested since.
    pub code_channel: Option<CodeChannel>,
    /// Codes that were sent to be checked, whatever the result.
    pub tries_taken: i32,
    /// Codes that were wrong, or must be assumed to be.
    pub wrong_codes: i32,
    /// When the next code may be requested.
    pub resend_available_at: DateTime<Utc>,
    /// How often the provider was polled about the push.
    pub poll_count: i32,
    /// When the next poll is due; `None`: no more.
    pub next_poll_at: Option<DateTime<Utc>>,
    /// When it was started.
    pub created_at: DateTime<Utc>,
    /// Its deadline.
    pub expires_at: DateTime<Utc>,
    /// When it was settled.
    pub settled_at: Option<DateTime<Utc>>,
}

impl Approval {
    /// Whether a code has to be requested before any is accepted: the phone denied the login, and none was requested since. A
    /// code from before the denial may be the reason for it.
    #[must_use]
    pub fn needs_new_code(&self) -> bool {
        self.state == ApprovalState::Denied && self.code_channel.is_none()
    }

    /// The decision that a right code is, for an approval that was in this state when the code was typed.
    #[must_use]
    pub fn right_code(&self) -> Decision {
        if self.state == ApprovalState::Denied { Decision::RightCodeAfterDenial } else { Decision::RightCode }
    }
}

/// What there is to decide about an approval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The phone answered the push.
    Verdict(Verdict),
    /// A right code was typed, before any denial.
    RightCode,
    /// A right code was typed after the phone denied the login, and after another code was requested.
    RightCodeAfterDenial,
    /// The last try was wrong.
    TooManyWrongCodes,
    /// The person cancelled it.
    Cancelled,
    /// The deadline passed.
    Deadline,
    /// The session that asked for it has ended.
    SessionEnded,
    /// The account has changed since it was started.
    AccountChanged,
}

/// What a decision does to an approval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It moves to this state.
    Settle {
        /// The new state.
        state: ApprovalState,
        /// Why, with [`ApprovalState::Failed`].
        failure: Option<ApprovalFailure>,
    },
    /// The approval stays approved, but the session that it opened or confirmed ends: the person did not type that code.
    EndSession,
    /// The verdict is stored, so that a later one has no effect.
    Record,
    /// Nothing.
    Ignore,
}

impl Effect {
    /// The approval fails for this reason.
    #[must_use]
    pub fn fail(failure: ApprovalFailure) -> Self {
        Self::Settle { state: ApprovalState::Failed, failure: Some(failure) }
    }

    /// Whether it settles the approval.
    #[must_use]
    pub fn settles(self) -> bool {
        matches!(self, Self::Settle { state, .. } if !state.is_open())
    }

    /// Whether it approves the approval.
    #[must_use]
    pub fn approves(self) -> bool {
        matches!(self, Self::Settle { state: ApprovalState::Approved, .. })
    }

    /// Whether it ends a session: the one that the approval opened or, for CONFIRM, the one that asked.
    #[must_use]
    pub fn ends_session(self, purpose: Purpose) -> bool {
        self == Self::EndSession || purpose == Purpose::Confirm && self == Self::fail(ApprovalFailure::Denied)
    }
}

impl Decision {
    /// The phone's verdict, if it is one. An approval takes one, ever.
    #[must_use]
    pub fn verdict(self) -> Option<Verdict> {
        match self {
            Self::Verdict(verdict) => Some(verdict),
            _ => None,
        }
    }

    /// The method that answers with it; `None` if it is no answer.
    #[must_use]
    pub fn method(self) -> Option<Method> {
        match self {
            Self::Verdict(_) => Some(Method::Push),
            Self::RightCode | Self::RightCodeAfterDenial => Some(Method::ProviderCode),
            _ => None,
        }
    }

    /// Whether it is a right code.
    #[must_use]
    pub fn is_right_code(self) -> bool {
        matches!(self, Self::RightCode | Self::RightCodeAfterDenial)
    }

    /// What will have settled the approval.
    #[must_use]
    pub fn settler(self) -> Settler {
        match self {
            Self::Verdict(_) => Settler::Push,
            Self::RightCode | Self::RightCodeAfterDenial | Self::TooManyWrongCodes => Settler::Code,
            Self::Cancelled => Settler::Person,
            Self::Deadline => Settler::Clock,
            Self::SessionEnded | Self::AccountChanged => Settler::Account,
        }
    }

    /// What this decision does to that approval.
    #[must_use]
    pub fn effect(self, approval: &Approval, after_denial: AfterDenial) -> Effect {
        let settle = |state| Effect::Settle { state, failure: None };
        if self.verdict().is_some() && approval.verdict.is_some() {
            return Effect::Ignore;
        }
        if self.method().is_some_and(|method| !approval.purpose.allows(method)) {
            return Effect::Ignore;
        }
        if !approval.state.is_open() {
            return match (approval.state, self.verdict()) {
                // Without a verdict before this one, a code approved it.
                (ApprovalState::Approved, Some(Verdict::Denied)) => Effect::EndSession,
                // Cancelled by its client, before the person could deny it.
                (_, Some(Verdict::Denied)) if approval.purpose == Purpose::Confirm => Effect::EndSession,
                (_, Some(_)) => Effect::Record,
                (_, None) => Effect::Ignore,
            };
        }
        let is_denied = approval.state == ApprovalState::Denied;
        match self {
            // Typed before a denial that arrived first, or without another code: see `needs_new_code`.
            Self::RightCode if is_denied => Effect::Ignore,
            Self::RightCodeAfterDenial if approval.needs_new_code() => Effect::Ignore,
            Self::Verdict(Verdict::Approved) | Self::RightCode | Self::RightCodeAfterDenial => {
                settle(ApprovalState::Approved)
            }
            Self::Verdict(Verdict::Denied) if after_denial.allows_code(approval) => {
                settle(ApprovalState::Denied)
            }
            Self::Verdict(Verdict::Denied) => Effect::fail(ApprovalFailure::Denied),
            Self::TooManyWrongCodes => Effect::fail(ApprovalFailure::TooManyWrongCodes),
            Self::Cancelled => Effect::fail(ApprovalFailure::Cancelled),
            Self::Deadline => settle(ApprovalState::Expired),
            Self::SessionEnded => Effect::fail(ApprovalFailure::SessionEnded),
            Self::AccountChanged => Effect::fail(ApprovalFailure::AccountChanged),
        }
    }
}

#[cfg(test)]
mod tests;

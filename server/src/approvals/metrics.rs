//! Metrics of approvals. The instance that settles one counts it, and so once, however many instances tried.

use metrics::counter;

use crate::{
    model::{Approval, ApprovalState, Decision, Effect, Purpose, PushHandle, Settler, UsedCode, Verdict},
    storage::Settled,
};

/// How a decision came about.
#[derive(Clone, Debug)]
pub(super) enum Source {
    /// A callback about this push.
    Callback(PushHandle),
    /// A poll of this push; `None` without one.
    Poll(Option<PushHandle>),
    /// A right code; with it, if it counts once over all approvals of its person.
    Code(Option<UsedCode>),
    /// No push.
    Elsewhere,
}

impl Source {
    /// The push that it is about.
    pub(super) fn push(&self) -> Option<&PushHandle> {
        match self {
            Self::Callback(push) => Some(push),
            Self::Poll(push) => push.as_ref(),
            Self::Code(_) | Self::Elsewhere => None,
        }
    }

    /// The right code that counts once.
    pub(super) fn used_code(&self) -> Option<&UsedCode> {
        match self {
            Self::Code(used) => used.as_ref(),
            _ => None,
        }
    }

    /// What settled it, in more detail than the approval stores.
    fn word(&self, decision: Decision) -> &'static str {
        match (decision.settler(), self) {
            (Settler::Push, Self::Callback(_)) => "callback",
            (Settler::Push, _) => "asked",
            (Settler::Code, _) => "code",
            (Settler::Person, _) => "person",
            (Settler::Clock, _) => "clock",
            (Settler::Account, _) => "account",
        }
    }
}

fn label(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::Signup => "signup",
        Purpose::Login => "login",
        Purpose::Confirm => "confirm",
    }
}

/// Counts a started approval, by its purpose and its first step.
pub(super) fn count_started(purpose: Purpose, is_pushed: bool) {
    let next_step = if is_pushed { "approve_on_phone" } else { "enter_code" };
    let labels = [("purpose", label(purpose)), ("next_step", next_step)];
    counter!("countersign_logins_begun_total", &labels).increment(1);
}

/// Counts what a decision came to: an end, a denial, both, or nothing.
pub(super) fn count_decided(settled: &Settled, decision: Decision, source: &Source) {
    let by = source.word(decision);
    if settled.effect.settles() {
        let purpose = label(settled.approval.purpose);
        let labels = [("purpose", purpose), ("outcome", outcome(&settled.approval)), ("by", by)];
        counter!("countersign_logins_ended_total", &labels).increment(1);
    }
    if decision.verdict() == Some(Verdict::Denied) && settled.effect != Effect::Ignore {
        let effect = match settled.effect {
            Effect::EndSession => "session_ended",
            Effect::Record | Effect::Ignore => "too_late",
            Effect::Settle { state, .. } if state.is_open() => "code_may_follow",
            Effect::Settle { .. } => "login_ended",
        };
        counter!("countersign_denials_total", "effect" => effect, "by" => by).increment(1);
    }
}

/// How a login ended; where it failed, why.
fn outcome(approval: &Approval) -> &'static str {
    use crate::model::ApprovalFailure::{
        AccountChanged, Cancelled, Denied, EmailTaken, SessionEnded, TooManyWrongCodes,
    };
    match (approval.state, approval.failure) {
        (ApprovalState::Approved, _) => "approved",
        (ApprovalState::Expired, _) => "expired",
        (_, Some(TooManyWrongCodes)) => "too_many_wrong_codes",
        (_, Some(Cancelled)) => "cancelled",
        (_, Some(EmailTaken)) => "email_taken",
        (_, Some(Denied)) => "denied",
        (_, Some(SessionEnded)) => "session_ended",
        (_, Some(AccountChanged)) => "account_changed",
        (ApprovalState::Pending | ApprovalState::Denied | ApprovalState::Failed, None) => "failed",
    }
}

/// Counts a callback by what it was answered.
pub(super) fn count_callback(answer: &'static str) {
    counter!("countersign_callbacks_total", "answer" => answer).increment(1);
}

//! What is counted of logins. Each is counted by whoever won it, and so once, however many instances tried.

use metrics::counter;

use crate::{
    model::{ApprovalRequestId, Decision, Effect, Login, LoginPurpose, LoginState, Settler, Verdict},
    storage::Settled,
};

/// How a decision came about.
#[derive(Clone, Debug)]
pub(super) enum Source {
    /// The provider reported what the phone said of this push.
    Callback(ApprovalRequestId),
    /// It was asked about this push; without one there was nothing to ask about.
    Asked(Option<ApprovalRequestId>),
    /// The provider was not asked about a push.
    Elsewhere,
}

impl Source {
    /// The push that it speaks of.
    pub(super) fn push(&self) -> Option<&ApprovalRequestId> {
        match self {
            Self::Callback(push) => Some(push),
            Self::Asked(push) => push.as_ref(),
            Self::Elsewhere => None,
        }
    }

    /// What settled it, more closely than the login itself remembers.
    fn word(&self, decision: Decision) -> &'static str {
        match (decision.settler(), self) {
            (Settler::Push, Self::Callback(_)) => "callback",
            (Settler::Push, _) => "asked",
            (Settler::Code, _) => "code",
            (Settler::Person, _) => "person",
            (Settler::Clock, _) => "clock",
        }
    }
}

fn purpose(login: LoginPurpose) -> &'static str {
    match login {
        LoginPurpose::Signup => "signup",
        LoginPurpose::Login => "login",
    }
}

/// Counts a login that has begun, and what its person was told to do first.
pub(super) fn count_begun(of: LoginPurpose, is_pushed: bool) {
    let next_step = if is_pushed { "approve_on_phone" } else { "enter_code" };
    let labels = [("purpose", purpose(of)), ("next_step", next_step)];
    counter!("countersign_logins_begun_total", &labels).increment(1);
}

/// Counts what a decision came to: an end, a denial, both, or nothing.
pub(super) fn count_decided(settled: &Settled, decision: Decision, source: &Source) {
    let by = source.word(decision);
    if settled.effect.ends_the_login() {
        let of = purpose(settled.login.purpose);
        let labels = [("purpose", of), ("outcome", outcome(&settled.login)), ("by", by)];
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
fn outcome(login: &Login) -> &'static str {
    use crate::model::LoginFailure::{Cancelled, Denied, EmailTaken, TooManyWrongCodes};
    match (login.state, login.failure) {
        (LoginState::Approved, _) => "approved",
        (LoginState::Expired, _) => "expired",
        (_, Some(TooManyWrongCodes)) => "too_many_wrong_codes",
        (_, Some(Cancelled)) => "cancelled",
        (_, Some(EmailTaken)) => "email_taken",
        (_, Some(Denied)) => "denied",
        (LoginState::Pending | LoginState::Denied | LoginState::Failed, None) => "failed",
    }
}

/// Counts a callback by what it was answered.
pub(super) fn count_callback(answer: &'static str) {
    counter!("countersign_callbacks_total", "answer" => answer).increment(1);
}

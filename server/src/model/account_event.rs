//! The audit trail of an account.

use chrono::{DateTime, Utc};

use super::{
    Approval, ApprovalFailure, ApprovalId, ApprovalState, Decision, Effect, EventId, Purpose, SessionId,
    UserId, Verdict, words::words,
};

words! {
    /// What happened to an account.
    EventKind {
        /// The account was created.
        SignedUp = "SIGNED_UP",
        /// A session was opened.
        LoggedIn = "LOGGED_IN",
        /// A login with the right password failed: wrong codes, or no answer in time.
        LoginFailed = "LOGIN_FAILED",
        /// A push was denied on the phone.
        LoginDenied = "LOGIN_DENIED",
        /// An operation was confirmed in a session.
        Confirmed = "CONFIRMED",
        /// A session was ended.
        SessionEnded = "SESSION_ENDED",
        /// The known devices were forgotten.
        DevicesForgotten = "DEVICES_FORGOTTEN",
        /// The password was changed in a session.
        PasswordChanged = "PASSWORD_CHANGED",
    }
}

/// One line of an account's audit trail. It contains no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountEvent {
    /// Its id.
    pub id: EventId,
    /// The account.
    pub user: UserId,
    /// What happened.
    pub kind: EventKind,
    /// When.
    pub at: DateTime<Utc>,
    /// The login or confirmation that it is about.
    pub approval: Option<ApprovalId>,
    /// The session that it is about.
    pub session: Option<SessionId>,
    /// The network of the client, if known.
    pub network: Option<String>,
    /// More about it in a few words of ours: a reason, an operation, how the user was authenticated.
    pub detail: Option<&'static str>,
}

impl AccountEvent {
    /// An event that is about the account alone.
    #[must_use]
    pub fn new(id: EventId, user: UserId, kind: EventKind, at: DateTime<Utc>) -> Self {
        Self { id, user, kind, at, approval: None, session: None, network: None, detail: None }
    }
}

/// What a decision about an approval adds to the trail of its account, with the detail of each. The end of a session is added by
/// whatever ends it.
#[must_use]
pub fn events_of(
    approval: &Approval,
    decision: Decision,
    effect: Effect,
) -> Vec<(EventKind, Option<&'static str>)> {
    let mut events = Vec::new();
    if decision.verdict() == Some(Verdict::Denied) && effect != Effect::Ignore {
        events.push((EventKind::LoginDenied, None));
    }
    match effect {
        Effect::Settle { state: ApprovalState::Approved, .. } => {
            let kind = match approval.purpose {
                Purpose::Signup => EventKind::SignedUp,
                Purpose::Login => EventKind::LoggedIn,
                Purpose::Confirm => EventKind::Confirmed,
            };
            events.push((kind, Some(approval.amr(decision))));
        }
        Effect::Settle { state: state @ ApprovalState::Expired, .. } => {
            events.push((EventKind::LoginFailed, Some(state.as_str())));
        }
        Effect::Settle { failure: Some(failure @ ApprovalFailure::TooManyWrongCodes), .. } => {
            events.push((EventKind::LoginFailed, Some(failure.as_str())));
        }
        _ => {}
    }
    events
}

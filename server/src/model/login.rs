//! One attempt to get in, from the right password to its end, and the rules of its life.
//!
//! What may follow what is decided here and nowhere else ([`Decision::effect`]); storage only sees to it that of two
//! decisions at once exactly one is taken.

use chrono::{DateTime, Utc};

use super::{ApprovalRequestId, BudgetKey, DeviceId, LoginId, Phone, ProviderUserId, SessionSalt, UserId};

/// An enum that is stored and published as one word.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$variant_doc])* $variant,)* }

        impl $name {
            /// The word that is stored.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }

            /// Reads a stored word; `None` where it is none.
            #[must_use]
            pub fn parse(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

words! {
    /// Where a login stands.
    LoginState {
        /// Waits for the phone or a code.
        Pending = "PENDING",
        /// Signed in. Terminal.
        Approved = "APPROVED",
        /// The phone said no; a code may still be typed.
        Denied = "DENIED",
        /// Nobody countersigned in time. Terminal.
        Expired = "EXPIRED",
        /// Ended otherwise; [`LoginFailure`] says why. Terminal.
        Failed = "FAILED",
    }
}

words! {
    /// What the person does next.
    LoginStep {
        /// Approve the push.
        ApproveOnPhone = "APPROVE_ON_PHONE",
        /// Type a code.
        EnterCode = "ENTER_CODE",
        /// Nothing: the login is over.
        None = "NONE",
    }
}

words! {
    /// What the login is for.
    LoginPurpose {
        /// To prove the phone of an account that does not exist yet.
        Signup = "SIGNUP",
        /// To sign in.
        Login = "LOGIN",
    }
}

words! {
    /// Why a login failed.
    LoginFailure {
        /// All tries are spent.
        TooManyWrongCodes = "TOO_MANY_WRONG_CODES",
        /// The person cancelled it.
        Cancelled = "CANCELLED",
        /// A signup whose email has a user already; told to who proved the phone.
        EmailTaken = "EMAIL_TAKEN",
        /// The phone said no, and a setting makes that final.
        Denied = "DENIED",
    }
}

words! {
    /// How a code travels.
    CodeChannel {
        /// By text message.
        Sms = "SMS",
        /// Made by the app on the phone; nothing is sent but a hint to open it.
        App = "APP",
        /// By a call.
        Voice = "VOICE",
    }
}

words! {
    /// What the phone said.
    Verdict {
        /// Yes.
        Approved = "APPROVED",
        /// No.
        Denied = "DENIED",
    }
}

words! {
    /// What settled a login.
    Settler {
        /// The phone's verdict on the push, by callback or asked for.
        Push = "PUSH",
        /// A code, right or wrong once too often.
        Code = "CODE",
        /// The person, by cancelling.
        Person = "PERSON",
        /// The deadline.
        Clock = "CLOCK",
    }
}

impl LoginState {
    /// Whether a login in this state can still be settled.
    #[must_use]
    pub fn is_open(self) -> bool {
        matches!(self, Self::Pending | Self::Denied)
    }
}

/// A login as it is stored.
#[derive(Clone, Debug)]
pub struct Login {
    /// Its id.
    pub id: LoginId,
    /// What it is for.
    pub purpose: LoginPurpose,
    /// Where it stands.
    pub state: LoginState,
    /// What the person does next.
    pub next_step: LoginStep,
    /// Why it failed, with [`LoginState::Failed`] only.
    pub failure: Option<LoginFailure>,
    /// What settled it, once it is over.
    pub settled_by: Option<Settler>,
    /// Grows by one with each change that a watcher can see.
    pub sequence: i32,
    /// Whose it is; a signup's is known once the phone is proven.
    pub user_id: Option<UserId>,
    /// The phone that is asked.
    pub phone: Phone,
    /// The known device that it came from.
    pub device_id: Option<DeviceId>,
    /// The network that it came from, where that is known.
    pub network: Option<String>,
    /// What holds its place among the phone's open pushes, until its deadline.
    pub push_place: Option<BudgetKey>,
    /// Makes the session token from the login token; erased when the login token is to be forgotten.
    pub session_salt: Option<SessionSalt>,
    /// Shown to the person and on the phone; `None` where there is no place for a push, or no number free.
    pub match_number: Option<String>,
    /// How the provider knows the person.
    pub provider_user_id: ProviderUserId,
    /// The push's handle, where one is known.
    pub approval_request_id: Option<ApprovalRequestId>,
    /// The phone's one verdict on the push.
    pub verdict: Option<Verdict>,
    /// How the last code travelled.
    pub code_channel: Option<CodeChannel>,
    /// Codes that were sent to be judged, whatever became of them.
    pub tries_taken: i32,
    /// Codes of which it is known, or must be assumed, that they were judged wrong.
    pub wrong_codes: i32,
    /// When the next code may be asked for.
    pub resend_available_at: DateTime<Utc>,
    /// How often the provider was asked about the push.
    pub asks: i32,
    /// When it is to be asked next; `None`: no more.
    pub ask_at: Option<DateTime<Utc>>,
    /// When it began.
    pub created_at: DateTime<Utc>,
    /// Its deadline.
    pub expires_at: DateTime<Utc>,
}

/// What there is to decide about a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The phone answered the push.
    Verdict(Verdict),
    /// The phone answered no, and a setting makes that the end.
    FinalDenial,
    /// A right code was typed.
    RightCode,
    /// The last try was wrong.
    TooManyWrongCodes,
    /// The person gave up.
    Cancelled,
    /// The deadline passed.
    Deadline,
}

/// What a decision does to a login that it finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It moves to this state.
    Settle {
        /// Where it goes.
        state: LoginState,
        /// Why, with [`LoginState::Failed`].
        failure: Option<LoginFailure>,
    },
    /// The login stays approved, but its session ends: the person says that they did not type that code.
    EndSession,
    /// The verdict is remembered, so that a later one counts for nothing.
    Record,
    /// Nothing at all.
    Ignore,
}

impl Effect {
    /// A signup whose phone was proven, but whose email has a user.
    pub const EMAIL_TAKEN: Self =
        Self::Settle { state: LoginState::Failed, failure: Some(LoginFailure::EmailTaken) };

    /// Whether the login is over with it.
    #[must_use]
    pub fn ends_the_login(self) -> bool {
        matches!(self, Self::Settle { state, .. } if !state.is_open())
    }

    /// Whether the person is signed in with it.
    #[must_use]
    pub fn opens_a_session(self) -> bool {
        matches!(self, Self::Settle { state: LoginState::Approved, .. })
    }
}

impl Decision {
    /// The phone's verdict, where it is one. A login takes one, ever.
    #[must_use]
    pub fn verdict(self) -> Option<Verdict> {
        match self {
            Self::Verdict(verdict) => Some(verdict),
            Self::FinalDenial => Some(Verdict::Denied),
            Self::RightCode | Self::TooManyWrongCodes | Self::Cancelled | Self::Deadline => None,
        }
    }

    /// What will have settled the login.
    #[must_use]
    pub fn settler(self) -> Settler {
        match self {
            Self::Verdict(_) | Self::FinalDenial => Settler::Push,
            Self::RightCode | Self::TooManyWrongCodes => Settler::Code,
            Self::Cancelled => Settler::Person,
            Self::Deadline => Settler::Clock,
        }
    }

    /// What this decision does to a login in that state (DESIGN §2).
    ///
    /// `verdict` is what the phone had said before, `settled_by` what ended the login.
    #[must_use]
    pub fn effect(self, state: LoginState, verdict: Option<Verdict>, settled_by: Option<Settler>) -> Effect {
        let settle = |state, failure| Effect::Settle { state, failure };
        if self.verdict().is_some() && verdict.is_some() {
            return Effect::Ignore;
        }
        if !state.is_open() {
            let denied = self.verdict() == Some(Verdict::Denied);
            return match (state, settled_by) {
                (LoginState::Approved, Some(Settler::Code)) if denied => Effect::EndSession,
                _ if self.verdict().is_some() => Effect::Record,
                _ => Effect::Ignore,
            };
        }
        match self {
            Self::Verdict(Verdict::Approved) | Self::RightCode => settle(LoginState::Approved, None),
            Self::Verdict(Verdict::Denied) => settle(LoginState::Denied, None),
            Self::FinalDenial => settle(LoginState::Failed, Some(LoginFailure::Denied)),
            Self::TooManyWrongCodes => settle(LoginState::Failed, Some(LoginFailure::TooManyWrongCodes)),
            Self::Cancelled => settle(LoginState::Failed, Some(LoginFailure::Cancelled)),
            Self::Deadline => settle(LoginState::Expired, None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const APPROVED: Decision = Decision::Verdict(Verdict::Approved);
    const DENIED: Decision = Decision::Verdict(Verdict::Denied);

    #[test]
    fn a_denied_login_cannot_be_approved_by_the_phone_but_by_a_code() {
        let verdict = Some(Verdict::Denied);
        assert_eq!(APPROVED.effect(LoginState::Denied, verdict, None), Effect::Ignore);
        let approved = Effect::Settle { state: LoginState::Approved, failure: None };
        assert_eq!(Decision::RightCode.effect(LoginState::Denied, verdict, None), approved);
    }

    #[test]
    fn a_first_denial_ends_the_session_that_a_code_opened_and_no_other() {
        let effect = |settler| DENIED.effect(LoginState::Approved, None, Some(settler));
        assert_eq!(effect(Settler::Code), Effect::EndSession);
        assert_eq!(effect(Settler::Push), Effect::Record);
        let repeated = DENIED.effect(LoginState::Approved, Some(Verdict::Denied), Some(Settler::Code));
        assert_eq!(repeated, Effect::Ignore);
    }

    #[test]
    fn nothing_leaves_a_terminal_state() {
        let all = [
            APPROVED,
            DENIED,
            Decision::FinalDenial,
            Decision::RightCode,
            Decision::TooManyWrongCodes,
            Decision::Cancelled,
            Decision::Deadline,
        ];
        for state in [LoginState::Approved, LoginState::Expired, LoginState::Failed] {
            for settler in [Settler::Push, Settler::Code, Settler::Person, Settler::Clock] {
                for decision in all {
                    let effect = decision.effect(state, None, Some(settler));
                    assert!(!matches!(effect, Effect::Settle { .. }), "{decision:?} after {state:?}");
                }
            }
        }
    }

    #[test]
    fn words_read_back() {
        for state in [LoginState::Pending, LoginState::Failed] {
            assert_eq!(LoginState::parse(state.as_str()), Some(state));
        }
        assert_eq!(LoginState::parse("pending"), None);
    }
}

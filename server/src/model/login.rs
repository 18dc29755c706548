//! One attempt to get in, from the right password to its end, and the rules of its life.
//!
//! What may follow what is decided here and nowhere else ([`Decision::effect`]); storage only sees to it that of two
//! decisions at once exactly one is taken.

use chrono::{DateTime, TimeDelta, Utc};

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
        /// The phone said no; a code that is asked for from then on may still be typed.
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
        /// The phone said no, and no code may follow ([`AfterDenial`]).
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
    /// Whether a code may approve this login after the phone denies it. A denied signup is always final: its phone said
    /// that it belongs to somebody else.
    #[must_use]
    pub fn allows_code(self, login: &Login) -> bool {
        let is_allowed = match self {
            Self::KnownDevice => login.device_id.is_some(),
            Self::Code => true,
            Self::Final => false,
        };
        is_allowed && login.purpose == LoginPurpose::Login
    }
}

words! {
    /// How the session that a login opens is delivered. Fixed by the request that starts the login, so that who holds the
    /// login token alone cannot choose.
    DeliveryMethod {
        /// In the body of an answer or an event, for a client that presents it as a bearer.
        Bearer = "BEARER",
        /// In a cookie of the browser, set by an HTTP response.
        Cookie = "COOKIE",
    }
}

/// What settles a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settler {
    /// The phone's verdict on the push, by callback or asked for.
    Push,
    /// A code, right or wrong once too often.
    Code,
    /// The person, by cancelling.
    Person,
    /// The deadline.
    Clock,
}

/// For how long a login can be read with its token after it has ended, and after its session was first delivered.
const READABLE_AFTER: TimeDelta = TimeDelta::minutes(2);

/// Until when a login that ended then can be read with its token, as long as no session was delivered: its deadline or two
/// minutes after its end, whichever is later.
#[must_use]
pub fn readable_until(expires_at: DateTime<Utc>, settled_at: DateTime<Utc>) -> DateTime<Utc> {
    expires_at.max(settled_at + READABLE_AFTER)
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
    /// How its session is delivered.
    pub session_delivery: DeliveryMethod,
    /// Until when its token is known, once it is over.
    pub readable_until: DateTime<Utc>,
    /// Shown to the person and on the phone; `None` where there is no place for a push, or no number free.
    pub match_number: Option<String>,
    /// How the provider knows the person.
    pub provider_user_id: ProviderUserId,
    /// The push's handle, where one is known.
    pub approval_request_id: Option<ApprovalRequestId>,
    /// The phone's one verdict on the push.
    pub verdict: Option<Verdict>,
    /// How the last code travelled; after a denial, the last one that was asked for since.
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
    /// When it ended.
    pub settled_at: Option<DateTime<Utc>>,
}

/// The session of a login that was not delivered yet, as it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UndeliveredSession {
    /// The login.
    pub login: LoginId,
    /// Until when its token is known if the session is not delivered.
    pub readable_until: DateTime<Utc>,
}

impl UndeliveredSession {
    /// Until when the login token is known after a delivery at that instant: an answer that was lost can be asked for again.
    #[must_use]
    pub fn readable_until_after(delivered_at: DateTime<Utc>) -> DateTime<Utc> {
        delivered_at + READABLE_AFTER
    }
}

impl Login {
    /// Whether a code has to be asked for before any is taken: the phone denied the login, and none was asked for since. A
    /// code from before the denial may be the reason for it.
    #[must_use]
    pub fn needs_new_code(&self) -> bool {
        self.state == LoginState::Denied && self.code_channel.is_none()
    }

    /// What has to be recorded when the session that it opened is delivered; `None` where a delivery is recorded already. No
    /// column says so: a delivery moves `readable_until` away from where the end has put it.
    #[must_use]
    pub fn undelivered_session(&self) -> Option<UndeliveredSession> {
        let undelivered_until = readable_until(self.expires_at, self.settled_at?);
        (self.readable_until == undelivered_until)
            .then_some(UndeliveredSession { login: self.id, readable_until: undelivered_until })
    }

    /// The decision that a right code is, for a login that stood like this when the code was typed.
    #[must_use]
    pub fn right_code(&self) -> Decision {
        if self.state == LoginState::Denied { Decision::RightCodeAfterDenial } else { Decision::RightCode }
    }
}

/// What there is to decide about a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The phone answered the push.
    Verdict(Verdict),
    /// A right code was typed, before any denial.
    RightCode,
    /// A right code was typed after the phone denied the login, and after another code was asked for.
    RightCodeAfterDenial,
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
            _ => None,
        }
    }

    /// Whether it is a right code.
    #[must_use]
    pub fn is_right_code(self) -> bool {
        matches!(self, Self::RightCode | Self::RightCodeAfterDenial)
    }

    /// What will have settled the login.
    #[must_use]
    pub fn settler(self) -> Settler {
        match self {
            Self::Verdict(_) => Settler::Push,
            Self::RightCode | Self::RightCodeAfterDenial | Self::TooManyWrongCodes => Settler::Code,
            Self::Cancelled => Settler::Person,
            Self::Deadline => Settler::Clock,
        }
    }

    /// What this decision does to that login.
    #[must_use]
    pub fn effect(self, login: &Login, after_denial: AfterDenial) -> Effect {
        let settle = |state, failure| Effect::Settle { state, failure };
        if self.verdict().is_some() && login.verdict.is_some() {
            return Effect::Ignore;
        }
        if !login.state.is_open() {
            return match (login.state, self.verdict()) {
                // Without a verdict before this one, it was a code that approved it.
                (LoginState::Approved, Some(Verdict::Denied)) => Effect::EndSession,
                (_, Some(_)) => Effect::Record,
                (_, None) => Effect::Ignore,
            };
        }
        let is_denied = login.state == LoginState::Denied;
        match self {
            // Typed before the denial that was faster, or without another code: see `needs_new_code`.
            Self::RightCode if is_denied => Effect::Ignore,
            Self::RightCodeAfterDenial if login.needs_new_code() => Effect::Ignore,
            Self::Verdict(Verdict::Approved) | Self::RightCode | Self::RightCodeAfterDenial => {
                settle(LoginState::Approved, None)
            }
            Self::Verdict(Verdict::Denied) if after_denial.allows_code(login) => {
                settle(LoginState::Denied, None)
            }
            Self::Verdict(Verdict::Denied) => settle(LoginState::Failed, Some(LoginFailure::Denied)),
            Self::TooManyWrongCodes => settle(LoginState::Failed, Some(LoginFailure::TooManyWrongCodes)),
            Self::Cancelled => settle(LoginState::Failed, Some(LoginFailure::Cancelled)),
            Self::Deadline => settle(LoginState::Expired, None),
        }
    }
}

#[cfg(test)]
mod tests;

//! Sessions.

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    Approval, ApprovalId, CodeChannel, Decision, DeliveryMethod, Method, SessionId, SessionSalt, UserId,
    approval::{READABLE_AFTER, readable_until},
};

/// A session as each request reads it.
#[derive(Clone, Copy, Debug)]
pub struct Session {
    /// Its id.
    pub id: SessionId,
    /// The user that is signed in.
    pub user_id: UserId,
    /// When it ends at the latest.
    pub expires_at: DateTime<Utc>,
    /// When it was last used, to the minute.
    pub last_used_at: DateTime<Utc>,
}

impl Session {
    /// How old `last_used_at` is before a request writes it again.
    const USE_RECORDED_EVERY: TimeDelta = TimeDelta::minutes(1);

    /// When it ends if it is not used before, for sessions that may be idle for that long.
    #[must_use]
    pub fn ends_at(&self, idle_ttl: TimeDelta) -> DateTime<Utc> {
        self.expires_at.min(self.last_used_at + idle_ttl)
    }

    /// A request at that instant records its use of sessions that were last used before this.
    #[must_use]
    pub fn recorded_before(now: DateTime<Utc>) -> DateTime<Utc> {
        now - Self::USE_RECORDED_EVERY
    }

    /// Whether a request at that instant has to record that it used the session.
    #[must_use]
    pub fn records_use_at(&self, now: DateTime<Utc>) -> bool {
        self.last_used_at <= Self::recorded_before(now)
    }
}

/// A live session as its user sees it.
#[derive(Clone, Debug)]
pub struct ActiveSession {
    /// The session.
    pub session: Session,
    /// When it was opened.
    pub created_at: DateTime<Utc>,
    /// The last full authentication.
    pub confirmed_at: DateTime<Utc>,
    /// How the user was authenticated then: values of RFC 8176, separated by blanks.
    pub amr: String,
    /// The browser and system that opened it, if known. Clients can forge it.
    pub browser: Option<String>,
    /// The network that opened it, if known.
    pub network: Option<String>,
}

/// What the session of a login is derived with, beside the login token.
#[derive(Clone)]
pub struct SessionGrant {
    /// Derives session and device token. Deleted when the login token is forgotten.
    pub salt: SessionSalt,
    /// How the session is delivered.
    pub delivery: DeliveryMethod,
}

/// The session of a login that was not delivered yet, as it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UndeliveredSession {
    /// The login.
    pub login: ApprovalId,
    /// When its token is forgotten if the session is not delivered.
    pub readable_until: DateTime<Utc>,
}

impl UndeliveredSession {
    /// When the login token is forgotten after a delivery at that instant: a lost response can be requested again.
    #[must_use]
    pub fn readable_until_after(delivered_at: DateTime<Utc>) -> DateTime<Utc> {
        delivered_at + READABLE_AFTER
    }
}

impl Approval {
    /// What has to be recorded when the session that it opened is delivered; `None` if a delivery is recorded already. No
    /// column says so: a delivery moves `readable_until` away from where settling has put it.
    #[must_use]
    pub fn undelivered_session(&self) -> Option<UndeliveredSession> {
        let undelivered_until = readable_until(self.expires_at, self.settled_at?);
        (self.readable_until == Some(undelivered_until))
            .then_some(UndeliveredSession { login: self.id, readable_until: undelivered_until })
    }

    /// How a person was authenticated who answered this approval with that decision, the password included: values of RFC 8176,
    /// separated by blanks. `mca` is a confirmation on another channel.
    #[must_use]
    pub fn amr(&self, decision: Decision) -> &'static str {
        match (decision.method(), self.code_channel) {
            (Some(Method::Push), _) => "pwd mca mfa",
            (_, Some(CodeChannel::Sms)) => "pwd sms mfa",
            (_, Some(CodeChannel::Voice)) => "pwd tel mfa",
            (_, Some(CodeChannel::App) | None) => "pwd otp mfa",
        }
    }
}

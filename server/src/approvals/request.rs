//! An approval to start: what is requested, what its push says, and what is known of it until the phone is asked.

use std::net::IpAddr;

use chrono::{DateTime, Utc};

use super::{Consequence, contacts::Contact};
use crate::{
    limits::{PhoneUse, PushPlace, Standing},
    model::{ApprovalId, CodeSource, DeviceId, Email, LoginToken, Phone, PushRecipient, UserId},
    provider::guarded::CallSubject,
};

/// An approval to start.
pub struct StartRequest<'a> {
    /// Its secret handle.
    pub token: &'a LoginToken,
    /// What approving it does, and to whose account.
    pub consequence: Consequence<'a>,
    /// The known device that the client presented.
    pub device: Option<DeviceId>,
    /// The client's address, if known.
    pub address: Option<IpAddr>,
    /// What the push says.
    pub push: PushText,
}

/// What a push says. The match number and the time are filled in when it is sent.
#[derive(Clone, Debug)]
pub struct PushText {
    /// The line that the person reads first.
    pub message: String,
    /// What is shown below it, in this order: label and value.
    pub details: Vec<(&'static str, PushDetail)>,
}

/// One line below the message of a push.
#[derive(Clone, Debug)]
pub enum PushDetail {
    /// The number that the page shows too.
    MatchNumber,
    /// When the approval was started.
    StartedAt,
    /// This text.
    Text(String),
}

/// A stored approval whose phone was not asked yet.
pub(super) struct UnsentApproval {
    pub(super) id: ApprovalId,
    /// Its slot on the phone, if it may push.
    pub(super) place: Option<PushPlace>,
    /// The network that starts it.
    pub(super) network: Option<String>,
    pub(super) match_number: Option<String>,
    /// The providers that reach its person, in order.
    pub(super) contacts: Vec<Contact>,
    /// Whom a provider pushes to, if one can.
    pub(super) push: Option<PushRecipient>,
    /// Where a code that an app shows is checked, if one shows any.
    pub(super) code: Option<CodeSource>,
    pub(super) created_at: DateTime<Utc>,
    pub(super) expires_at: DateTime<Utc>,
}

impl UnsentApproval {
    /// The subject of its calls to the provider.
    pub(super) fn call_subject<'a>(&'a self, request: &'a StartRequest<'a>) -> CallSubject<'a> {
        CallSubject { phone: request.phone(), network: self.network.as_deref() }
    }
}

impl StartRequest<'_> {
    pub(super) fn phone(&self) -> &Phone {
        match &self.consequence {
            Consequence::CreateUser(signup, _) => &signup.phone,
            Consequence::OpenSession(user, _) | Consequence::AllowOperation(user, ..) => &user.phone,
        }
    }

    pub(super) fn email(&self) -> &Email {
        match &self.consequence {
            Consequence::CreateUser(signup, _) => &signup.email,
            Consequence::OpenSession(user, _) | Consequence::AllowOperation(user, ..) => &user.email,
        }
    }

    pub(super) fn user_id(&self) -> Option<UserId> {
        match &self.consequence {
            Consequence::CreateUser(..) => None,
            Consequence::OpenSession(user, _) | Consequence::AllowOperation(user, ..) => Some(user.id),
        }
    }

    /// `network`: the network that starts it.
    pub(super) fn phone_use<'b>(&'b self, network: Option<&'b str>) -> PhoneUse<'b> {
        let standing = Standing::of(self.consequence.purpose(), self.device);
        PhoneUse { phone: self.phone(), standing, network }
    }
}

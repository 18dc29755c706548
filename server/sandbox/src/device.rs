//! A phone: who it is to Authy, whether it has the app, and what arrived on it. It holds, and limits how much
//! it holds; what a call to Authy's API does with it is decided in `authy`. Invariant: at most 50 messages
//! and 100 approval requests.

use std::collections::VecDeque;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::approval::ApprovalRequest;
use super::codes::Codes;
use super::phone_number::PhoneNumber;
use super::random::Random;

const MAXIMAL_MESSAGES: usize = 50;
const MAXIMAL_APPROVAL_REQUESTS: usize = 100;

/// One phone. No `Debug`: it holds codes and a person's addresses.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Device {
    pub(super) authy_id: u64,
    pub(super) phone: PhoneNumber,
    /// The first is the one that Authy shows.
    pub(super) emails: Vec<String>,
    app: App,
    /// A right code was typed at some time.
    pub(super) confirmed: bool,
    /// The application knows this user. A deleted one keeps the phone's id.
    pub(super) enrolled: bool,
    pub(super) created_at: DateTime<Utc>,
    pub(super) codes: Codes,
    messages: VecDeque<Message>,
    approval_requests: VecDeque<ApprovalRequest>,
}

/// The Authy app on a phone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum App {
    NeverInstalled,
    Installed,
    Removed,
}

/// A message that arrived.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Message {
    pub(super) channel: Channel,
    /// Nothing for the notice to open the app.
    pub(super) code: Option<String>,
    pub(super) text: String,
    pub(super) at: DateTime<Utc>,
}

/// How a message came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Channel {
    Sms,
    Voice,
    App,
}

impl Device {
    pub(super) fn new(authy_id: u64, phone: PhoneNumber, now: DateTime<Utc>, random: &Random) -> Self {
        Self {
            authy_id,
            phone,
            emails: Vec::new(),
            app: App::NeverInstalled,
            confirmed: false,
            enrolled: true,
            created_at: now,
            codes: Codes::new(random),
            messages: VecDeque::new(),
            approval_requests: VecDeque::new(),
        }
    }

    /// Installs or removes the app.
    pub(super) fn set_onetouch(&mut self, onetouch: bool) {
        self.app = match (onetouch, self.app) {
            (true, _) => App::Installed,
            (false, App::NeverInstalled) => App::NeverInstalled,
            (false, App::Installed | App::Removed) => App::Removed,
        };
    }

    pub(super) fn app(&self) -> App {
        self.app
    }

    /// Whether pushes arrive: the app is installed.
    pub(super) fn onetouch(&self) -> bool {
        self.app == App::Installed
    }

    /// Newest last.
    pub(super) fn messages(&self) -> impl Iterator<Item = &Message> {
        self.messages.iter()
    }

    /// Newest last.
    pub(super) fn approval_requests(&self) -> impl Iterator<Item = &ApprovalRequest> {
        self.approval_requests.iter()
    }

    pub(super) fn approval_request(&self, uuid: Uuid) -> Option<&ApprovalRequest> {
        self.approval_requests.iter().find(|request| request.uuid == uuid)
    }

    pub(super) fn approval_request_mut(&mut self, uuid: Uuid) -> Option<&mut ApprovalRequest> {
        self.approval_requests.iter_mut().find(|request| request.uuid == uuid)
    }

    /// Takes a message in; the oldest makes room.
    pub(super) fn receive_message(&mut self, message: Message) {
        if self.messages.len() == MAXIMAL_MESSAGES {
            self.messages.pop_front();
        }
        self.messages.push_back(message);
    }

    /// Takes a push in. The oldest makes room and is returned.
    pub(super) fn receive_approval_request(&mut self, request: ApprovalRequest) -> Option<ApprovalRequest> {
        let is_full = self.approval_requests.len() == MAXIMAL_APPROVAL_REQUESTS;
        let oldest = if is_full { self.approval_requests.pop_front() } else { None };
        self.approval_requests.push_back(request);
        oldest
    }
}

//! What a phone of the sandbox shows: pushes, messages, the app's code. Read only; fingers are
//! [`Phone`](super::Phone)'s. Numbers, addresses and codes stay out of every `Debug` text.

use std::{collections::BTreeMap, fmt};

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;

/// A phone in the list of all phones.
#[derive(Clone, Deserialize)]
pub struct DeviceSummary {
    /// The provider's id of this phone.
    pub authy_id: u64,
    /// Its number, in E.164.
    pub phone: String,
    /// The addresses it was registered with.
    pub emails: Vec<String>,
    /// Whether it has the app.
    pub onetouch: bool,
}

impl DeviceSummary {
    /// Whether the phone was registered with this email, in whatever case.
    #[must_use]
    pub fn has_email(&self, email: &str) -> bool {
        self.emails.iter().any(|known| known.eq_ignore_ascii_case(email))
    }
}

impl fmt::Debug for DeviceSummary {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("DeviceSummary").field("authy_id", &self.authy_id).finish_non_exhaustive()
    }
}

/// A phone and all that it shows.
#[derive(Clone, Deserialize)]
pub struct Device {
    /// The provider's id of this phone.
    pub authy_id: u64,
    /// Its number, in E.164.
    pub phone: String,
    /// The addresses it was registered with.
    pub emails: Vec<String>,
    /// Whether it has the app.
    pub onetouch: bool,
    /// The pushes, newest last.
    pub approval_requests: Vec<ApprovalRequest>,
    /// What was sent to it, newest last.
    pub messages: Vec<Message>,
    /// What the app shows now; none without the app.
    pub app_code: Option<String>,
}

impl Device {
    /// The newest push that waits for a finger and shows this match number.
    #[must_use]
    pub fn pending_request(&self, match_number: &str) -> Option<&ApprovalRequest> {
        self.approval_requests
            .iter()
            .rev()
            .find(|request| request.is_pending() && request.shows(match_number))
    }

    /// The code in the newest text message.
    #[must_use]
    pub fn newest_sms_code(&self) -> Option<&str> {
        self.newest_code(MessageChannel::Sms)
    }

    /// The code in the newest message of a channel.
    #[must_use]
    pub fn newest_code(&self, channel: MessageChannel) -> Option<&str> {
        let newest = self.messages.iter().rev().find(|message| message.channel == channel)?;
        newest.code.as_deref()
    }
}

impl fmt::Debug for Device {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Device")
            .field("authy_id", &self.authy_id)
            .field("onetouch", &self.onetouch)
            .field("approval_requests", &self.approval_requests)
            .field("messages", &self.messages)
            .finish_non_exhaustive()
    }
}

/// One push.
#[derive(Clone, Deserialize)]
pub struct ApprovalRequest {
    /// The provider's id of this push.
    pub uuid: String,
    /// `pending`, `approved`, `denied` or `expired`.
    pub status: String,
    /// What the phone asks.
    pub message: String,
    /// What the phone shows below it, the match number among it.
    #[serde(default)]
    pub details: BTreeMap<String, Value>,
    /// When the push expires, by the sandbox's clock.
    pub expires_at: Option<DateTime<Utc>>,
}

impl ApprovalRequest {
    /// Whether the push waits for a finger.
    #[must_use]
    pub fn is_pending(&self) -> bool {
        self.status == "pending"
    }

    /// Whether one of the details is this match number.
    #[must_use]
    pub fn shows(&self, match_number: &str) -> bool {
        self.details.values().any(|value| value.as_str() == Some(match_number))
    }
}

impl fmt::Debug for ApprovalRequest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ApprovalRequest")
            .field("uuid", &self.uuid)
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

/// Something that was sent to the phone.
#[derive(Clone, Deserialize)]
pub struct Message {
    /// How it came.
    pub channel: MessageChannel,
    /// The code in it; none in a hint to open the app.
    pub code: Option<String>,
    /// What it says.
    pub text: String,
    /// When it came, by the sandbox's clock.
    pub at: DateTime<Utc>,
}

impl fmt::Debug for Message {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Message")
            .field("channel", &self.channel)
            .field("at", &self.at)
            .finish_non_exhaustive()
    }
}

/// How a message came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MessageChannel {
    /// A text message.
    Sms,
    /// A phone call.
    Voice,
    /// A hint to open the app, without a code.
    App,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn device() -> Device {
        let request = |uuid: &str, status: &str, match_number: &str| {
            json!({"uuid": uuid, "status": status, "message": "Log in?", "details": {"Match": match_number},
                "expires_at": "2026-11-22T10:00:00Z"})
        };
        let message = |channel: &str, code: Option<&str>| json!({"channel": channel, "code": code, "text": "planted", "at": "2026-11-22T10:00:00Z"});
        serde_json::from_value(json!({
            "authy_id": 1_000_001, "phone": "+12015550123", "emails": ["planted@example.com"], "onetouch": true,
            "approval_requests": [
                request("old", "denied", "07"), request("mine", "pending", "07"), request("theirs", "pending", "42"),
            ],
            "messages": [message("sms", Some("1111111")), message("sms", Some("2222222")), message("app", None)],
            "app_code": "3333333",
        }))
        .unwrap()
    }

    #[test]
    fn a_push_is_found_by_its_match_number_while_it_waits() {
        let device = device();
        assert_eq!(device.pending_request("07").unwrap().uuid, "mine");
        assert_eq!(device.pending_request("42").unwrap().uuid, "theirs");
        assert!(device.pending_request("13").is_none());
    }

    #[test]
    fn the_newest_code_of_a_channel_is_read() {
        assert_eq!(device().newest_sms_code(), Some("2222222"));
        assert_eq!(device().newest_code(MessageChannel::App), None);
        assert_eq!(device().newest_code(MessageChannel::Voice), None);
    }

    #[test]
    fn a_phone_does_not_show_codes_numbers_or_addresses() {
        let text = format!("{:?}", device());
        for secret in ["planted", "1111111", "2222222", "3333333", "2015550123"] {
            assert!(!text.contains(secret), "{text}");
        }
    }
}

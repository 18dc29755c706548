//! The second factor by Authy: its API spoken as its documentation and its own libraries speak it.
//!
//! Not when to ask or what follows; that is the login's. The invariant: a code is judged only with `force=true` (without
//! it Authy accepts any code of a person who has never confirmed one), and nothing but digits enters a path.

mod application;
mod callback;
mod config;
mod connection;
mod reply;
#[cfg(test)]
mod tests;

use std::fmt;

use async_trait::async_trait;
use serde::{Serialize, Serializer};
use serde_json::json;

pub use self::application::{Application, Described};
pub use self::callback::signed_trial;
pub use self::config::{ApiKey, AuthyConfig, AuthyConfigError, InvalidApiKey, Logo};
use self::{
    connection::Connection,
    reply::{Call, Success, is_true},
};
use super::{
    Callback, CallbackError, CallbackReport, CodeJudgement, ProviderError, ProviderUserId, PushHandle,
    PushRequest, PushStatus, SecondFactor, Sending,
};
use crate::model::{Code, CodeChannel, Email, Phone, Verdict};

/// What the strictest of Authy's libraries takes.
const MAX_MESSAGE_CHARACTERS: usize = 144;
const MAX_DETAIL_KEY_CHARACTERS: usize = 20;
const MAX_DETAIL_VALUE_CHARACTERS: usize = 200;

/// Sends to a person with the app, too; judges codes of a person who has never confirmed one.
const FORCED: &[(&str, &str)] = &[("force", "true")];

/// The second factor by Authy.
pub struct Authy {
    connection: Connection,
    config: AuthyConfig,
}

impl Authy {
    /// Prepares to speak with Authy; nothing is sent yet.
    ///
    /// The process must have installed a rustls crypto provider before.
    pub fn new(config: AuthyConfig) -> Result<Self, AuthyConfigError> {
        config.check()?;
        let connection = Connection::new(&config)?;
        Ok(Self { connection, config })
    }
}

impl fmt::Debug for Authy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Authy").field("connection", &self.connection).finish_non_exhaustive()
    }
}

#[async_trait]
impl SecondFactor for Authy {
    fn name(&self) -> &'static str {
        "authy"
    }

    async fn enrol(&self, email: &Email, phone: &Phone) -> Result<ProviderUserId, ProviderError> {
        let body = json!({
            "user": {
                "email": email.as_str(),
                "cellphone": phone.national_digits(),
                "country_code": phone.country_code().digits(),
            },
            "send_install_link_via_sms": false,
        });
        let reply = self.connection.post("enrol", &["protected", "json", "users", "new"], &body).await?;
        let id = reply.success(Call::Other)?.find_id(&["user", "id"]);
        id.map(ProviderUserId::new).ok_or(nonsense("a new user without an id"))
    }

    async fn request_push(&self, request: &PushRequest<'_>) -> Result<PushHandle, ProviderError> {
        let user = checked_authy_id(request.user)?;
        let body = ApprovalBody {
            message: cut(request.message, MAX_MESSAGE_CHARACTERS),
            details: Details(request.details),
            hidden_details: HiddenDetails { login_id: request.approval_id.to_string() },
            logos: &self.config.logos,
            // Authy takes 0 for never.
            seconds_to_expire: request.expires_in.as_secs().max(1),
        };
        let path = ["onetouch", "json", "users", user, "approval_requests"];
        let success =
            self.connection.post("request_push", &path, &body).await?.success(Call::RequestApproval)?;
        let id = success.find_text(&["approval_request", "uuid"]).filter(|id| is_request_id(id));
        id.map(PushHandle::new).ok_or(nonsense("an approval request without a uuid"))
    }

    async fn find_push(&self, id: &PushHandle) -> Result<PushStatus, ProviderError> {
        let id = id.as_str();
        if !is_request_id(id) {
            return Err(unsendable("a uuid that is none"));
        }
        let reply =
            self.connection.get("find_push", &["onetouch", "json", "approval_requests", id], &[]).await?;
        if reply.error_code().as_deref() == Some("60049") {
            return Ok(PushStatus::Gone);
        }
        standing(&reply.success(Call::Other)?, id)
    }

    async fn send_code(&self, user: &ProviderUserId, sending: Sending) -> Result<CodeChannel, ProviderError> {
        let user = checked_authy_id(user)?;
        let (call, query, channel) = match sending {
            Sending::Preferred => ("sms", &[][..], CodeChannel::Sms),
            Sending::Sms => ("sms", FORCED, CodeChannel::Sms),
            Sending::Voice => ("call", FORCED, CodeChannel::Voice),
        };
        let reply = self.connection.get("send_code", &["protected", "json", call, user], query).await?;
        let success = reply.success(Call::Other)?;
        // Authy calls it a success, too, when it sends nothing and tells the person to open the app.
        if is_true(success.find(&["ignored"])) { Ok(CodeChannel::App) } else { Ok(channel) }
    }

    async fn check_code(&self, user: &ProviderUserId, code: &Code) -> Result<CodeJudgement, ProviderError> {
        let user = checked_authy_id(user)?;
        let code = code.digits();
        if !is_digits(code, 8) {
            return Err(unsendable("a code that is none"));
        }
        let path = ["protected", "json", "verify", code, user];
        let reply = self.connection.get("check_code", &path, FORCED).await?;
        match reply.error_code().as_deref() {
            _ if reply.status == 200 => {}
            Some("60019") => return Ok(CodeJudgement::AlreadyUsed),
            Some("60020") => return Ok(CodeJudgement::Wrong),
            None if reply.status == 401 && reply.body.get("token") == Some(&json!("is invalid")) => {
                return Ok(CodeJudgement::Wrong);
            }
            _ => {}
        }
        let success = reply.success(Call::Other)?;
        if success.find_text(&["token"]) == Some("is valid") {
            Ok(CodeJudgement::Right)
        } else {
            Err(nonsense("a success without a judgement"))
        }
    }

    fn read_callback(&self, callback: &Callback<'_>) -> Result<CallbackReport, CallbackError> {
        callback::read(callback, &self.config.api_key, &self.config.callback_url)
    }
}

fn standing(success: &Success, id: &str) -> Result<PushStatus, ProviderError> {
    let uuid = success.find_text(&["approval_request", "uuid"]);
    if uuid.is_some_and(|uuid| uuid != id) {
        return Err(nonsense("the standing of another approval request"));
    }
    match success.find_text(&["approval_request", "status"]) {
        Some("pending") => Ok(PushStatus::Pending),
        Some("approved") => Ok(PushStatus::Answered(Verdict::Approved)),
        Some("denied") => Ok(PushStatus::Answered(Verdict::Denied)),
        Some("expired") => Ok(PushStatus::Gone),
        _ => Err(nonsense("an approval request of unknown standing")),
    }
}

/// The body of a new approval request.
#[derive(Serialize)]
struct ApprovalBody<'a> {
    message: &'a str,
    details: Details<'a>,
    hidden_details: HiddenDetails,
    logos: &'a [Logo],
    seconds_to_expire: u64,
}

/// What is not shown and comes back in the callback.
#[derive(Serialize)]
struct HiddenDetails {
    login_id: String,
}

/// What is shown, as an object that keeps its order.
struct Details<'a>(&'a [(&'a str, String)]);

impl Serialize for Details<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(key, value)| {
            (cut(key, MAX_DETAIL_KEY_CHARACTERS), cut(value, MAX_DETAIL_VALUE_CHARACTERS))
        }))
    }
}

/// The beginning of a text, at most so many characters.
fn cut(text: &str, characters: usize) -> &str {
    text.char_indices().nth(characters).map_or(text, |(end, _)| &text[..end])
}

/// The id of a person as it may stand in a path. A stored id of another form is nobody whom Authy knows.
fn checked_authy_id(user: &ProviderUserId) -> Result<&str, ProviderError> {
    if is_authy_id(user.as_str()) { Ok(user.as_str()) } else { Err(ProviderError::NotEnrolled) }
}

fn is_authy_id(text: &str) -> bool {
    is_digits(text, 20)
}

fn is_digits(text: &str, most: usize) -> bool {
    (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_request_id(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// An answer of 200 that does not say what it must.
const fn nonsense(reason: &'static str) -> ProviderError {
    ProviderError::Nonsense { status: 200, reason }
}

/// A call that was not made, because it would not have been the one that was meant.
const fn unsendable(reason: &'static str) -> ProviderError {
    ProviderError::Nonsense { status: 0, reason }
}

//! Authy: pushes, codes in messages, and codes that its app shows.
//!
//! The API is used as its documentation and its own libraries use it. A code is checked with `force=true` only: without it, Authy accepts
//! any code of a person who has never confirmed one. Only digits enter a path.
//!
//! A code that is sent belongs to one approval: the message is requested with the approval's id as its `action`, and Authy accepts the
//! code with that action only (documentation of one-time passwords). Codes of the app have no action.

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
    Callback, CallbackError, CallbackReport, CodeCheck, CodeJudgement, CodeMessage, CodeProvider, Enrollment,
    Provider, ProviderError, PushProvider, PushRequest, PushStatus, Sending, SentCode,
};
use crate::model::{ApprovalId, CodeChannel, CodeHandle, Email, Phone, ProviderUserId, PushHandle, Verdict};

/// What the strictest of Authy's libraries takes.
const MAX_MESSAGE_CHARACTERS: usize = 144;
const MAX_DETAIL_KEY_CHARACTERS: usize = 20;
const MAX_DETAIL_VALUE_CHARACTERS: usize = 200;

/// Sends to a person with the app too; checks codes of a person who has never confirmed one.
const FORCED: (&str, &str) = ("force", "true");
/// Binds a code to what it is requested for.
const ACTION: &str = "action";
/// Ends the handle of codes that are bound to their approval; before it stands the person's id.
const BOUND: &str = ":bound";

/// Its name, as it is stored.
pub(super) const NAME: &str = "authy";

/// The provider Authy.
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

impl Provider for Authy {
    fn name(&self) -> &'static str {
        NAME
    }

    fn enrollment(&self) -> Option<&dyn Enrollment> {
        Some(self)
    }

    fn pushes(&self) -> Option<&dyn PushProvider> {
        Some(self)
    }

    fn codes(&self) -> Option<&dyn CodeProvider> {
        Some(self)
    }
}

#[async_trait]
impl Enrollment for Authy {
    fn takes_new_people(&self) -> bool {
        self.config.enroll_new
    }

    async fn enroll(&self, email: &Email, phone: &Phone) -> Result<ProviderUserId, ProviderError> {
        let body = json!({
            "user": {
                "email": email.as_str(),
                "cellphone": phone.national_digits(),
                "country_code": phone.country_code().digits(),
            },
            "send_install_link_via_sms": false,
        });
        let reply = self.connection.post("enroll", &["protected", "json", "users", "new"], &body).await?;
        let id = reply.success(Call::Other)?.find_id(&["user", "id"]);
        id.map(ProviderUserId::new).ok_or(nonsense("a new user without an id"))
    }
}

#[async_trait]
impl PushProvider for Authy {
    async fn request(&self, request: &PushRequest<'_>) -> Result<PushHandle, ProviderError> {
        let user = checked_authy_id(request.user.as_str())?;
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

    async fn find(&self, push: &PushHandle) -> Result<PushStatus, ProviderError> {
        let id = push.as_str();
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

    fn read_callback(&self, callback: &Callback<'_>) -> Result<CallbackReport, CallbackError> {
        callback::read(callback, &self.config.api_key, &self.config.callback_url)
    }
}

#[async_trait]
impl CodeProvider for Authy {
    fn has_app(&self) -> bool {
        true
    }

    fn app_codes(&self, user: &ProviderUserId) -> Option<CodeHandle> {
        Some(CodeHandle::new(user.as_str()))
    }

    fn expected_handle(&self, message: &CodeMessage<'_>) -> Option<CodeHandle> {
        let end = if self.config.bind_codes { BOUND } else { "" };
        message.user.map(|user| CodeHandle::new(format!("{}{end}", user.as_str())))
    }

    async fn send(&self, message: &CodeMessage<'_>) -> Result<SentCode, ProviderError> {
        let (Some(person), Some(handle)) = (message.user, self.expected_handle(message)) else {
            return Err(ProviderError::NotEnrolled);
        };
        let user = checked_authy_id(person.as_str())?;
        let (call, is_forced, channel) = match message.sending {
            Sending::Preferred => ("sms", false, CodeChannel::Sms),
            Sending::Sms => ("sms", true, CodeChannel::Sms),
            Sending::Voice => ("call", true, CodeChannel::Voice),
        };
        let action = self.config.bind_codes.then(|| message.approval_id.to_string());
        let query = query(is_forced, action.as_deref());
        let reply = self.connection.get("send_code", &["protected", "json", call, user], &query).await?;
        let success = reply.success(Call::Other)?;
        // Authy calls it a success too when it sends nothing and notifies the person to open the app.
        if is_true(success.find(&["ignored"])) {
            return Ok(SentCode { channel: CodeChannel::App, handle: CodeHandle::new(user) });
        }
        Ok(SentCode { channel, handle })
    }

    async fn check(&self, check: &CodeCheck<'_>) -> Result<CodeJudgement, ProviderError> {
        let (user, action) = read_handle(check.handle, check.approval_id)?;
        let code = check.code.digits();
        if !is_digits(code, 8) {
            return Err(unsendable("a code that is none"));
        }
        let path = ["protected", "json", "verify", code, user];
        let reply = self.connection.get("check_code", &path, &query(true, action.as_deref())).await?;
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
}

fn query(is_forced: bool, action: Option<&str>) -> Vec<(&str, &str)> {
    is_forced.then_some(FORCED).into_iter().chain(action.map(|action| (ACTION, action))).collect()
}

/// The person's id, and the action that their codes are bound to, if they are.
fn read_handle(handle: &CodeHandle, approval: ApprovalId) -> Result<(&str, Option<String>), ProviderError> {
    let text = handle.as_str();
    Ok(match text.strip_suffix(BOUND) {
        Some(user) => (checked_authy_id(user)?, Some(approval.to_string())),
        None => (checked_authy_id(text)?, None),
    })
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
fn checked_authy_id(id: &str) -> Result<&str, ProviderError> {
    if is_authy_id(id) { Ok(id) } else { Err(ProviderError::NotEnrolled) }
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

//! Authy's OneTouch: asking a phone for an approval, and how a request stands. The finger itself is in the
//! phone API. Invariant: a phone without the app never gets a push; it is refused with 60050 or 60051, so
//! that the caller falls back to a code.

use axum::http::StatusCode;
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::enrolled;
use crate::approval::{ApprovalRequest, Question, Status};
use crate::callbacks::describe_device;
use crate::device::{App, Device};
use crate::parameters::{Parameters, elements_of, text_of};
use crate::refusal::Refusal;
use crate::state::{Moment, State};

/// The application's other id, as OneTouch has it.
pub(crate) const APP_ID: &str = "58547fe49db3d51a1adea5fd";
/// The application's name and number.
pub(super) const APP_NAME: &str = "Countersign sandbox";
pub(super) const APP_SERIAL_ID: u32 = 46_113;

const DEFAULT_SECONDS_TO_EXPIRE: u32 = 86_400;
/// Characters of a message, a detail's name and a detail's value.
const MAXIMAL_TEXT: usize = 200;
const MAXIMAL_LOGO_URL: usize = 500;
const RESOLUTIONS: [&str; 4] = ["default", "low", "med", "high"];

pub(super) fn create(
    state: &mut State,
    moment: Moment<'_>,
    authy_id: &str,
    parameters: &Parameters,
) -> Result<Value, Refusal> {
    let device = enrolled(state, authy_id)?;
    let (authy_id, app) = (device.authy_id, device.app());
    let question = read_question(parameters)?;
    check_app(app)?;
    let uuid = state.push(authy_id, question, moment).ok_or_else(Refusal::user_not_found)?;
    Ok(json!({"approval_request": {"uuid": uuid}, "success": true}))
}

pub(super) fn status(state: &State, now: DateTime<Utc>, uuid: &str) -> Result<Value, Refusal> {
    let found = Uuid::parse_str(uuid).ok().and_then(|uuid| state.approval_request(uuid));
    let (device, request) = found.ok_or_else(|| Refusal::approval_request_not_found(uuid))?;
    Ok(json!({"approval_request": describe(device, request, now), "success": true}))
}

fn describe(device: &Device, request: &ApprovalRequest, now: DateTime<Utc>) -> Value {
    let instant = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Secs, true);
    let status = request.status(now);
    let processed_at = request.processed_at(now);
    let mut description = json!({
        "_app_name": APP_NAME,
        "_app_serial_id": APP_SERIAL_ID,
        "_authy_id": device.authy_id,
        "_id": request.id,
        "_user_email": device.emails.first(),
        "app_id": APP_ID,
        "created_at": instant(request.created_at),
        "notified": true,
        "processed_at": processed_at.map(instant),
        "seconds_to_expire": request.question.seconds_to_expire,
        "status": status.word(),
        "updated_at": instant(processed_at.unwrap_or(request.created_at)),
        "user_id": format!("{:024x}", device.authy_id),
        "uuid": request.uuid,
    });
    if matches!(status, Status::Answered(_)) {
        description["hidden_details"] = request.question.hidden_details.clone();
        description["device"] = describe_device(device);
    }
    description
}

/// Authy's codes; that they come with 400 is a choice, no source tells.
fn check_app(app: App) -> Result<(), Refusal> {
    let refuse = |code, message| Err(Refusal::new(StatusCode::BAD_REQUEST, code, message));
    match app {
        App::Installed => Ok(()),
        App::NeverInstalled => refuse("60050", "User is not registered for OneTouch"),
        App::Removed => refuse("60051", "OneTouch device not found"),
    }
}

fn read_question(parameters: &Parameters) -> Result<Question, Refusal> {
    let message = parameters.text("message").unwrap_or_default();
    if message.trim().is_empty() {
        return Err(Refusal::invalid_parameter("message", "Parameter is required"));
    }
    if message.chars().count() > MAXIMAL_TEXT {
        return Err(Refusal::invalid_parameter("message", "is too long (maximum is 200 characters)"));
    }
    Ok(Question {
        message,
        details: read_details(parameters, "details")?,
        hidden_details: read_details(parameters, "hidden_details")?,
        logos: read_logos(parameters)?,
        seconds_to_expire: read_seconds_to_expire(parameters)?,
    })
}

/// An object with members, or null.
fn read_details(parameters: &Parameters, name: &str) -> Result<Value, Refusal> {
    let is_long = |text: &str| text.chars().count() > MAXIMAL_TEXT;
    match parameters.value(name) {
        Value::Object(members) if !members.is_empty() => {
            let has_long = |(key, value): (&String, &Value)| {
                is_long(key) || text_of(value).is_some_and(|text| is_long(&text))
            };
            if members.iter().any(has_long) {
                return Err(Refusal::invalid_parameter(name, "is too long (maximum is 200 characters)"));
            }
            Ok(Value::Object(members.clone()))
        }
        Value::Null | Value::Object(_) => Ok(Value::Null),
        Value::Array(elements) if elements.is_empty() => Ok(Value::Null),
        Value::String(text) if text.is_empty() => Ok(Value::Null),
        _ => Err(Refusal::invalid_parameter(name, "is not a valid Hash")),
    }
}

/// A list of `{res, url}` with the resolution `default` in it, or null.
fn read_logos(parameters: &Parameters) -> Result<Value, Refusal> {
    let refused = |complaint| Refusal::invalid_parameter("logos", complaint);
    let value = parameters.value("logos");
    if value.is_null() || value.as_str().is_some_and(str::is_empty) {
        return Ok(Value::Null);
    }
    let elements = elements_of(value).ok_or_else(|| refused("is not a valid Array"))?;
    let mut logos = Vec::with_capacity(elements.len());
    for element in &elements {
        let text = |name| element.get(name).and_then(Value::as_str);
        let (Some(resolution), Some(url)) = (text("res"), text("url")) else {
            return Err(refused("only res and url are allowed, and both are required"));
        };
        if !RESOLUTIONS.contains(&resolution) || url.chars().count() > MAXIMAL_LOGO_URL {
            return Err(refused("has an unknown res or a url of more than 500 characters"));
        }
        let logo = [("res", resolution), ("url", url)].map(|(name, text)| (name.to_owned(), json!(text)));
        logos.push(Value::Object(Map::from_iter(logo)));
    }
    if logos.is_empty() {
        return Ok(Value::Null);
    }
    if logos.len() > RESOLUTIONS.len() || !logos.iter().any(|logo| logo["res"] == "default") {
        return Err(refused("needs one of res default, and at most one of each"));
    }
    Ok(Value::Array(logos))
}

fn read_seconds_to_expire(parameters: &Parameters) -> Result<u32, Refusal> {
    match parameters.text("seconds_to_expire").filter(|text| !text.is_empty()) {
        None => Ok(DEFAULT_SECONDS_TO_EXPIRE),
        Some(text) => text
            .parse()
            .map_err(|_| Refusal::invalid_parameter("seconds_to_expire", "is not a valid Integer")),
    }
}

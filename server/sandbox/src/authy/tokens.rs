//! Authy's `sms`, `call` and `verify`: sending a code, or telling a person with the app to open it, and
//! checking what was typed. Invariant: the whole of a check happens under the state's lock, so that a right
//! code is right once.

use serde_json::{Value, json};

use super::enrolled;
use super::users::device_id;
use crate::codes::{Judgement, Source};
use crate::device::{Channel, Device, Message};
use crate::parameters::Parameters;
use crate::refusal::Refusal;
use crate::state::{Moment, State};

const MAXIMAL_ACTION: usize = 255;
const SMS_IGNORED: &str =
    "Ignored: SMS is not needed for smartphones. Pass force=true if you want to actually send it anyway.";
const CALL_IGNORED: &str = "Call ignored. User is using  App Tokens and this call is not necessary. \
     Pass force=true if you still want to call users that are using the App.";

/// Sends a code by SMS.
pub(super) fn sms(
    state: &mut State,
    moment: Moment<'_>,
    authy_id: &str,
    parameters: &Parameters,
) -> Result<Value, Refusal> {
    let device = enrolled(state, authy_id)?;
    let action = read_action(parameters)?;
    if device.onetouch() && !parameters.flag("force") {
        return Ok(ignore(device, moment, SMS_IGNORED));
    }
    send(device, moment, Channel::Sms, action)?;
    let cellphone = device.phone.masked_cellphone();
    state.tally.sms += 1;
    Ok(json!({"success": true, "message": "SMS token was sent", "cellphone": cellphone}))
}

/// Says a code in a call.
pub(super) fn call(
    state: &mut State,
    moment: Moment<'_>,
    authy_id: &str,
    parameters: &Parameters,
) -> Result<Value, Refusal> {
    let device = enrolled(state, authy_id)?;
    let action = read_action(parameters)?;
    if device.onetouch() && !parameters.flag("force") {
        return Ok(ignore(device, moment, CALL_IGNORED));
    }
    send(device, moment, Channel::Voice, action)?;
    let cellphone = device.phone.masked_cellphone();
    state.tally.calls += 1;
    Ok(json!({"success": true, "message": "Call started...", "cellphone": cellphone}))
}

/// Checks a code. Without `force=true` a user who never typed a right one and has no app gets in with any, as
/// at Authy.
pub(super) fn verify(
    state: &mut State,
    moment: Moment<'_>,
    (token, authy_id): (&str, &str),
    parameters: &Parameters,
) -> Result<Value, Refusal> {
    if !(6..=12).contains(&token.len()) || !token.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Refusal::invalid_token("60020", "Token is invalid"));
    }
    let device =
        enrolled(state, authy_id).map_err(|_| Refusal::invalid_token("60016", "User doesn't exist."))?;
    let action = parameters.text("action");
    let has_app = device.onetouch();
    let is_enforced = parameters.flag("force") || device.confirmed || has_app;
    let source = match device.codes.judge(moment.now, token, action.as_deref(), has_app) {
        Judgement::Right(source) => {
            device.confirmed = true;
            source
        }
        Judgement::Wrong | Judgement::Used if !is_enforced => Source::Message,
        Judgement::Used => {
            return Err(Refusal::invalid_token("60019", "Token is invalid. Token was used recently"));
        }
        Judgement::Wrong => return Err(Refusal::invalid_token("60020", "Token is invalid")),
    };
    let device = describe(device, source);
    state.tally.codes_checked += 1;
    Ok(json!({"message": "Token is valid.", "token": "is valid", "success": "true", "device": device}))
}

fn read_action(parameters: &Parameters) -> Result<Action, Refusal> {
    let text = |name| parameters.text(name).filter(|text| !text.is_empty());
    let action = Action { name: text("action"), message: text("action_message") };
    let is_long =
        |text: &Option<String>| text.as_ref().is_some_and(|text| text.chars().count() > MAXIMAL_ACTION);
    if is_long(&action.name) || is_long(&action.message) {
        return Err(Refusal::invalid_parameter("action", "is too long (maximum is 255 characters)"));
    }
    Ok(action)
}

/// What a code is asked for.
struct Action {
    /// Binds the code.
    name: Option<String>,
    /// Shown beside the code.
    message: Option<String>,
}

fn send(device: &mut Device, moment: Moment<'_>, channel: Channel, action: Action) -> Result<(), Refusal> {
    let code = device.codes.send(moment.now, action.name).ok_or_else(Refusal::too_many_tokens)?;
    let text = match action.message {
        Some(message) => format!("{message}: {code} is your code."),
        None => format!("{code} is your code."),
    };
    device.receive_message(Message { channel, code: Some(code), text, at: moment.now });
    Ok(())
}

/// The app makes codes itself: the phone is told to open it.
fn ignore(device: &mut Device, moment: Moment<'_>, message: &str) -> Value {
    let text = "Open the app to see your code.".to_owned();
    device.receive_message(Message { channel: Channel::App, code: None, text, at: moment.now });
    let cellphone = device.phone.masked_cellphone();
    json!({"message": message, "cellphone": cellphone, "device": "android", "ignored": true, "success": true})
}

fn describe(device: &Device, source: Source) -> Value {
    let (id, os_type) = match source {
        Source::App => (Some(device_id(device)), "android"),
        Source::Message => (None, "sms"),
    };
    json!({
        "id": id, "os_type": os_type, "registration_date": device.created_at.timestamp(),
        "registration_method": null,
        "registration_country": null, "registration_region": null, "registration_city": null, "country": null,
        "region": null, "city": null, "ip": null, "last_account_recovery_at": null, "last_sync_date": null,
    })
}

//! Authy's `users`: registering a phone, how a user stands, changing the e-mail, deleting, and noting an
//! activity. Messages are Authy's, to the letter: a published client compares them. Invariant: registering a
//! phone twice gives one id.

use serde_json::{Value, json};

use super::enrolled;
use crate::device::Device;
use crate::parameters::{Parameters, text_of};
use crate::phone_number::{PhoneNumber, parse_cellphone, parse_country_code};
use crate::refusal::Refusal;
use crate::state::{Moment, State};

const ACTIVITIES: [&str; 4] = ["password_reset", "banned", "unbanned", "cookie_login"];

pub(super) fn new(state: &mut State, moment: Moment<'_>, parameters: &Parameters) -> Result<Value, Refusal> {
    let (phone, email) = read_user(parameters)?;
    let authy_id = state.enrol(phone, &email, moment);
    Ok(json!({"message": "User created successfully.", "user": {"id": authy_id}, "success": true}))
}

pub(super) fn status(state: &mut State, authy_id: &str) -> Result<Value, Refusal> {
    let device = enrolled(state, authy_id)?;
    let detailed = json!({
        "device_type": "authy", "os_type": "android", "registration_device_id": null,
        "registration_method": "sms",
        "device_id": device_id(device), "last_sync_date": device.created_at.timestamp(),
        "creation_date": device.created_at.timestamp(),
    });
    let status = json!({
        "authy_id": device.authy_id,
        "confirmed": device.confirmed,
        "registered": device.onetouch(),
        "country_code": device.phone.country_code(),
        "phone_number": device.phone.masked_phone_number(),
        "email": device.emails.first(),
        "devices": if device.onetouch() { vec!["android"] } else { vec![] },
        "has_hard_token": false,
        "account_disabled": false,
        "detailed_devices": if device.onetouch() { vec![detailed] } else { vec![] },
        "deleted_devices": [],
    });
    Ok(json!({"status": status, "message": "User status.", "success": true}))
}

/// Takes the user out of the application, at once where Authy takes up to a day. The phone keeps its id.
pub(super) fn delete(state: &mut State, authy_id: &str) -> Result<Value, Refusal> {
    let device = enrolled(state, authy_id)?;
    device.enrolled = false;
    device.emails.clear();
    Ok(json!({"message": "User removed from application", "success": true}))
}

pub(super) fn update(state: &mut State, authy_id: &str, parameters: &Parameters) -> Result<Value, Refusal> {
    let device = enrolled(state, authy_id)?;
    let email = parameters.text("email").unwrap_or_default();
    if let Some(complaint) = email_complaint(&email) {
        return Err(Refusal::user_not_valid("User was not valid", vec![("email", complaint)]));
    }
    device.emails.retain(|known| *known != email);
    device.emails.insert(0, email);
    Ok(json!({"message": "User was updated successfully", "success": true}))
}

pub(super) fn register_activity(
    state: &mut State,
    authy_id: &str,
    parameters: &Parameters,
) -> Result<Value, Refusal> {
    enrolled(state, authy_id)?;
    match parameters.text("type") {
        Some(activity) if ACTIVITIES.contains(&activity.as_str()) => {
            Ok(json!({"message": "Activity was created.", "success": true}))
        }
        Some(_) => Err(Refusal::invalid_parameter("type", "is not a known activity")),
        None => Err(Refusal::invalid_parameter("type", "Parameter is required")),
    }
}

/// The id of the one device that the app runs on.
pub(crate) fn device_id(device: &Device) -> u64 {
    device.authy_id + 1
}

fn read_user(parameters: &Parameters) -> Result<(PhoneNumber, String), Refusal> {
    let user = parameters.nested("user").ok_or_else(|| {
        Refusal::new(
            axum::http::StatusCode::BAD_REQUEST,
            "60030",
            "User parameters are missing or incorrect.",
        )
    })?;
    let text = |name| text_of(user.value(name)).unwrap_or_default().trim().to_owned();
    let (cellphone, country_code, email) = (text("cellphone"), text("country_code"), text("email"));
    if user.value("country_code").is_null() {
        return Err(Refusal::invalid_parameter("country_code", "Parameter is required"));
    }
    if !country_code.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Refusal::invalid_parameter("country_code", "is not a valid Integer"));
    }
    match (parse_cellphone(&cellphone), parse_country_code(&country_code), email_complaint(&email)) {
        (Some(digits), Some(country_code), None) => Ok((PhoneNumber::new(country_code, digits), email)),
        (digits, code, complaint) => {
            let mut fields = Vec::new();
            fields.extend(digits.is_none().then_some(("cellphone", "is invalid")));
            fields.extend(code.is_none().then_some(("country_code", "is invalid")));
            fields.extend(complaint.map(|complaint| ("email", complaint)));
            let is_all_blank = cellphone.is_empty() && country_code.is_empty() && email.is_empty();
            let message = if is_all_blank { "User was not valid." } else { "User was not valid" };
            Err(Refusal::user_not_valid(message, fields))
        }
    }
}

fn email_complaint(email: &str) -> Option<&'static str> {
    if email.is_empty() {
        return Some("is invalid and can't be blank");
    }
    let is_plausible = email.split_once('@').is_some_and(|(local, domain)| {
        let has_dot_inside = domain.trim_matches('.') == domain && domain.contains('.');
        !local.is_empty() && has_dot_inside && !domain.contains('@')
    });
    let has_odd_characters =
        email.chars().any(|character| character.is_whitespace() || character.is_control());
    (!is_plausible || has_odd_characters || email.len() > 254).then_some("is invalid")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_email_needs_a_name_and_a_domain_with_a_dot() {
        for email in ["h@e.com", "müller@exämple.de", "a+b@c.d.e"] {
            assert_eq!(email_complaint(email), None, "{email}");
        }
        for email in ["h", "h@", "@e.com", "h@e", "h@.com", "h@e.com.", "a@b@c.d", "a b@c.d", "a@c.d\n"] {
            assert_eq!(email_complaint(email), Some("is invalid"), "{email}");
        }
        assert_eq!(email_complaint(""), Some("is invalid and can't be blank"));
    }
}

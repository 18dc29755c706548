//! Authy's `app`: what the application is, and what it did this month. The sandbox has one application, and
//! does not forget at a month's end.

use serde_json::{Value, json};

use super::approvals::{APP_NAME, APP_SERIAL_ID};
use crate::state::{Moment, State};

pub(super) fn details() -> Value {
    let app = json!({
        "app_id": APP_SERIAL_ID, "name": APP_NAME, "plan": "starter", "sms_enabled": true,
        "onetouch_enabled": true,
        "white_label": false,
    });
    json!({"app": app, "message": "Application information.", "success": true})
}

/// `api_calls` is what the sandbox was asked since its start.
pub(super) fn stats(state: &State, moment: Moment<'_>, api_calls: u64) -> Value {
    let users = state.enrolled_devices().count();
    let month = json!({
        "month": moment.now.format("%B").to_string(), "year": moment.now.format("%Y").to_string(),
        "sms_count": state.tally.sms, "calls_count": state.tally.calls, "users_count": users,
        "auths_count": state.tally.codes_checked, "api_calls_count": api_calls,
    });
    json!({
        "app_id": APP_SERIAL_ID, "count": 1, "message": "Monthly statistics.", "stats": [month],
        "total_users": users,
        "success": true,
    })
}

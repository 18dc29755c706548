//! The phones: what each shows, whether it has the app, and the finger that approves or denies. Invariant:
//! the callback is sent only after the answer is kept.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State as Given};
use axum::http::StatusCode;
use chrono::{DateTime, SecondsFormat, Utc};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Complaint, read};
use crate::approval::{ApprovalRequest, Status, Verdict};
use crate::callbacks::{Callback, send_soon};
use crate::device::Device;
use crate::emulator::Emulator;
use crate::ledger::NotKept;
use crate::state::AnswerError;
use crate::totp;

const UNKNOWN_DEVICE: Complaint = Complaint(StatusCode::NOT_FOUND, "no such device");
const UNKNOWN_REQUEST: Complaint = Complaint(StatusCode::NOT_FOUND, "no such approval request");
const NOT_PENDING: Complaint = Complaint(StatusCode::CONFLICT, "the approval request is not pending");
const NOT_KEPT: Complaint = Complaint(StatusCode::SERVICE_UNAVAILABLE, "the state could not be written");

/// Who is registered.
pub(super) async fn list(Given(emulator): Given<Arc<Emulator>>) -> Json<Value> {
    let now = emulator.clock.now();
    let summarise = |device: &Device| {
        let pending = device.approval_requests().filter(|request| request.status(now) == Status::Pending);
        json!({
            "authy_id": device.authy_id, "phone": device.phone.international(), "emails": device.emails,
            "onetouch": device.onetouch(), "pending": pending.count(),
        })
    };
    let devices: Vec<Value> = emulator.ledger.read(|state| state.enrolled_devices().map(summarise).collect());
    Json(json!({"devices": devices}))
}

/// What one phone shows, also one that the application has deleted.
pub(super) async fn show(
    Given(emulator): Given<Arc<Emulator>>,
    Path(authy_id): Path<String>,
) -> Result<Json<Value>, Complaint> {
    let authy_id = authy_id.parse().map_err(|_| UNKNOWN_DEVICE)?;
    let now = emulator.clock.now();
    let shown = emulator.ledger.read(|state| state.device(authy_id).map(|device| describe(device, now)));
    shown.map(Json).ok_or(UNKNOWN_DEVICE)
}

/// What can be changed on a phone.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DeviceChange {
    onetouch: bool,
}

/// Installs or removes the app.
pub(super) async fn change(
    Given(emulator): Given<Arc<Emulator>>,
    Path(authy_id): Path<String>,
    body: Bytes,
) -> Result<Json<Value>, Complaint> {
    let DeviceChange { onetouch } = read(&body)?;
    let authy_id = authy_id.parse().map_err(|_| UNKNOWN_DEVICE)?;
    let now = emulator.clock.now();
    let changed = emulator.ledger.change(|state| {
        let shown = state.device_mut(authy_id).map(|device| {
            device.set_onetouch(onetouch);
            describe(device, now)
        });
        let is_known = shown.is_some();
        (shown, is_known)
    });
    changed.await.map_err(|NotKept| NOT_KEPT)?.map(Json).ok_or(UNKNOWN_DEVICE)
}

/// What the finger says.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Answer {
    status: Verdict,
}

/// Approves or denies. The signed callback follows.
pub(super) async fn answer(
    Given(emulator): Given<Arc<Emulator>>,
    Path(uuid): Path<String>,
    body: Bytes,
) -> Result<Json<Value>, Complaint> {
    let Answer { status } = read(&body)?;
    let uuid = Uuid::parse_str(&uuid).map_err(|_| UNKNOWN_REQUEST)?;
    let now = emulator.clock.now();
    let answered = emulator.ledger.change(|state| {
        let answered = state.answer(uuid, status, now).map(|(device, request)| {
            let callback = Callback::new(device, request, now, &emulator.random);
            (describe_request(request, now), callback)
        });
        let is_answered = answered.is_ok();
        (answered, is_answered)
    });
    let (request, callback) = answered.await.map_err(|NotKept| NOT_KEPT)?.map_err(|error| match error {
        AnswerError::Unknown => UNKNOWN_REQUEST,
        AnswerError::NotPending => NOT_PENDING,
    })?;
    send_soon(&emulator, callback);
    Ok(Json(request))
}

fn describe(device: &Device, now: DateTime<Utc>) -> Value {
    let requests: Vec<Value> =
        device.approval_requests().map(|request| describe_request(request, now)).collect();
    let messages: Vec<Value> = device
        .messages()
        .map(|message| {
            json!({
                "channel": message.channel, "code": message.code, "text": message.text,
                "at": instant(message.at),
            })
        })
        .collect();
    json!({
        "authy_id": device.authy_id,
        "phone": device.phone.international(),
        "emails": device.emails,
        "onetouch": device.onetouch(),
        "approval_requests": requests,
        "messages": messages,
        "app_code": device.onetouch().then(|| device.codes.app_code(now)),
        "app_code_expires_at": device.onetouch().then(|| instant(totp::end_of_step(now))),
        "now": instant(now),
    })
}

fn describe_request(request: &ApprovalRequest, now: DateTime<Utc>) -> Value {
    let details =
        if request.question.details.is_null() { json!({}) } else { request.question.details.clone() };
    json!({
        "uuid": request.uuid,
        "status": request.status(now).word(),
        "message": request.question.message,
        "details": details,
        "expires_at": request.expires_at().map(instant),
    })
}

fn instant(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Micros, true)
}

//! How the sandbox is played with: what new phones have, where callbacks go, what goes wrong, what time it
//! is, what was asked. None of this is kept over a restart.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State as Given;
use axum::http::StatusCode;
use chrono::SecondsFormat;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Complaint, read};
use crate::callbacks::{self, CallbackMethod, Target, is_callback_url};
use crate::emulator::Emulator;
use crate::faults::Faults;

/// The farthest that the clock is moved at once, in seconds: a year.
const MAXIMAL_ADVANCE: u64 = 366 * 24 * 3600;

/// What a phone has that Authy sees for the first time.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Defaults {
    onetouch: bool,
}

pub(super) async fn show_defaults(Given(emulator): Given<Arc<Emulator>>) -> Json<Defaults> {
    Json(Defaults { onetouch: emulator.onetouch_by_default.load(Ordering::Relaxed) })
}

pub(super) async fn set_defaults(
    Given(emulator): Given<Arc<Emulator>>,
    body: Bytes,
) -> Result<Json<Defaults>, Complaint> {
    let defaults: Defaults = read(&body)?;
    emulator.onetouch_by_default.store(defaults.onetouch, Ordering::Relaxed);
    Ok(Json(defaults))
}

/// Where and how to call back; no method is POST, and no URL is nowhere.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CallbackChange {
    url: Option<String>,
    #[serde(default)]
    method: CallbackMethod,
}

pub(super) async fn show_callback(Given(emulator): Given<Arc<Emulator>>) -> Json<Value> {
    let target = emulator.callbacks.target();
    let deliveries = emulator.callbacks.deliveries();
    Json(json!({"url": target.url, "method": target.method, "deliveries": deliveries}))
}

pub(super) async fn set_callback(
    Given(emulator): Given<Arc<Emulator>>,
    body: Bytes,
) -> Result<Json<Target>, Complaint> {
    let CallbackChange { url, method } = read(&body)?;
    if url.as_deref().is_some_and(|url| !is_callback_url(url)) {
        return Err(Complaint(StatusCode::BAD_REQUEST, "url must be a URL of http or https"));
    }
    let target = Target { url, method };
    emulator.callbacks.set_target(target.clone());
    Ok(Json(target))
}

/// Sends what Authy sends when a callback URL is entered in its console, and says what came back.
pub(super) async fn send_trial(Given(emulator): Given<Arc<Emulator>>) -> Result<Json<Value>, Complaint> {
    if emulator.callbacks.target().url.is_none() {
        return Err(Complaint(StatusCode::CONFLICT, "no callback URL is set"));
    }
    let status = callbacks::send_trial(&emulator).await;
    Ok(Json(json!({"status": status})))
}

pub(super) async fn show_faults(Given(emulator): Given<Arc<Emulator>>) -> Json<Faults> {
    Json(emulator.faults.current())
}

pub(super) async fn set_faults(
    Given(emulator): Given<Arc<Emulator>>,
    body: Bytes,
) -> Result<Json<Faults>, Complaint> {
    let faults: Faults = read(&body)?;
    if let Some(complaint) = faults.complaint() {
        return Err(Complaint(StatusCode::BAD_REQUEST, complaint));
    }
    emulator.faults.set(faults.clone());
    Ok(Json(faults))
}

pub(super) async fn clear_faults(Given(emulator): Given<Arc<Emulator>>) -> StatusCode {
    emulator.faults.set(Faults::default());
    StatusCode::NO_CONTENT
}

pub(super) async fn show_calls(Given(emulator): Given<Arc<Emulator>>) -> Json<Value> {
    Json(emulator.calls.to_json())
}

pub(super) async fn forget_calls(Given(emulator): Given<Arc<Emulator>>) -> StatusCode {
    emulator.calls.forget();
    StatusCode::NO_CONTENT
}

pub(super) async fn show_clock(Given(emulator): Given<Arc<Emulator>>) -> Json<Value> {
    Json(now(&emulator))
}

/// How far the clock is moved.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct ClockChange {
    advance_seconds: u64,
}

pub(super) async fn advance_clock(
    Given(emulator): Given<Arc<Emulator>>,
    body: Bytes,
) -> Result<Json<Value>, Complaint> {
    let ClockChange { advance_seconds } = read(&body)?;
    if advance_seconds > MAXIMAL_ADVANCE {
        return Err(Complaint(StatusCode::BAD_REQUEST, "advanceSeconds must be at most a year"));
    }
    if !emulator.clock.advance(Duration::from_secs(advance_seconds)) {
        return Err(Complaint(StatusCode::CONFLICT, "the clock moves in dev only"));
    }
    emulator.ledger.tell_change();
    Ok(Json(now(&emulator)))
}

fn now(emulator: &Emulator) -> Value {
    json!({"now": emulator.clock.now().to_rfc3339_opts(SecondsFormat::Micros, true)})
}

//! Answers of Authy's API with a fault, as `PUT /phone/faults` asked for one. Invariant: no fault outlives
//! the shutdown; what hangs or waits ends with it.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use futures_util::{StreamExt, stream};

use super::{Call, MAXIMAL_BODY, carry_out, refuse};
use crate::emulator::Emulator;
use crate::faults::{ApiFault, ApiFaultKind, When};
use crate::refusal::Refusal;

const PAGE: &str = "<!DOCTYPE html><html><head><title>503 Service Unavailable</title></head>\
     <body><h1>Service Unavailable</h1><p>No server is available to handle this request.</p></body></html>";

/// Answers one call with its fault.
pub(super) async fn answer(emulator: &Arc<Emulator>, call: Call, fault: ApiFault) -> Response {
    match fault.kind {
        ApiFaultKind::Delay => delay(emulator, call, &fault).await,
        ApiFaultKind::Silent => {
            carry_out(emulator, &call).await;
            tracing::info!(method = %call.method, endpoint = call.name(), "the sandbox keeps silent for Authy");
            emulator.shutdown.cancelled().await;
            refuse(&Refusal::of_status(StatusCode::SERVICE_UNAVAILABLE))
        }
        ApiFaultKind::Status => {
            let status = StatusCode::from_u16(fault.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            let refusal = if fault.for_all { Refusal::nameless(status) } else { Refusal::of_status(status) };
            let mut response = refuse(&refusal);
            if let Some(seconds) = fault.retry_after_seconds {
                response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
            }
            response
        }
        ApiFaultKind::Html => Html(PAGE).into_response(),
        ApiFaultKind::Cut => cut(carry_out(emulator, &call).await).await,
    }
}

/// The right answer, late. What is delayed happens also when the caller has hung up meanwhile, as at a slow
/// provider.
async fn delay(emulator: &Arc<Emulator>, call: Call, fault: &ApiFault) -> Response {
    let time = Duration::from_millis(fault.delay_ms);
    let when = fault.when;
    let emulator = Arc::clone(emulator);
    let shutdown = emulator.shutdown.clone();
    let late = emulator.tasks.clone().spawn(shutdown.run_until_cancelled_owned(async move {
        if when == When::Before {
            tokio::time::sleep(time).await;
        }
        let response = carry_out(&emulator, &call).await;
        if when == When::After {
            tokio::time::sleep(time).await;
        }
        response
    }));
    match late.await {
        Ok(Some(response)) => response,
        Ok(None) | Err(_) => refuse(&Refusal::of_status(StatusCode::SERVICE_UNAVAILABLE)),
    }
}

/// The first half of an answer under the length of the whole; then the connection breaks.
async fn cut(response: Response) -> Response {
    let (mut parts, body) = response.into_parts();
    let whole = to_bytes(body, MAXIMAL_BODY).await.unwrap_or_default();
    parts.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(whole.len()));
    let half = whole.slice(..whole.len() / 2);
    Response::from_parts(parts, Body::from_stream(breaking_off(half)))
}

/// The bytes, then one turn in which they leave the machine, then an error.
fn breaking_off(bytes: Bytes) -> impl futures_util::Stream<Item = Result<Bytes, io::Error>> {
    stream::once(async { Ok(bytes) }).chain(stream::once(async {
        tokio::task::yield_now().await;
        Err(io::Error::from(io::ErrorKind::ConnectionAborted))
    }))
}

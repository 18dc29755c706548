//! What an Authy callback says, once it is known to be Authy's.
//!
//! Not what becomes of the login. The invariant: the signature is checked before anything else is judged, and fields are
//! read from the very tree that was verified, because the signed text alone can stand for several payloads.

use http::{HeaderMap, Method};

use super::{config::ApiKey, is_authy_id, is_request_id};
use crate::{
    model::{ApprovalId, ProviderUserId, PushHandle, Verdict},
    provider::{
        Callback, CallbackError, CallbackReport,
        payload::Payload,
        signature::{Signature, Signed, canonical},
    },
};

/// Authy's own callbacks have about two.
const MAX_BYTES: usize = 64 * 1024;

/// Who the callback speaks of when Authy only tries out a new callback URL.
const TRIAL_AUTHY_ID: &str = "1234";

/// Checks whose the callback is, then what it says.
pub(super) fn read(
    callback: &Callback<'_>,
    key: &ApiKey,
    url: &str,
) -> Result<CallbackReport, CallbackError> {
    let payload = authentic(callback, key, url).ok_or(CallbackError::Forged)?;
    if let Some(ambiguity) = payload.ambiguity().or_else(|| contradiction(&payload)) {
        return Err(CallbackError::Ambiguous(ambiguity));
    }
    Ok(answer(&payload).unwrap_or(CallbackReport::NothingToDo))
}

fn authentic(callback: &Callback<'_>, key: &ApiKey, url: &str) -> Option<Payload> {
    let signature = Signature::from_headers(callback.headers)?;
    if *callback.method == Method::GET && callback.query.len() <= MAX_BYTES {
        let is_theirs = signature.is_of(key.expose(), callback.method, url, callback.query);
        return is_theirs.then(|| Payload::from_query(callback.query));
    }
    if *callback.method == Method::POST && callback.body.len() <= MAX_BYTES {
        let payload = Payload::from_json(callback.body)?;
        let parameters = canonical(payload.root())?;
        return signature.is_of(key.expose(), callback.method, url, &parameters).then_some(payload);
    }
    None
}

/// The body of a callback that asks for nothing, as Authy sends it to try a new callback URL.
const TRIAL: &str =
    r#"{"callback_action":"approval_request_status","status":"approved","authy_id":1234,"uuid":"1234"}"#;

/// A signed POST that a service with this key and callback URL accepts, and that changes nothing: its headers and its body.
#[must_use]
pub fn signed_trial(key: &ApiKey, url: &str, nonce: &str) -> Option<(HeaderMap, &'static str)> {
    let parameters = canonical(Payload::from_json(TRIAL.as_bytes())?.root())?;
    let signed = Signed { nonce, method: &Method::POST, url, parameters: &parameters };
    Some((HeaderMap::from_iter(signed.headers(key.expose())?), TRIAL))
}

/// The outermost status and uuid are repeated within the transaction; which of two different ones is meant, nobody can
/// tell.
fn contradiction(payload: &Payload) -> Option<&'static str> {
    let differs = |name| {
        let outer = payload.find_text(&[name]);
        let inner = payload.find_text(&["approval_request", "transaction", name]);
        outer.zip(inner).is_some_and(|(outer, inner)| outer != inner)
    };
    if differs("status") {
        Some("the status contradicts the transaction's")
    } else if differs("uuid") {
        Some("the uuid contradicts the transaction's")
    } else {
        None
    }
}

/// The answer in the callback; none in a trial, in another kind of event, or where a part is missing.
fn answer(payload: &Payload) -> Option<CallbackReport> {
    let action = payload.find_text(&["callback_action"]);
    if action.is_some_and(|action| action != "approval_request_status") {
        return None;
    }
    let verdict = match payload.find_text(&["status"])? {
        "approved" => Verdict::Approved,
        "denied" => Verdict::Denied,
        _ => return None,
    };
    let id = payload.find_text(&["uuid"]).filter(|id| is_request_id(id))?;
    let user = payload.find_text(&["authy_id"]).filter(|id| is_authy_id(id) && *id != TRIAL_AUTHY_ID)?;
    let approval_id = payload.find_text(&["approval_request", "transaction", "hidden_details", "login_id"]);
    Some(CallbackReport::Answered {
        id: PushHandle::new(id),
        user: ProviderUserId::new(user),
        approval_id: approval_id.and_then(ApprovalId::parse),
        verdict,
    })
}

#[cfg(test)]
mod tests;

//! Authy's API: the key, the parameters, the fault that was asked for, the endpoint, the answer. What an
//! endpoint does stands in the modules by noun; how a code or a request is judged, in `codes` and `approval`.
//! Invariant: nothing but method, endpoint and status is logged of a call.

mod application;
pub(crate) mod approvals;
pub(crate) mod endpoint;
mod faulty;
mod tokens;
pub(crate) mod users;

use std::sync::Arc;

use axum::body::{Bytes, to_bytes};
use axum::extract::{Request, State as Given};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use axum::{Json, Router};
use serde_json::Value;
use subtle::ConstantTimeEq;

use self::endpoint::{Endpoint, NoEndpoint, UNKNOWN};
use super::device::Device;
use super::emulator::Emulator;
use super::ledger::NotKept;
use super::parameters::{ParameterError, Parameters};
use super::refusal::Refusal;
use super::state::{Moment, State};

/// Bytes of a body; the largest that the libraries send has a few thousand.
const MAXIMAL_BODY: usize = 64 * 1024;

/// The routes of Authy's API.
pub(super) fn router() -> Router<Arc<Emulator>> {
    Router::new().route("/protected/{*rest}", any(answer)).route("/onetouch/{*rest}", any(answer))
}

/// One call, taken in.
struct Call {
    method: Method,
    path: String,
    query: String,
    headers: HeaderMap,
    body: Bytes,
    endpoint: Result<Endpoint, NoEndpoint>,
}

impl Call {
    async fn take(request: Request) -> Result<Self, axum::Error> {
        let (parts, body) = request.into_parts();
        let body = to_bytes(body, MAXIMAL_BODY).await?;
        let path = parts.uri.path().to_owned();
        let query = parts.uri.query().unwrap_or_default().to_owned();
        let endpoint = Endpoint::parse(&parts.method, &path);
        Ok(Self { method: parts.method, path, query, headers: parts.headers, body, endpoint })
    }

    fn name(&self) -> &'static str {
        self.endpoint.as_ref().map_or(UNKNOWN, Endpoint::name)
    }

    fn path_to_keep(&self) -> String {
        self.endpoint
            .as_ref()
            .map_or_else(|_| UNKNOWN.to_owned(), |endpoint| endpoint.path_without_code(&self.path))
    }

    fn header(&self, name: impl header::AsHeaderName) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

async fn answer(Given(emulator): Given<Arc<Emulator>>, request: Request) -> Response {
    let Ok(call) = Call::take(request).await else {
        return refuse(&Refusal::of_status(StatusCode::PAYLOAD_TOO_LARGE));
    };
    let (method, endpoint) = (call.method.clone(), call.name());
    let number = emulator.calls.arrived(endpoint, call.path_to_keep());
    let response = match emulator.faults.for_path(&call.path) {
        None => carry_out(&emulator, &call).await,
        Some(fault) => faulty::answer(&emulator, call, fault).await,
    };
    let status = response.status().as_u16();
    emulator.calls.answered(number, status);
    tracing::info!(%method, endpoint, status, "the sandbox answered for Authy");
    response
}

/// Does what a call asks and makes the answer.
async fn carry_out(emulator: &Emulator, call: &Call) -> Response {
    if matches!(call.endpoint, Err(NoEndpoint::Xml)) {
        return (StatusCode::NOT_ACCEPTABLE, "The sandbox speaks JSON only.\n").into_response();
    }
    match perform(emulator, call).await {
        Ok(body) => Json(body).into_response(),
        Err(refusal) => refuse(&refusal),
    }
}

fn refuse(refusal: &Refusal) -> Response {
    (refusal.status, Json(refusal.body())).into_response()
}

async fn perform(emulator: &Emulator, call: &Call) -> Result<Value, Refusal> {
    let content_type = call.header(header::CONTENT_TYPE).unwrap_or_default();
    let parameters = Parameters::read(&call.query, content_type, &call.body);
    check_key(emulator, call, parameters.as_ref().ok())?;
    let parameters = parameters?;
    let endpoint = call
        .endpoint
        .as_ref()
        .map_err(|_| Refusal::new(StatusCode::NOT_FOUND, "60000", "Requested URL was not found."))?;
    let api_calls = emulator.calls.total();
    let act = |state: &mut State| {
        let result = dispatch(endpoint, state, emulator.moment(), (&parameters, api_calls));
        let has_changed = result.is_ok() && endpoint.changes_state();
        (result, has_changed)
    };
    emulator.ledger.change(act).await.unwrap_or_else(|NotKept| {
        Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "60000", "An error occurred"))
    })
}

/// The key may come in the header, the query or the body; the header is believed first.
fn check_key(emulator: &Emulator, call: &Call, parameters: Option<&Parameters>) -> Result<(), Refusal> {
    let from_header = call.header("x-authy-api-key").map(str::to_owned);
    let given = from_header.or_else(|| parameters?.text("api_key")).unwrap_or_default();
    let is_right: bool = given.as_bytes().ct_eq(emulator.api_key.as_bytes()).into();
    if is_right { Ok(()) } else { Err(Refusal::invalid_api_key()) }
}

fn dispatch(
    endpoint: &Endpoint,
    state: &mut State,
    moment: Moment<'_>,
    (parameters, api_calls): (&Parameters, u64),
) -> Result<Value, Refusal> {
    match endpoint {
        Endpoint::UsersNew => users::new(state, moment, parameters),
        Endpoint::UsersStatus { authy_id } => users::status(state, authy_id),
        Endpoint::UsersDelete { authy_id } => users::delete(state, authy_id),
        Endpoint::UsersUpdate { authy_id } => users::update(state, authy_id, parameters),
        Endpoint::UsersRegisterActivity { authy_id } => users::register_activity(state, authy_id, parameters),
        Endpoint::Sms { authy_id } => tokens::sms(state, moment, authy_id, parameters),
        Endpoint::Call { authy_id } => tokens::call(state, moment, authy_id, parameters),
        Endpoint::Verify { token, authy_id } => tokens::verify(state, moment, (token, authy_id), parameters),
        Endpoint::AppDetails => Ok(application::details()),
        Endpoint::AppStats => Ok(application::stats(state, moment, api_calls)),
        Endpoint::ApprovalRequests { authy_id } => approvals::create(state, moment, authy_id, parameters),
        Endpoint::ApprovalRequestStatus { uuid } => approvals::status(state, moment.now, uuid),
    }
}

/// The phone of one of the application's users. An id that is no number is an unknown user too.
fn enrolled<'a>(state: &'a mut State, authy_id: &str) -> Result<&'a mut Device, Refusal> {
    let is_number = authy_id.bytes().all(|byte| byte.is_ascii_digit());
    let authy_id = authy_id.parse().ok().filter(|_| is_number);
    let device = authy_id.and_then(|authy_id| state.device_mut(authy_id));
    device.filter(|device| device.enrolled).ok_or_else(Refusal::user_not_found)
}

impl From<ParameterError> for Refusal {
    fn from(error: ParameterError) -> Self {
        match error {
            ParameterError::NotUtf8 => Self::new(StatusCode::BAD_REQUEST, "60005", "Invalid UTF-8"),
            _ => Self::invalid_request(),
        }
    }
}

//! GraphQL over HTTP, as the draft specification tells it: POST and GET, media types, status codes.
//!
//! The invariant: one request is one operation; what changes something comes by POST with a content type that
//! no foreign page can send without a preflight, and runs to its end even if the peer hangs up.

use std::panic::AssertUnwindSafe;

use async_graphql::{Data, parser::types::OperationType};
use axum::{
    body::Body,
    extract::{Extension, Query, Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse as _, Response},
};
use futures_util::FutureExt as _;
use serde::{Deserialize, de::DeserializeOwned};
use tracing::Instrument as _;

use super::{
    accept::{AnswerMedia, wants_page},
    admission::TooMuch,
    answer::{self, Outcome},
    body::{self, BodyError},
    client_address::ClientAddress,
    counted::Counted,
    execution::Transport,
    graphiql,
    operation::{Operation, Parameters, SentParameters},
    origin,
    request_id::{RequestId, log_panic},
    session_cookie,
    state::HttpState,
    user_agent::browser,
    websocket,
};
use crate::graphql::TokenDelivery;

const WRONG_PARAMETERS: &str = "Send `query` as a string, and where they are needed `operationName` as a string, \
                                `variables` and `extensions` as maps.";

/// RFC 8259 §8.1 lets a parser ignore it; libraries of some platforms write it before any text.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// `POST /graphql`.
pub(super) async fn post(
    State(state): State<HttpState>,
    Extension(id): Extension<RequestId>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let Some(media) = AnswerMedia::preferred(&parts.headers) else {
        return not_acceptable();
    };
    if state.settings.turns_away(&parts.headers) {
        return origin::refuse(media, &parts.headers);
    }
    if !is_json(&parts.headers) {
        let message = "Send the request as `application/json`, in UTF-8 and without an encoding.";
        return answer::refuse(media, StatusCode::UNSUPPORTED_MEDIA_TYPE, "UNSUPPORTED_MEDIA_TYPE", message);
    }
    match parameters_of_body(&state, body).await {
        Ok(parameters) => {
            execute(&state, &id, &parts, Asked { parameters, transport: Transport::Post, media }).await
        }
        Err((status, code, message)) => answer::refuse(media, status, code, message),
    }
}

/// `GET /graphql`: a socket, a page for a browser, or a query.
pub(super) async fn get(
    State(state): State<HttpState>,
    Extension(id): Extension<RequestId>,
    request: Request,
) -> Response {
    let (mut parts, _body) = request.into_parts();
    if websocket::is_asked_for(&parts.headers) {
        return websocket::upgrade(state, id, &mut parts).await;
    }
    let parameters = Query::<UrlParameters>::try_from_uri(&parts.uri).map(|Query(parameters)| parameters);
    if let Ok(UrlParameters { query: None, .. }) = parameters
        && wants_page(&parts.headers)
    {
        return page(state.settings.graphql.graphiql);
    }
    let Some(media) = AnswerMedia::preferred(&parts.headers) else {
        return not_acceptable();
    };
    match parameters.ok().and_then(UrlParameters::into_parameters) {
        Some(parameters) => {
            execute(&state, &id, &parts, Asked { parameters, transport: Transport::Get, media }).await
        }
        None => answer::refuse(media, StatusCode::BAD_REQUEST, "BAD_REQUEST", WRONG_PARAMETERS),
    }
}

/// What is asked, over what, and how the answer shall look.
struct Asked {
    parameters: Parameters,
    transport: Transport,
    media: AnswerMedia,
}

/// Puts what is known of the client where resolvers find it.
fn insert_client(data: &mut Data, parts: &Parts, address: Option<ClientAddress>) {
    if let Some(address) = address {
        data.insert(address);
    }
    if let Some(browser) = browser(&parts.headers) {
        data.insert(browser);
    }
}

async fn execute(state: &HttpState, id: &RequestId, parts: &Parts, asked: Asked) -> Response {
    let Asked { parameters, transport, media } = asked;
    let prepared = Operation::prepare(parameters, &state.settings.graphql, &state.documents);
    let operation = match prepared {
        Ok(operation) => operation,
        Err(error) => {
            Counted::unread(transport);
            return answer::respond(media, &Outcome::refused(error));
        }
    };
    let counted = Counted::begin(operation.counted_as, operation.kind, transport);
    if let Some(refusal) = refuse_kind(operation.kind, transport, media) {
        return refusal;
    }
    let client = parts.extensions.get::<ClientAddress>().copied();
    let token = state.settings.token_of(&parts.headers);
    let demand = if token.is_some() { operation.demand.with_session() } else { operation.demand };
    let permit = match state.admission.admit(client, demand).await {
        Ok(permit) => permit,
        Err(too_much) => return rate_limited(media, too_much),
    };
    // From here on it ends without having been refused only if its peer hangs up.
    let counted = counted.goes_on();
    let kind = operation.kind;
    let mut request = operation.into_request();
    let found = match token {
        Some(token) => state.authenticator.authenticate(token).await,
        None => Ok(None),
    };
    let Ok(found) = found else {
        counted.fail();
        return unavailable(media);
    };
    if let Some(authenticated) = found {
        authenticated.insert_into(&mut request.data).record_use();
    }
    let delivery = state.settings.delivery_to(&parts.headers);
    request.data.insert(delivery.clone());
    request.data.insert(transport);
    request.data.insert(id.clone());
    insert_client(&mut request.data, parts, client);
    // A mutation whose peer hangs up keeps its permit until it ends.
    let executing = state.schema.execute(request).inspect(move |_| drop(permit));
    let executing = counted.execute(executing).in_current_span();
    let executed = match kind {
        // A task of its own: the peer that hangs up takes this handler with it, but not what it began.
        OperationType::Mutation => state.tasks.spawn(executing).await.map_err(|_| ()),
        _ => AssertUnwindSafe(executing).catch_unwind().await.map_err(|_| ()),
    };
    let Ok(response) = executed else {
        log_panic("a GraphQL operation", id);
        return answer::internal(id);
    };
    let mut response = answer::respond(media, &Outcome::from(response));
    if let TokenDelivery::InCookie(slot) = delivery {
        session_cookie::write(&state.settings, &slot, &mut response);
    }
    response
}

/// Refuses what this way of asking does not carry.
fn refuse_kind(kind: OperationType, transport: Transport, media: AnswerMedia) -> Option<Response> {
    match (kind, transport) {
        (OperationType::Mutation, Transport::Get) => Some(mutation_by_get(media)),
        (OperationType::Subscription, _) => {
            let error = answer::error("BAD_REQUEST", "Subscribe over a WebSocket: `graphql-transport-ws`.");
            Some(answer::respond(media, &Outcome::refused(error)))
        }
        _ => None,
    }
}

type Refusal = (StatusCode, &'static str, &'static str);

async fn parameters_of_body(state: &HttpState, body: Body) -> Result<Parameters, Refusal> {
    let body = body::read(body, state.settings.body).await.map_err(|error| match error {
        BodyError::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "TOO_LARGE", "The request is too large."),
        BodyError::TooSlow => {
            (StatusCode::REQUEST_TIMEOUT, "TIMEOUT", "The request took too long to arrive.")
        }
        BodyError::Broken => (StatusCode::BAD_REQUEST, "BAD_REQUEST", "The request broke off."),
    })?;
    let body = body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&body);
    if body.trim_ascii_start().starts_with(b"[") {
        return Err((StatusCode::BAD_REQUEST, "BAD_REQUEST", "Send one operation; batches are not taken."));
    }
    // What serde says would repeat what was sent.
    serde_json::from_slice(body).map_err(|error| {
        let message = if error.is_data() { WRONG_PARAMETERS } else { "The request is not JSON." };
        (StatusCode::BAD_REQUEST, "BAD_REQUEST", message)
    })
}

/// `application/json` in UTF-8, not compressed. Anything else could be sent by a foreign page without asking.
fn is_json(headers: &HeaderMap) -> bool {
    let Some(content_type) = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()) else {
        return false;
    };
    let mut parts = content_type.split(';').map(str::trim);
    let is_json = parts.next().is_some_and(|media| media.eq_ignore_ascii_case("application/json"));
    let is_utf8 = parts.filter_map(|parameter| parameter.split_once('=')).all(|(name, value)| {
        !name.trim().eq_ignore_ascii_case("charset") || is_name_of_utf8(value.trim().trim_matches('"'))
    });
    let is_plain = headers.get_all(header::CONTENT_ENCODING).iter().all(|encoding| encoding == "identity");
    is_json && is_utf8 && is_plain
}

/// Its name (RFC 3629 §8), or without the hyphen, as many clients write it.
fn is_name_of_utf8(charset: &str) -> bool {
    ["utf-8", "utf8"].iter().any(|name| charset.eq_ignore_ascii_case(name))
}

/// The parameters of a GET: maps are JSON inside the query string.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct UrlParameters {
    query: Option<String>,
    operation_name: Option<String>,
    variables: Option<String>,
    extensions: Option<String>,
}

impl UrlParameters {
    fn into_parameters(self) -> Option<Parameters> {
        let sent = SentParameters {
            query: self.query,
            operation_name: self.operation_name,
            variables: map(self.variables).ok()?,
            extensions: map(self.extensions).ok()?,
        };
        sent.try_into().ok()
    }
}

/// A map, or nothing where there is none: `null`, an empty text, no parameter.
fn map<Map: DeserializeOwned>(json: Option<String>) -> serde_json::Result<Option<Map>> {
    let map = json.filter(|json| !json.is_empty()).map(|json| serde_json::from_str::<Option<Map>>(&json));
    map.transpose().map(Option::flatten)
}

fn page(is_on: bool) -> Response {
    if is_on {
        graphiql::page()
    } else {
        (StatusCode::NOT_FOUND, "There is no page here: send GraphQL by POST.\n").into_response()
    }
}

fn not_acceptable() -> Response {
    let message = "Accept `application/graphql-response+json` or `application/json`.";
    answer::refuse(AnswerMedia::Json, StatusCode::NOT_ACCEPTABLE, "NOT_ACCEPTABLE", message)
}

fn mutation_by_get(media: AnswerMedia) -> Response {
    let message = "Send mutations by POST.";
    let mut response = answer::refuse(media, StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED", message);
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("POST"));
    response
}

fn rate_limited(media: AnswerMedia, too_much: TooMuch) -> Response {
    let seconds = HeaderValue::from(too_much.retry_after_seconds());
    let mut response = answer::refuse_with(media, StatusCode::TOO_MANY_REQUESTS, too_much.into_error());
    response.headers_mut().insert(header::RETRY_AFTER, seconds);
    response
}

fn unavailable(media: AnswerMedia) -> Response {
    let message = "Sessions cannot be looked up just now; try again.";
    let mut response = answer::refuse(media, StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE", message);
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

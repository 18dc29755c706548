//! GraphQL results as JSON: what was executed, what was refused, and how much of the errors is told.
//!
//! Used by HTTP and by sockets. The invariant: every error carries a code; a refused request has no `data`, and its
//! errors are bounded in number and length, so that an answer is never much larger than its question.

use std::collections::BTreeMap;

use async_graphql::{ErrorExtensionValues, Response, ServerError, Value};
use axum::{
    body::Body,
    http::{StatusCode, header},
};
use serde::Serialize;

use super::{accept::AnswerMedia, request_id::RequestId};

/// How many errors of a refused request are told.
const MAX_ERRORS: usize = 10;
/// How many places an error of a refused request names.
const MAX_LOCATIONS: usize = 4;
/// How many characters of an error's message are told.
const MAX_MESSAGE_CHARACTERS: usize = 300;

/// What came of a request.
pub(super) enum Outcome {
    /// It was not executed: it is wrong or not allowed.
    Refused(Vec<ServerError>),
    /// It was executed, with or without errors of fields.
    Executed(Response),
}

/// The response of a path that does not exist.
pub(super) fn not_found() -> axum::response::Response {
    refuse(AnswerMedia::Json, StatusCode::NOT_FOUND, "NOT_FOUND", "There is nothing here.")
}

impl Outcome {
    pub(super) fn refused(error: ServerError) -> Self {
        Self::Refused(bounded(vec![error]))
    }

    /// The errors, of the request or of its fields.
    pub(super) fn errors(&self) -> &[ServerError] {
        match self {
            Self::Refused(errors) => errors,
            Self::Executed(response) => &response.errors,
        }
    }

    /// The result as GraphQL's response format tells it.
    pub(super) fn result(&self) -> ExecutionResult<'_> {
        match self {
            Self::Refused(errors) => ExecutionResult { errors, data: None, extensions: None },
            Self::Executed(response) => ExecutionResult {
                errors: self.errors(),
                data: Some(&response.data),
                extensions: Some(&response.extensions).filter(|extensions| !extensions.is_empty()),
            },
        }
    }
}

impl From<Response> for Outcome {
    fn from(response: Response) -> Self {
        if is_refusal(&response) {
            Self::Refused(bounded(response.errors))
        } else {
            Self::Executed(with_codes(response))
        }
    }
}

/// Whether a request was not executed. async-graphql answers `data: null` for both; errors of fields have a path, those of
/// requests have none.
fn is_refusal(response: &Response) -> bool {
    response.data == Value::Null
        && !response.errors.is_empty()
        && response.errors.iter().all(|error| error.path.is_empty())
}

/// A GraphQL response (specification, section 7), ready to be written as JSON.
#[derive(Serialize)]
pub(super) struct ExecutionResult<'a> {
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [ServerError],
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    extensions: Option<&'a BTreeMap<String, Value>>,
}

/// A response as it was, but for the errors of a request that was not executed: of these, the first few, each shortened.
pub(super) fn bounded_refusal(mut response: Response) -> Response {
    if is_refusal(&response) {
        response.errors = bounded(response.errors);
        response.errors.shrink_to_fit();
    }
    response
}

/// The first few errors, each shortened, each with a code.
pub(super) fn bounded(mut errors: Vec<ServerError>) -> Vec<ServerError> {
    errors.truncate(MAX_ERRORS);
    for error in &mut errors {
        error.locations.truncate(MAX_LOCATIONS);
        if let Some((end, _)) = error.message.char_indices().nth(MAX_MESSAGE_CHARACTERS) {
            error.message.truncate(end);
            error.message.push('…');
        }
        ensure_code(error);
    }
    errors
}

/// Gives each error of a field a code. Resolvers set theirs; async-graphql sets none where an argument does not fit.
fn with_codes(mut response: Response) -> Response {
    response.errors.iter_mut().for_each(ensure_code);
    response
}

fn ensure_code(error: &mut ServerError) {
    let extensions = error.extensions.get_or_insert_default();
    if extensions.get("code").is_none() {
        extensions.set("code", "BAD_REQUEST");
    }
}

/// An error that carries a code.
pub(super) fn error(code: &str, message: impl Into<String>) -> ServerError {
    let mut extensions = ErrorExtensionValues::default();
    extensions.set("code", code);
    ServerError { extensions: Some(extensions), ..ServerError::new(message, None) }
}

/// The error of a fault of ours: the request's id, and no detail.
pub(super) fn internal_error(id: &RequestId) -> ServerError {
    let mut internal = error("INTERNAL", "An internal fault; its traces are under the request's id.");
    internal.extensions.get_or_insert_default().set("requestId", id.as_str());
    internal
}

/// The answer to what was executed or refused as GraphQL.
pub(super) fn respond(media: AnswerMedia, outcome: &Outcome) -> axum::response::Response {
    let status = match (media, outcome) {
        (AnswerMedia::GraphqlResponse, Outcome::Refused(_)) => StatusCode::BAD_REQUEST,
        (AnswerMedia::GraphqlResponse, Outcome::Executed(_)) | (AnswerMedia::Json, _) => StatusCode::OK,
    };
    json(media, status, &outcome.result())
}

/// The answer to a request that is refused with a status, whatever the media type.
pub(super) fn refuse(
    media: AnswerMedia,
    status: StatusCode,
    code: &str,
    message: &str,
) -> axum::response::Response {
    refuse_with(media, status, error(code, message))
}

/// The answer to a request that is refused with a status and an error of its own.
pub(super) fn refuse_with(
    media: AnswerMedia,
    status: StatusCode,
    error: ServerError,
) -> axum::response::Response {
    json(media, status, &Outcome::refused(error).result())
}

/// The answer to a request that ran into a fault of ours.
pub(super) fn internal(id: &RequestId) -> axum::response::Response {
    let outcome = Outcome::refused(internal_error(id));
    json(AnswerMedia::Json, StatusCode::INTERNAL_SERVER_ERROR, &outcome.result())
}

fn json(media: AnswerMedia, status: StatusCode, result: &ExecutionResult<'_>) -> axum::response::Response {
    let (status, body) = match serde_json::to_vec(result) {
        Ok(body) => (status, Body::from(body)),
        // Cannot happen with the values of a schema; an empty 500 says enough if it does.
        Err(_unserializable) => (StatusCode::INTERNAL_SERVER_ERROR, Body::empty()),
    };
    let mut response = axum::response::Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, media.content_type());
    response
}

#[cfg(test)]
mod tests {
    use async_graphql::{PathSegment, Pos, Response, ServerError, Value};
    use serde_json::json;

    use super::{MAX_ERRORS, MAX_LOCATIONS, MAX_MESSAGE_CHARACTERS, Outcome, bounded};

    #[test]
    fn errors_of_a_refused_request_are_bounded_in_number_places_and_length() {
        let mut long = ServerError::new("ä".repeat(5_000), None);
        long.locations = vec![Pos { line: 1, column: 1 }; 5_000];
        let errors = bounded(vec![long; 5_000]);
        assert_eq!(errors.len(), MAX_ERRORS);
        assert_eq!(errors[0].message.chars().count(), MAX_MESSAGE_CHARACTERS + 1);
        assert_eq!(errors[0].locations.len(), MAX_LOCATIONS);
    }

    #[test]
    fn a_refused_request_has_no_data_and_a_code() {
        let outcome = Outcome::from(Response::from_errors(vec![ServerError::new("No.", None)]));
        let result = serde_json::to_value(outcome.result()).unwrap();
        assert_eq!(result, json!({"errors": [{"message": "No.", "extensions": {"code": "BAD_REQUEST"}}]}));
    }

    #[test]
    fn a_failed_field_leaves_data_that_is_null_and_has_a_code() {
        let error = ServerError::new("No.", None).with_path(vec![PathSegment::Field("me".to_owned())]);
        let outcome = Outcome::from(Response::from_errors(vec![error]));
        let result = serde_json::to_value(outcome.result()).unwrap();
        let error = json!({"message": "No.", "path": ["me"], "extensions": {"code": "BAD_REQUEST"}});
        assert_eq!(result, json!({"errors": [error], "data": null}));
    }

    #[test]
    fn a_result_without_errors_has_no_errors_entry() {
        let outcome = Outcome::from(Response::new(Value::from("fine")));
        assert_eq!(serde_json::to_value(outcome.result()).unwrap(), json!({"data": "fine"}));
    }
}

//! Authy's error answers: an HTTP status, a code that is always text, and a message that stands twice in the
//! body. What the codes mean is Authy's; which call gives which is decided in `authy`.

use axum::http::StatusCode;
use serde_json::{Map, Value, json};

/// An answer that says no.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Refusal {
    /// The HTTP status.
    pub(super) status: StatusCode,
    code: &'static str,
    message: String,
    fields: Vec<(&'static str, &'static str)>,
    token: Option<&'static str>,
    has_errors: bool,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), fields: Vec::new(), token: None, has_errors: true }
    }

    pub(super) fn invalid_api_key() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "60001", "Invalid API key")
    }

    pub(super) fn invalid_request() -> Self {
        Self::new(StatusCode::BAD_REQUEST, "60002", "Invalid request")
    }

    pub(super) fn invalid_parameter(name: &str, complaint: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "60004", format!("Invalid parameter: {name} - {complaint}"))
    }

    pub(super) fn user_not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "60026", "User not found.")
    }

    /// An answer to `verify`: its `token` says so too.
    pub(super) fn invalid_token(code: &'static str, message: &str) -> Self {
        let refusal = Self::new(StatusCode::UNAUTHORIZED, code, message);
        Self { token: Some("is invalid"), ..refusal }
    }

    /// `users/new` was given these wrong fields.
    pub(super) fn user_not_valid(message: &str, fields: Vec<(&'static str, &'static str)>) -> Self {
        Self { fields, ..Self::new(StatusCode::BAD_REQUEST, "60027", message) }
    }

    /// OneTouch does not know the uuid. Authy answers this one with empty `errors`.
    pub(super) fn approval_request_not_found(uuid: &str) -> Self {
        let message = format!("Approval request not found: {uuid}");
        Self { has_errors: false, ..Self::new(StatusCode::NOT_FOUND, "60049", message) }
    }

    /// The answer that a fault makes up for a status.
    pub(super) fn of_status(status: StatusCode) -> Self {
        match status {
            StatusCode::UNAUTHORIZED => Self::invalid_api_key(),
            StatusCode::NOT_FOUND => Self { status, ..Self::user_not_found() },
            StatusCode::TOO_MANY_REQUESTS => Self::too_many_tokens(),
            _ => Self::nameless(status),
        }
    }

    /// An answer that is about nobody in particular.
    pub(super) fn nameless(status: StatusCode) -> Self {
        Self::new(status, "60000", "An error occurred")
    }

    pub(super) fn too_many_tokens() -> Self {
        let message = "DoS protection: User has requested too many tokens in the last hour.";
        Self::new(StatusCode::TOO_MANY_REQUESTS, "60003", message)
    }

    /// The body: field errors stand in `errors` and at the top.
    pub(super) fn body(&self) -> Value {
        let mut errors = Map::new();
        if self.has_errors {
            errors.insert("message".to_owned(), json!(self.message));
        }
        errors.extend(self.fields.iter().map(|(field, complaint)| ((*field).to_owned(), json!(complaint))));
        let mut body = errors.clone();
        body.insert("message".to_owned(), json!(self.message));
        body.insert("error_code".to_owned(), json!(self.code));
        body.insert("success".to_owned(), json!(false));
        body.insert("errors".to_owned(), Value::Object(errors));
        if let Some(token) = self.token {
            body.insert("token".to_owned(), json!(token));
        }
        Value::Object(body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn field_errors_stand_in_errors_and_at_the_top() {
        let refusal = Refusal::user_not_valid("User was not valid", vec![("cellphone", "is invalid")]);
        let body = json!({
            "cellphone": "is invalid", "message": "User was not valid", "success": false,
            "error_code": "60027",
            "errors": {"cellphone": "is invalid", "message": "User was not valid"},
        });
        assert_eq!(refusal.body(), body);
    }

    #[test]
    fn an_unknown_approval_request_has_empty_errors() {
        let body = Refusal::approval_request_not_found("abc").body();
        let expected = json!({
            "message": "Approval request not found: abc", "success": false, "errors": {},
            "error_code": "60049",
        });
        assert_eq!(body, expected);
    }
}

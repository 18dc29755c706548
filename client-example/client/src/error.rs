//! What goes wrong between this client and the service. What the service itself refuses is data in each reply. No
//! text here repeats an answer's content: a value that does not fit the schema may well be a secret.

use std::{collections::HashMap, fmt};

use serde_json::Value;

/// Why a request brought no answer that can be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The service's address is not one.
    #[error("{0}")]
    Address(#[from] AddressError),
    /// The program installed no cryptography, which every HTTP client here is built with.
    #[error("no crypto provider: install one first, such as rustls::crypto::ring::default_provider()")]
    NoCryptoProvider,
    /// The request or its answer was lost on the way.
    #[error("the service cannot be reached")]
    Transport(#[source] reqwest::Error),
    /// No whole answer came in time. Whether the request had its effect is unknown.
    #[error("the service did not answer in time")]
    Timeout,
    /// An answer that is not GraphQL, with this HTTP status.
    #[error("the service answered with HTTP status {0}")]
    Status(u16),
    /// The request was wrong or not allowed, or the service has a fault.
    #[error("{}", Listed(.0))]
    Graphql(Vec<GraphqlError>),
    /// An answer that does not fit the schema.
    #[error("the service's answer does not fit the schema: {0}")]
    Malformed(Misfit),
    /// A session whose token is not told.
    #[error(transparent)]
    TokenWithheld(#[from] TokenWithheld),
}

/// The service keeps its sessions in cookies, for pages, and tells their tokens to nobody. The login was approved all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the service keeps its sessions in cookies: a program wants SESSION_TRANSPORT=bearer or both there")]
pub struct TokenWithheld;

impl ClientError {
    /// Whether nothing listens where the service should be.
    #[must_use]
    pub fn is_connect(&self) -> bool {
        matches!(self, Self::Transport(error) if error.is_connect())
    }
}

impl From<reqwest::Error> for ClientError {
    fn from(error: reqwest::Error) -> Self {
        // A connect that timed out is still a place where nothing answers.
        if error.is_timeout() && !error.is_connect() {
            return Self::Timeout;
        }
        Self::Transport(error.without_url())
    }
}

/// Why a text is not the address of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddressError {
    /// Not a URL.
    #[error("the address is not a URL such as http://127.0.0.1:3000")]
    NotAnAddress,
    /// Neither `http` nor `https`.
    #[error("the address must begin with http:// or https://")]
    Scheme,
    /// A user name or a password, which would end up in logs.
    #[error("the address must not hold a user name or a password")]
    Credentials,
}

/// What about an answer did not fit, and where; never what stood there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Misfit(Kind);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    At { line: usize, column: usize },
    NeitherDataNorErrors,
    TooLong,
}

impl Misfit {
    pub(crate) const NEITHER_DATA_NOR_ERRORS: Self = Self(Kind::NeitherDataNorErrors);
    pub(crate) const TOO_LONG: Self = Self(Kind::TooLong);
}

impl From<&serde_json::Error> for Misfit {
    fn from(error: &serde_json::Error) -> Self {
        Self(Kind::At { line: error.line(), column: error.column() })
    }
}

impl fmt::Display for Misfit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Kind::At { line, column } => write!(formatter, "line {line}, column {column}"),
            Kind::NeitherDataNorErrors => formatter.write_str("neither data nor errors"),
            Kind::TooLong => formatter.write_str("longer than any answer can be"),
        }
    }
}

/// One entry of an answer's `errors`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GraphqlError {
    /// What a person reads.
    pub message: String,
    /// `extensions.code`: what a program acts on.
    pub code: Option<String>,
    /// `extensions.requestId`: what to tell whoever runs the service.
    pub request_id: Option<String>,
}

impl GraphqlError {
    /// Whether the error has this code.
    #[must_use]
    pub fn has_code(&self, code: &str) -> bool {
        self.code.as_deref() == Some(code)
    }
}

impl From<graphql_client::Error> for GraphqlError {
    fn from(error: graphql_client::Error) -> Self {
        let extensions = error.extensions.unwrap_or_default();
        Self {
            message: error.message,
            code: text_of(&extensions, "code"),
            request_id: text_of(&extensions, "requestId"),
        }
    }
}

fn text_of(extensions: &HashMap<String, Value>, key: &str) -> Option<String> {
    extensions.get(key).and_then(Value::as_str).map(str::to_owned)
}

impl fmt::Display for GraphqlError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)?;
        if let Some(code) = &self.code {
            write!(formatter, " [{code}]")?;
        }
        if let Some(request_id) = &self.request_id {
            write!(formatter, " (request {request_id})")?;
        }
        Ok(())
    }
}

/// Several errors in one line.
pub(crate) struct Listed<'a, T>(pub(crate) &'a [T]);

impl<T: fmt::Display> fmt::Display for Listed<'_, T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(formatter, "{separator}{error}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from_json(json: &str) -> GraphqlError {
        serde_json::from_str::<graphql_client::Error>(json).unwrap().into()
    }

    #[test]
    fn code_and_request_id_are_read_from_the_extensions() {
        let error = from_json(r#"{"message":"a fault","extensions":{"code":"INTERNAL","requestId":"7f"}}"#);
        assert!(error.has_code("INTERNAL"));
        assert_eq!(error.to_string(), "a fault [INTERNAL] (request 7f)");
    }

    #[test]
    fn an_error_without_extensions_is_its_message() {
        let error = from_json(r#"{"message":"no such field"}"#);
        assert_eq!(error.to_string(), "no such field");
        assert!(!error.has_code("INTERNAL"));
    }

    #[test]
    fn a_misfit_does_not_repeat_what_it_read() {
        let error = serde_json::from_str::<u8>("\"planted\"").unwrap_err();
        assert!(error.to_string().contains("planted"));
        assert_eq!(
            ClientError::Malformed(Misfit::from(&error)).to_string(),
            "the service's answer does not fit the schema: line 1, column 9"
        );
    }
}

//! The span of a statement or a transaction, the wait for a connection included.
//!
//! It is called as the function that it stands in, and says nothing of what is asked. It is never entered: what is logged
//! meanwhile belongs to whoever asks.

use std::any::type_name_of_val;

use tracing::Span;

use super::Store;

/// Begins the span of what is done in the function around it.
macro_rules! begin {
    ($store:expr) => {{
        fn here() {}
        crate::storage::span::DatabaseSpan::new(tracing::debug_span!(
            "database",
            otel.name = crate::storage::span::function_of(&here),
            otel.kind = "client",
            db.system.name = $store.system(),
            db.operation.name = crate::storage::span::function_of(&here),
            otel.status_code = tracing::field::Empty,
        ))
    }};
}

pub(in crate::storage) use begin;

impl Store {
    /// What OpenTelemetry calls the database.
    pub(super) fn system(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "sqlite",
            Self::Postgres(_) => "postgresql",
        }
    }
}

/// A span that has failed unless it is said to have succeeded.
pub(in crate::storage) struct DatabaseSpan {
    span: Span,
    has_succeeded: bool,
}

impl DatabaseSpan {
    pub(in crate::storage) fn new(span: Span) -> Self {
        Self { span, has_succeeded: false }
    }

    pub(in crate::storage) fn succeed(mut self) {
        self.has_succeeded = true;
    }
}

impl Drop for DatabaseSpan {
    fn drop(&mut self) {
        if !self.has_succeeded {
            self.span.record("otel.status_code", "ERROR");
        }
    }
}

/// The name of the function in which another is.
pub(in crate::storage) fn function_of<Inner>(inner: &Inner) -> &'static str {
    let path = type_name_of_val(inner);
    path.rsplit("::").skip(1).find(|part| !part.starts_with('{')).unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::function_of;

    async fn start_approval() -> &'static str {
        fn here() {}
        let found = async { function_of(&here) };
        found.await
    }

    #[tokio::test]
    async fn a_function_is_known_by_what_is_in_it() {
        assert_eq!(start_approval().await, "start_approval");
    }
}

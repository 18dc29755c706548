//! One operation, from the parameters of a request to what can be executed.
//!
//! The same for POST, GET and sockets. The invariant: nothing reaches the schema before its document has been
//! parsed and measured, and before it is known whether it queries, changes or subscribes.

use async_graphql::{
    Request, ServerError, Variables,
    parser::types::{DocumentOperations, ExecutableDocument, OperationType},
};
use serde::Deserialize;

use super::{answer, document, settings::DocumentLimits};

/// The parameters of a request (GraphQL over HTTP, "Request Parameters"; `subscribe`'s payload).
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Parameters {
    pub(super) query: String,
    #[serde(default)]
    pub(super) operation_name: Option<String>,
    #[serde(default)]
    pub(super) variables: Option<Variables>,
    /// Must be a map where there are any; nothing here reads them.
    #[serde(default, rename = "extensions")]
    pub(super) _extensions: Option<serde_json::Map<String, serde_json::Value>>,
}

/// An operation that is ready to be executed.
pub(super) struct Operation {
    pub(super) kind: OperationType,
    pub(super) request: Request,
}

impl Operation {
    /// Parses and measures the document, and finds the operation that is meant.
    pub(super) fn prepare(parameters: Parameters, limits: &DocumentLimits) -> Result<Self, ServerError> {
        let document = document::parse(&parameters.query, limits)?;
        let kind = kind_of(&document, parameters.operation_name.as_deref())?;
        let mut request = Request::new(parameters.query).variables(parameters.variables.unwrap_or_default());
        request.operation_name = parameters.operation_name;
        request.set_parsed_query(document);
        Ok(Self { kind, request })
    }
}

/// The kind of the operation that `name` means (specification, section 6.1, `GetOperation`).
fn kind_of(document: &ExecutableDocument, name: Option<&str>) -> Result<OperationType, ServerError> {
    let operation = match (&document.operations, name) {
        (DocumentOperations::Single(operation), None) => Some(operation),
        (DocumentOperations::Single(_), Some(_)) => None,
        (DocumentOperations::Multiple(operations), Some(name)) => operations.get(name),
        (DocumentOperations::Multiple(operations), None) if operations.len() == 1 => {
            operations.values().next()
        }
        (DocumentOperations::Multiple(_), None) => {
            return Err(answer::error("BAD_REQUEST", "The document has several operations: name one."));
        }
    };
    operation
        .map(|operation| operation.node.ty)
        .ok_or_else(|| answer::error("BAD_REQUEST", "The document has no operation of that name."))
}

#[cfg(test)]
mod tests {
    use async_graphql::parser::types::OperationType::{Mutation, Query};
    use serde_json::json;

    use super::{Operation, Parameters};
    use crate::http::settings::DocumentLimits;

    fn prepare(parameters: serde_json::Value) -> Result<Operation, async_graphql::ServerError> {
        Operation::prepare(serde_json::from_value(parameters).unwrap(), &DocumentLimits::default())
    }

    #[test]
    fn the_named_operation_is_the_one_that_counts() {
        let query = "query a { x } mutation b { x }";
        assert_eq!(prepare(json!({"query": query, "operationName": "a"})).unwrap().kind, Query);
        assert_eq!(prepare(json!({"query": query, "operationName": "b"})).unwrap().kind, Mutation);
        assert_eq!(prepare(json!({"query": "mutation b { x }"})).unwrap().kind, Mutation);
    }

    #[test]
    fn an_operation_that_is_not_there_or_not_named_is_refused() {
        let query = "query a { x } mutation b { x }";
        assert!(prepare(json!({"query": query})).is_err());
        assert!(prepare(json!({"query": query, "operationName": "c"})).is_err());
        assert!(prepare(json!({"query": "{ x }", "operationName": "a"})).is_err());
    }

    #[test]
    fn parameters_of_the_wrong_type_are_refused() {
        for wrong in [
            json!({}),
            json!({"query": null}),
            json!({"query": ["{ x }"]}),
            json!({"query": "{ x }", "operationName": 1}),
            json!({"query": "{ x }", "variables": "x"}),
            json!({"query": "{ x }", "variables": ["x"]}),
            json!({"query": "{ x }", "extensions": false}),
            json!({"query": "{ x }", "extensions": ["x"]}),
        ] {
            assert!(serde_json::from_value::<Parameters>(wrong.clone()).is_err(), "{wrong}");
        }
        let nulls = json!({"query": "{ x }", "operationName": null, "variables": null, "extensions": null});
        assert!(serde_json::from_value::<Parameters>(nulls).is_ok());
    }
}

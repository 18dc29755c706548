//! One operation, from the parameters of a request to what can be executed.
//!
//! The same for POST, GET and sockets. The invariant: nothing reaches the schema before its document has been
//! parsed and measured, and before it is known whether it queries, changes or subscribes.

use std::sync::Arc;

use async_graphql::{
    Request, ServerError, Variables,
    parser::types::{DocumentOperations, ExecutableDocument, OperationDefinition, OperationType},
};
use serde::Deserialize;

use super::{
    answer, counted,
    document::{self, Document, Documents, Validation},
    settings::GraphqlSettings,
};

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
    /// What it is counted as.
    pub(super) counted_as: &'static str,
    document: Arc<Document>,
    name: Option<String>,
    variables: Variables,
    /// How many fields it asks for at its root.
    root_fields: usize,
}

/// An operation that may be executed again: no more of it than that takes.
pub(super) struct Repeatable {
    document: Arc<Document>,
    name: Option<Box<str>>,
    /// As JSON: the maps that it is read into are many times as large.
    variables: Box<[u8]>,
}

impl Operation {
    /// Parses and measures the document, and finds the operation that is meant.
    pub(super) fn prepare(
        parameters: Parameters,
        settings: &GraphqlSettings,
        documents: &Documents,
    ) -> Result<Self, ServerError> {
        let document = documents.parse(&parameters.query)?;
        let parsed = document.parsed();
        let operation = operation_of(parsed, parameters.operation_name.as_deref())?;
        let root_fields = document::root_fields(operation, &parsed.fragments);
        check_root_fields(&root_fields, settings)?;
        if document::asks_too_much(operation, &parsed.fragments) {
            let message = "Ask for the schema once, with at most two lists of fields or types in each other.";
            return Err(answer::error("BAD_REQUEST", message));
        }
        Ok(Self {
            kind: operation.ty,
            counted_as: counted::name_of(&root_fields, settings.root_fields),
            root_fields: root_fields.len(),
            name: parameters.operation_name,
            variables: parameters.variables.unwrap_or_default(),
            document,
        })
    }

    /// Whether it has to be validated.
    pub(super) fn validation(&self) -> Validation {
        self.document.clone().validation(self.name.as_deref(), &self.variables)
    }

    /// What the schema is given.
    pub(super) fn into_request(self) -> Request {
        request(self.document.parsed(), self.name, self.variables)
    }

    /// How much memory its execution takes, in bytes, estimated: a copy of its document, and its variables twice (a
    /// subscription keeps them as JSON as well).
    pub(super) fn bytes(&self) -> usize {
        let name = self.name.as_ref().map_or(0, String::len);
        self.document.bytes() + 2 * document::bytes_of_variables(&self.variables) + name
    }

    /// Its document, which operations with equal text share.
    pub(super) fn document(&self) -> &Arc<Document> {
        &self.document
    }

    /// What it takes to execute this again, if it is a subscription with one source. Several would each go on by themselves.
    pub(super) fn repeatable(&self) -> Option<Repeatable> {
        let is_repeatable = self.kind == OperationType::Subscription && self.root_fields == 1;
        let variables = is_repeatable.then(|| serde_json::to_vec(&self.variables).ok()).flatten()?;
        Some(Repeatable {
            document: self.document.clone(),
            name: self.name.as_deref().map(Box::from),
            variables: variables.into(),
        })
    }
}

impl Repeatable {
    /// What the schema is given.
    pub(super) fn request(&self) -> Request {
        // They were written from variables.
        let variables = serde_json::from_slice(&self.variables).unwrap_or_default();
        request(self.document.parsed(), self.name.as_deref().map(str::to_owned), variables)
    }
}

fn request(document: &ExecutableDocument, name: Option<String>, variables: Variables) -> Request {
    // The text is not needed where the document is there.
    let mut request = Request::new("").variables(variables);
    request.operation_name = name;
    request.set_parsed_query(document.clone());
    request
}

/// The operation that `name` means (specification, section 6.1, `GetOperation`).
fn operation_of<'a>(
    document: &'a ExecutableDocument,
    name: Option<&str>,
) -> Result<&'a OperationDefinition, ServerError> {
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
        .map(|operation| &operation.node)
        .ok_or_else(|| answer::error("BAD_REQUEST", "The document has no operation of that name."))
}

/// One request is one guess, however it is aliased or hidden in fragments, so that whatever limits requests limits guesses.
fn check_root_fields(fields: &[&str], settings: &GraphqlSettings) -> Result<(), ServerError> {
    let costly = fields.iter().filter(|field| settings.costly_fields.contains(field)).count();
    if costly > 1 {
        let message =
            format!("Ask for one of these in a document, once: {}.", settings.costly_fields.join(", "));
        return Err(answer::error("BAD_REQUEST", message));
    }
    if !settings.introspection && fields.iter().any(|field| ["__schema", "__type"].contains(field)) {
        let message = "This service does not tell its schema; `schema.graphql` in its repository does.";
        return Err(answer::error("INTROSPECTION_DISABLED", message));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use async_graphql::parser::types::OperationType::{Mutation, Query};
    use serde_json::json;

    use super::{Operation, Parameters};
    use crate::http::{
        document::{Documents, InputTypes},
        settings::GraphqlSettings,
    };

    fn prepare_with(
        settings: &GraphqlSettings,
        parameters: serde_json::Value,
    ) -> Result<Operation, async_graphql::ServerError> {
        let parameters = serde_json::from_value(parameters).unwrap();
        Operation::prepare(parameters, settings, &Documents::new(settings.document, InputTypes::default()))
    }

    fn prepare(parameters: serde_json::Value) -> Result<Operation, async_graphql::ServerError> {
        let settings = GraphqlSettings { costly_fields: &["costly", "dear"], ..GraphqlSettings::default() };
        prepare_with(&settings, parameters)
    }

    #[test]
    fn a_subscription_with_one_source_can_be_executed_again_and_nothing_else() {
        let is_repeatable = |query: &str| prepare(json!({"query": query})).unwrap().repeatable().is_some();
        assert!(is_repeatable("subscription { a }"));
        assert!(is_repeatable("subscription { ...b } fragment b on Subscription { c: a }"));
        for query in ["{ a }", "mutation { a }", "subscription { a b }", "subscription { a b: a }"] {
            assert!(!is_repeatable(query), "{query}");
        }
        let query = "subscription s($a: String) { a(b: $a) }";
        let parameters = json!({"query": query, "operationName": "s", "variables": {"a": "text"}});
        let repeated = prepare(parameters).unwrap().repeatable().unwrap().request();
        assert_eq!(repeated.operation_name.as_deref(), Some("s"));
        assert_eq!(serde_json::to_value(&repeated.variables).unwrap(), json!({"a": "text"}));
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

    fn refusal(query: &str) -> Option<String> {
        prepare(json!({"query": query})).err().map(|error| error.message)
    }

    #[test]
    fn of_all_costly_fields_an_operation_has_one_however_they_are_hidden() {
        let only_one = Some("Ask for one of these in a document, once: costly, dear.".to_owned());
        for query in [
            "mutation { costly cheap }",
            "mutation { ...a } fragment a on Mutation { a: costly cheap b: cheap }",
            "mutation { cheap { costly dear } }",
        ] {
            assert_eq!(refusal(query), None, "{query}");
        }
        for query in [
            "mutation { a: costly b: costly }",
            "mutation { costly costly }",
            "mutation { costly dear }",
            "mutation { costly @skip(if: true) dear }",
            "mutation { ...a ...a } fragment a on Mutation { costly }",
            "mutation { ...a } fragment a on Mutation { ...b ...b } fragment b on Mutation { costly }",
            "mutation { ... on Mutation { costly } ... { dear } }",
        ] {
            assert_eq!(refusal(query), only_one, "{query}");
        }
        // The one that is meant counts; another one beside it does not run.
        let query = "mutation a { costly } mutation b { costly }";
        assert!(prepare(json!({"query": query, "operationName": "a"})).is_ok());
    }

    #[test]
    fn the_schema_is_told_where_that_is_allowed() {
        let prepare = |introspection, query: &str| {
            let settings = GraphqlSettings { introspection, ..GraphqlSettings::default() };
            prepare_with(&settings, json!({"query": query}))
        };
        for query in [
            "{ __schema { types { name } } }",
            "{ x: __type(name: \"User\") { name } }",
            "{ ...a } fragment a on Query { __schema { types { name } } }",
        ] {
            assert!(prepare(true, query).is_ok());
            let refusal = prepare(false, query).err().unwrap();
            assert_eq!(refusal.extensions.unwrap().get("code"), Some(&"INTROSPECTION_DISABLED".into()));
        }
        assert!(prepare(false, "{ __typename }").is_ok());
    }

    #[test]
    fn the_schema_is_asked_for_once_and_not_in_circles() {
        let ask = |query: &str| {
            let settings = GraphqlSettings { introspection: true, ..GraphqlSettings::default() };
            prepare_with(&settings, json!({"query": query})).err().map(|error| error.message)
        };
        let nested =
            |levels: usize| format!("{}name{}", "fields { type { ".repeat(levels), "} }".repeat(levels));
        assert_eq!(ask(&format!("{{ __schema {{ types {{ {} }} }} }}", nested(2))), None);
        assert_eq!(ask("{ __schema { types { name } } __type(name: \"User\") { name } }"), None);
        for query in [
            format!("{{ __schema {{ types {{ {} }} }} }}", nested(3)),
            format!("{{ __type(name: \"User\") {{ ...a }} }} fragment a on __Type {{ {} }}", nested(3)),
            "{ a: __schema { types { name } } b: __schema { types { name } } }".to_owned(),
            "{ ...a ...a } fragment a on Query { __schema { types { name } } }".to_owned(),
        ] {
            assert!(ask(&query).unwrap().starts_with("Ask for the schema once"), "{query}");
        }
    }
}

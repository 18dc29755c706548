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
    admission::{Demand, Work},
    answer, counted,
    document::{self, Document, Documents, Validation},
    settings::GraphqlSettings,
};
use crate::graphql::{Cost, RateLimit, RootField};

/// The key of `extensions` under which clients send the hash of a document instead of the document.
const PERSISTED_QUERY: &str = "persistedQuery";

/// The parameters of a request (GraphQL over HTTP, "Request Parameters"; `subscribe`'s payload).
#[derive(Deserialize)]
#[serde(try_from = "SentParameters")]
pub(super) struct Parameters {
    query: SentQuery,
    operation_name: Option<String>,
    variables: Variables,
}

/// What stands for the document in a request.
enum SentQuery {
    Text(String),
    /// A hash alone: the client asks whether the service has stored the document before.
    Hash,
}

/// Parameters as they are written.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct SentParameters {
    pub(super) query: Option<String>,
    pub(super) operation_name: Option<String>,
    pub(super) variables: Option<Variables>,
    pub(super) extensions: Option<serde_json::Map<String, serde_json::Value>>,
}

/// Neither a document nor the hash of one.
#[derive(Debug, thiserror::Error)]
#[error("no query")]
pub(super) struct NoQuery;

impl TryFrom<SentParameters> for Parameters {
    type Error = NoQuery;

    fn try_from(sent: SentParameters) -> Result<Self, NoQuery> {
        let has_hash = sent.extensions.is_some_and(|extensions| extensions.contains_key(PERSISTED_QUERY));
        let query = match sent.query {
            Some(text) => SentQuery::Text(text),
            None if has_hash => SentQuery::Hash,
            None => return Err(NoQuery),
        };
        Ok(Self {
            query,
            // Some clients always send the key.
            operation_name: sent.operation_name.filter(|name| !name.is_empty()),
            variables: sent.variables.unwrap_or_default(),
        })
    }
}

/// An operation that is ready to be executed.
pub(super) struct Operation {
    pub(super) kind: OperationType,
    /// What it is counted as.
    pub(super) counted_as: &'static str,
    document: Arc<Document>,
    name: Option<String>,
    variables: Variables,
    validation: Validation,
    /// What it needs of its network.
    pub(super) demand: Demand,
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
    /// Parses and measures the document, finds the operation that is meant, and checks its variables.
    pub(super) fn prepare(
        parameters: Parameters,
        settings: &GraphqlSettings,
        documents: &Documents,
    ) -> Result<Self, ServerError> {
        let Parameters { query, operation_name: name, mut variables } = parameters;
        let SentQuery::Text(query) = query else { return Err(persisted_query_not_supported()) };
        let document = documents.parse(&query)?;
        let parsed = document.parsed();
        let operation = operation_of(parsed, name.as_deref())?;
        let root_fields = document::root_fields(operation, &parsed.fragments);
        check_root_fields(&root_fields, settings)?;
        if document::asks_too_much(operation, &parsed.fragments) {
            let message = "Ask for the schema once, with at most two lists of fields or types in each other.";
            return Err(answer::error("BAD_REQUEST", message));
        }
        Ok(Self {
            kind: operation.ty,
            counted_as: counted::name_of(&root_fields, settings.root_fields),
            demand: demand_of(&root_fields, settings.root_fields),
            root_fields: root_fields.len(),
            validation: document.clone().check_variables(name.as_deref(), &mut variables)?,
            name,
            variables,
            document,
        })
    }

    /// Whether it has to be validated.
    pub(super) fn validation(&self) -> Validation {
        self.validation.clone()
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

/// The message and the code are Apollo Server's: clients read one or the other, and send the document from then on.
fn persisted_query_not_supported() -> ServerError {
    answer::error("PERSISTED_QUERY_NOT_SUPPORTED", "PersistedQueryNotSupported")
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

/// The rows of the table for what stands at the root of an operation, each as often as it stands there.
fn known<'a>(
    fields: &'a [&str],
    table: &'static [RootField],
) -> impl Iterator<Item = &'static RootField> + 'a {
    fields.iter().filter_map(|field| table.iter().find(|row| row.name == *field))
}

/// What an operation needs of its network: of its fields, the most expensive one says it.
fn demand_of(fields: &[&str], table: &'static [RootField]) -> Demand {
    let work = |field: &RootField| match field.cost {
        Cost::Free => Work::Free,
        Cost::Statements => Work::Statements,
        Cost::Hash | Cost::Judgement | Cost::Message => Work::Costly,
    };
    Demand {
        is_limited: known(fields, table).any(|field| field.limit == RateLimit::Address),
        work: known(fields, table).map(work).max().unwrap_or_default(),
    }
}

/// One request is one guess, however it is aliased or hidden in fragments, so that whatever limits requests limits guesses;
/// and it runs the statements of a few fields.
fn check_root_fields(fields: &[&str], settings: &GraphqlSettings) -> Result<(), ServerError> {
    let table = settings.root_fields;
    if known(fields, table).filter(|field| field.is_exclusive()).count() > 1 {
        let names: Vec<_> =
            table.iter().filter(|field| field.is_exclusive()).map(|field| field.name).collect();
        let message = format!("Ask for one of these in a document, once: {}.", names.join(", "));
        return Err(answer::error("BAD_REQUEST", message));
    }
    let is_repeated =
        |row: &&RootField| row.is_once() && fields.iter().filter(|field| **field == row.name).count() > 1;
    if let Some(row) = table.iter().find(is_repeated) {
        let message = format!("Ask for `{}` once in a document.", row.name);
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
    use crate::{
        graphql::{Caller, Cost, RateLimit, RootField, TokenKind},
        http::admission::{Demand, Work},
    };

    const TABLE: &[RootField] = &[
        row("costly", Cost::Hash, TokenKind::None),
        row("dear", Cost::Message, TokenKind::Login),
        row("read", Cost::Statements, TokenKind::Login),
        row("cheap", Cost::Free, TokenKind::None),
    ];

    const fn row(name: &'static str, cost: Cost, token: TokenKind) -> RootField {
        RootField { name, caller: Caller::Anyone, cost, limit: RateLimit::Address, token }
    }

    fn prepare_with(
        settings: &GraphqlSettings,
        parameters: serde_json::Value,
    ) -> Result<Operation, async_graphql::ServerError> {
        let parameters = serde_json::from_value(parameters).unwrap();
        Operation::prepare(parameters, settings, &Documents::new(settings.document, InputTypes::default()))
    }

    fn prepare(parameters: serde_json::Value) -> Result<Operation, async_graphql::ServerError> {
        let settings = GraphqlSettings { root_fields: TABLE, ..GraphqlSettings::default() };
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
            json!({"extensions": {"persistedQuery": {}}, "variables": ["x"]}),
            json!({"extensions": {"other": {}}}),
        ] {
            assert!(serde_json::from_value::<Parameters>(wrong.clone()).is_err(), "{wrong}");
        }
        let nulls = json!({"query": "{ x }", "operationName": null, "variables": null, "extensions": null});
        assert!(serde_json::from_value::<Parameters>(nulls).is_ok());
    }

    #[test]
    fn a_hash_without_a_query_is_answered_as_clients_expect() {
        let persisted = json!({"version": 1, "sha256Hash": "ecf4edb46db40b5132295c0291d62fb65d6759a9eedfa4d5d612dd5ec54a6b38"});
        let refusal = prepare(json!({"extensions": {"persistedQuery": persisted}})).err().unwrap();
        assert_eq!(refusal.message, "PersistedQueryNotSupported");
        assert_eq!(refusal.extensions.unwrap().get("code"), Some(&"PERSISTED_QUERY_NOT_SUPPORTED".into()));
        assert!(prepare(json!({"query": "{ x }", "extensions": {"persistedQuery": persisted}})).is_ok());
    }

    #[test]
    fn an_empty_operation_name_is_none() {
        assert!(prepare(json!({"query": "{ x }", "operationName": ""})).is_ok());
        assert!(prepare(json!({"query": "query a { x }", "operationName": ""})).is_ok());
        assert!(prepare(json!({"query": "query a { x } query b { x }", "operationName": ""})).is_err());
    }

    #[test]
    fn undeclared_variables_are_dropped() {
        let query = "subscription a($a: String) { a(b: $a) } query b($c: String) { a(b: $c) }";
        let parameters =
            json!({"query": query, "operationName": "a", "variables": {"a": "x", "c": "y", "d": "z"}});
        let request = prepare(parameters).unwrap().into_request();
        assert_eq!(serde_json::to_value(&request.variables).unwrap(), json!({"a": "x"}));
    }

    #[test]
    fn variables_that_are_missing_or_of_another_type_are_refused_with_a_code() {
        let refusal = |variables: &str, values: serde_json::Value| {
            let query = format!("mutation({variables}) {{ x }}");
            let error = prepare(json!({"query": query, "variables": values})).err()?;
            let code = error.extensions.as_ref().and_then(|extensions| extensions.get("code"));
            assert_eq!((code, error.locations.len()), (Some(&"BAD_REQUEST".into()), 1), "{error:?}");
            Some(error.message)
        };
        for (variables, values, said) in [
            ("$a: String!", json!({}), "Variable $a: a value of type String! is missing."),
            ("$a: String!", json!({"a": null}), "Variable $a: null is not of type String!."),
            ("$a: String!, $b: Int", json!({"a": "", "b": "1"}), "Variable $b: a value is not of type Int."),
            ("$a: [Int!] = [1]", json!({"a": [null]}), "Variable $a[0]: null is not of type Int!."),
        ] {
            assert_eq!(refusal(variables, values).as_deref(), Some(said));
        }
        for (variables, values) in [
            ("$a: String", json!({})),
            ("$a: String! = \"b\"", json!({})),
            ("$a: String = \"b\"", json!({"a": null})),
            ("$a: String!", json!({"a": ""})),
        ] {
            assert_eq!(refusal(variables, values), None, "{variables}");
        }
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
    fn a_field_that_takes_a_token_stands_in_an_operation_once() {
        let once = Some("Ask for `read` once in a document.".to_owned());
        for query in ["{ read cheap a: cheap }", "{ read costly }", "{ cheap { read read } }"] {
            assert_eq!(refusal(query), None, "{query}");
        }
        let aliases = (0..50).map(|number| format!("a{number}: read ")).collect::<Vec<_>>().concat();
        for query in [
            format!("{{ {aliases} }}"),
            format!("subscription {{ {aliases} }}"),
            "{ read ...a } fragment a on Query { read }".to_owned(),
            "{ read read @include(if: false) }".to_owned(),
        ] {
            assert_eq!(refusal(&query), once, "{query}");
        }
    }

    #[test]
    fn an_operation_needs_what_its_most_expensive_field_needs() {
        for (query, is_limited, work) in [
            ("{ read }", true, Work::Statements),
            ("{ cheap }", true, Work::Free),
            ("{ read costly }", true, Work::Costly),
            ("{ unknown __typename }", false, Work::Free),
        ] {
            let demand = prepare(json!({"query": query})).unwrap().demand;
            assert_eq!(demand, Demand { is_limited, work }, "{query}");
        }
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

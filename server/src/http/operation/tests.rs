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
    let nested = |levels: usize| format!("{}name{}", "fields { type { ".repeat(levels), "} }".repeat(levels));
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

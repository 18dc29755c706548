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
    document::{self, Document, Documents},
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
        document.check_variables(name.as_deref(), &mut variables)?;
        Ok(Self {
            kind: operation.ty,
            counted_as: counted::name_of(&root_fields, settings.root_fields),
            demand: demand_of(&root_fields, settings.root_fields),
            root_fields: root_fields.len(),
            name,
            variables,
            document,
        })
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
mod tests;

//! Documents that were parsed and measured before. Clients send the same few again and again, and crowds wait with the same
//! one: it is parsed once, and all of them share it.
//!
//! A document that holds a text is not kept: what belongs into a variable stands in it, a password perhaps, and hardly
//! anybody sends it twice. What is kept is bounded by its length, whoever sends it.

use std::sync::Arc;

use async_graphql::{
    Name, Pos, Positioned, ServerError, Value, Variables,
    parser::types::{ExecutableDocument, OperationDefinition, Type},
};
use quick_cache::{Weighter, sync::Cache};

use super::{
    DocumentError,
    arguments::{self, Usage},
    in_use::{self, DocumentsInUse},
    inputs::{InputTypes, Mismatch},
    measure::measure,
    refusal, tokens, weight,
};
use crate::http::{answer, settings::DocumentLimits};

/// How many bytes of text are kept. Parsed, they take some ten times as much.
const KEPT_BYTES: u64 = 512 * 1024;
/// The longest document that is kept, in bytes.
const LONGEST_KEPT: usize = 16 * 1024;
/// About how many documents that is.
const KEPT_DOCUMENTS: usize = 512;

/// What is kept, and the limits that all of it is within.
pub struct Documents {
    limits: DocumentLimits,
    inputs: Arc<InputTypes>,
    kept: Cache<Box<str>, Arc<Document>, ByLength>,
    in_use: DocumentsInUse<Document>,
}

/// A document within the limits.
#[derive(Debug)]
pub(in crate::http) struct Document {
    parsed: ExecutableDocument,
    operations: Vec<KnownOperation>,
    inputs: Arc<InputTypes>,
    /// How much memory a copy of it takes, in bytes.
    bytes: usize,
}

/// What is known of an operation in it. Of the others, async-graphql looks only at what does not depend on variables.
#[derive(Debug)]
struct KnownOperation {
    name: Option<Name>,
    variables: Vec<DeclaredVariable>,
    usages: Vec<Usage>,
}

#[derive(Debug)]
struct DeclaredVariable {
    name: Name,
    expected: Type,
    has_default: bool,
    declared_at: Pos,
}

impl KnownOperation {
    fn new(name: Option<&Name>, operation: &OperationDefinition, usages: Vec<Usage>) -> Self {
        let declared = operation.variable_definitions.iter().map(|variable| DeclaredVariable {
            name: variable.node.name.node.clone(),
            expected: variable.node.var_type.node.clone(),
            has_default: variable.node.default_value.as_ref().is_some_and(|value| value.node != Value::Null),
            declared_at: variable.pos,
        });
        Self { name: name.cloned(), variables: declared.collect(), usages }
    }

    /// Checks that each variable may stand where it is used.
    fn check_usages(&self, values: &Variables) -> Result<(), ServerError> {
        for usage in &self.usages {
            // Of one that is not declared, validation says so.
            let declared = self.variables.iter().find(|variable| variable.name == usage.variable);
            let Some(declared) = declared else { continue };
            let is_null = values.get(&usage.variable) == Some(&Value::Null);
            if !usage.allows(&declared.expected, declared.has_default, is_null) {
                let (name, expected) = (&usage.variable, &usage.expected);
                let message = format!(
                    "Variable ${name} of type {} is used where {expected} is expected.",
                    declared.expected
                );
                let locations = vec![declared.declared_at, usage.used_at];
                return Err(ServerError { locations, ..answer::error("BAD_REQUEST", message) });
            }
        }
        Ok(())
    }
}

impl DeclaredVariable {
    /// Checks the value of this variable; `None`: none was sent.
    fn check(&self, value: Option<&Value>, inputs: &InputTypes) -> Result<(), Mismatch> {
        match value {
            Some(value) => inputs.check(value, &self.expected),
            None if self.has_default || self.expected.nullable => Ok(()),
            None => Err(Mismatch::new(format!("a value of type {} is missing", self.expected))),
        }
    }

    fn refuse(&self, mismatch: &Mismatch) -> ServerError {
        let Mismatch { place, problem } = mismatch;
        let error = answer::error("BAD_REQUEST", format!("Variable ${}{place}: {problem}.", self.name));
        ServerError { locations: vec![self.declared_at], ..error }
    }
}

impl Document {
    fn new(parsed: ExecutableDocument, inputs: Arc<InputTypes>) -> Result<Self, ServerError> {
        let known = |(name, operation): (Option<&Name>, &Positioned<OperationDefinition>)| {
            let usages = arguments::usages(&operation.node, &parsed.fragments, &inputs)?;
            Ok(KnownOperation::new(name, &operation.node, usages))
        };
        let operations = parsed.operations.iter().map(known).collect::<Result<_, ServerError>>()?;
        let bytes = weight::of_document(&parsed);
        Ok(Self { parsed, operations, inputs, bytes })
    }

    /// How much memory a copy of it takes, in bytes, estimated.
    pub(in crate::http) fn bytes(&self) -> usize {
        self.bytes
    }

    /// As it was parsed.
    pub(in crate::http) fn parsed(&self) -> &ExecutableDocument {
        &self.parsed
    }

    /// Checks the variables of an operation of this document, and drops those that it does not declare.
    pub(in crate::http) fn check_variables(
        &self,
        name: Option<&str>,
        values: &mut Variables,
    ) -> Result<(), ServerError> {
        let is_meant = |operation: &&KnownOperation| {
            self.operations.len() == 1 || (name.is_some() && name == operation.name.as_deref())
        };
        let Some(operation) = self.operations.iter().find(is_meant) else { return Ok(()) };
        let declared = &operation.variables;
        values.retain(|name, _| declared.iter().any(|variable| variable.name == *name));
        for variable in declared {
            let checked = variable.check(values.get(&variable.name), &self.inputs);
            checked.map_err(|mismatch| variable.refuse(&mismatch))?;
        }
        operation.check_usages(values)
    }
}

/// A document weighs what its text is long.
#[derive(Clone)]
struct ByLength;

impl Weighter<Box<str>, Arc<Document>> for ByLength {
    fn weight(&self, text: &Box<str>, _document: &Arc<Document>) -> u64 {
        u64::try_from(text.len()).unwrap_or(u64::MAX).max(1)
    }
}

impl Documents {
    /// Keeps none yet. They are for a schema with these inputs.
    #[must_use]
    pub fn new(limits: DocumentLimits, inputs: InputTypes) -> Self {
        Self {
            limits,
            inputs: Arc::new(inputs),
            kept: Cache::with_weighter(KEPT_DOCUMENTS, KEPT_BYTES, ByLength),
            in_use: DocumentsInUse::default(),
        }
    }

    /// Parses a document, unless it is kept or in use, and refuses one that is longer, nests deeper or expands to more than the limits
    /// allow.
    pub(in crate::http) fn parse(&self, text: &str) -> Result<Arc<Document>, ServerError> {
        if let Some(document) = self.kept.get(text) {
            return Ok(document);
        }
        let hash = in_use::hash(text);
        if let Some(document) = self.in_use.find(&hash) {
            return Ok(document);
        }
        let holds_text = tokens::count(text, &self.limits).map_err(refusal)?.holds_text;
        let document = async_graphql::parser::parse_query(text);
        let document = document.map_err(|error| refusal(DocumentError::from(error)))?;
        measure(&document, &self.limits).map_err(refusal)?;
        let document = Arc::new(Document::new(document, self.inputs.clone())?);
        self.in_use.insert(hash, &document);
        if !holds_text && text.len() <= LONGEST_KEPT {
            self.kept.insert(text.into(), document.clone());
        }
        Ok(document)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{Documents, InputTypes, KEPT_BYTES, LONGEST_KEPT};
    use crate::http::settings::DocumentLimits;

    fn is_kept(documents: &Documents, text: &str) -> bool {
        drop(documents.parse(text).unwrap());
        documents.kept.get(text).is_some()
    }

    #[test]
    fn a_document_is_parsed_once_for_all_who_send_it() {
        let documents = Documents::new(DocumentLimits::default(), InputTypes::default());
        assert!(is_kept(&documents, "query($a: String!) { a(b: $a, c: 1, d: true) { e } }"));
        let (one, other) = (documents.parse("{ a }").unwrap(), documents.parse("{ b }").unwrap());
        assert!(!Arc::ptr_eq(&one, &other));
    }

    #[test]
    fn a_document_with_a_text_in_it_is_not_kept_for_it_may_be_a_secret() {
        let documents = Documents::new(DocumentLimits::default(), InputTypes::default());
        for text in [
            "{ a(password: \"planted\") }",
            "{ a(b: [{c: \"\"\"planted\"\"\"}]) }",
            "query($a: String = \"planted\") { a(b: $a) }",
        ] {
            assert!(!is_kept(&documents, text), "{text}");
        }
    }

    #[test]
    fn documents_that_are_not_kept_are_shared_while_they_are_in_use() {
        let documents = Documents::new(DocumentLimits::default(), InputTypes::default());
        for text in ["{ a(b: \"text\") }".to_owned(), format!("{{ a }} {}", " ".repeat(LONGEST_KEPT))] {
            let used = documents.parse(&text).unwrap();
            assert!(Arc::ptr_eq(&used, &documents.parse(&text).unwrap()), "{text}");
            let gone = Arc::downgrade(&used);
            drop(used);
            assert_eq!(gone.strong_count(), 0, "{text}");
        }
        for number in 0..10_000 {
            documents.parse(&format!("{{ a(b: \"{number}\") }}")).unwrap();
        }
        assert!(documents.in_use.len() < 100, "{}", documents.in_use.len());
    }

    #[test]
    fn what_is_kept_is_bounded_and_what_is_refused_is_refused_again() {
        let documents = Documents::new(DocumentLimits::default(), InputTypes::default());
        assert!(!is_kept(&documents, &format!("{{ a }} {}", " ".repeat(LONGEST_KEPT))));
        for number in 0..5_000 {
            documents.parse(&format!("{{ a{number} }} {}", " ".repeat(1_000))).unwrap();
        }
        assert!(documents.kept.weight() <= KEPT_BYTES && documents.kept.weight() > KEPT_BYTES / 2);
        for _ in 0..2 {
            assert!(documents.parse("{ a ").is_err());
        }
    }
}

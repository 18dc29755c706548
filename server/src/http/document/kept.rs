//! Documents that were parsed and measured before. Clients send the same few again and again, and crowds wait with the same
//! one: it is parsed once, and all of them share it.
//!
//! A document that holds a text is not kept: what belongs into a variable stands in it, a password perhaps, and hardly
//! anybody sends it twice. What is kept is bounded by its length, whoever sends it.

use std::sync::Arc;

use async_graphql::{ServerError, parser::types::ExecutableDocument};
use quick_cache::{Weighter, sync::Cache};

use super::{DocumentError, measure::measure, refusal, tokens};
use crate::http::settings::DocumentLimits;

/// How many bytes of text are kept. Parsed, they take some ten times as much.
const KEPT_BYTES: u64 = 512 * 1024;
/// The longest document that is kept, in bytes.
const LONGEST_KEPT: usize = 16 * 1024;
/// About how many documents that is.
const KEPT_DOCUMENTS: usize = 512;

/// What is kept, and the limits that all of it is within.
pub struct Documents {
    limits: DocumentLimits,
    kept: Cache<Box<str>, Arc<ExecutableDocument>, ByLength>,
}

/// A document weighs what its text is long.
#[derive(Clone)]
struct ByLength;

impl Weighter<Box<str>, Arc<ExecutableDocument>> for ByLength {
    fn weight(&self, text: &Box<str>, _document: &Arc<ExecutableDocument>) -> u64 {
        u64::try_from(text.len()).unwrap_or(u64::MAX).max(1)
    }
}

impl Documents {
    /// Keeps none yet.
    #[must_use]
    pub fn new(limits: DocumentLimits) -> Self {
        Self { limits, kept: Cache::with_weighter(KEPT_DOCUMENTS, KEPT_BYTES, ByLength) }
    }

    /// Parses a document, unless it is kept, and refuses one that is longer, nests deeper or expands to more than the limits
    /// allow.
    pub(in crate::http) fn parse(&self, text: &str) -> Result<Arc<ExecutableDocument>, ServerError> {
        if let Some(document) = self.kept.get(text) {
            return Ok(document);
        }
        let holds_text = tokens::count(text, &self.limits).map_err(refusal)?.holds_text;
        let document = async_graphql::parser::parse_query(text);
        let document = document.map_err(|error| refusal(DocumentError::from(error)))?;
        measure(&document, &self.limits).map_err(refusal)?;
        let document = Arc::new(document);
        if !holds_text && text.len() <= LONGEST_KEPT {
            self.kept.insert(text.into(), document.clone());
        }
        Ok(document)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{Documents, KEPT_BYTES, LONGEST_KEPT};
    use crate::http::settings::DocumentLimits;

    fn is_kept(documents: &Documents, text: &str) -> bool {
        let parsed = || documents.parse(text).unwrap();
        Arc::ptr_eq(&parsed(), &parsed())
    }

    #[test]
    fn a_document_is_parsed_once_for_all_who_send_it() {
        let documents = Documents::new(DocumentLimits::default());
        assert!(is_kept(&documents, "query($a: String!) { a(b: $a, c: 1, d: true) { e } }"));
        let (one, other) = (documents.parse("{ a }").unwrap(), documents.parse("{ b }").unwrap());
        assert!(!Arc::ptr_eq(&one, &other));
    }

    #[test]
    fn a_document_with_a_text_in_it_is_not_kept_for_it_may_be_a_secret() {
        let documents = Documents::new(DocumentLimits::default());
        for text in [
            "{ a(password: \"planted\") }",
            "{ a(b: [{c: \"\"\"planted\"\"\"}]) }",
            "query($a: String = \"planted\") { a(b: $a) }",
        ] {
            assert!(!is_kept(&documents, text), "{text}");
        }
    }

    #[test]
    fn what_is_kept_is_bounded_and_what_is_refused_is_refused_again() {
        let documents = Documents::new(DocumentLimits::default());
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

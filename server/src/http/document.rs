//! Parsing a document, and measuring what it expands to before anything else looks at it.
//!
//! async-graphql walks every spread of every fragment while it checks depth and while it validates: a document
//! of 1.4 kB can cost seconds. Here each fragment is measured once. The invariant: a document that passes is
//! visited in at most `max_selections` steps and nests at most `max_depth` deep, so that recursion is safe.

use std::collections::HashMap;

use async_graphql::{
    Name, Pos, Positioned, ServerError,
    parser::{
        self, parse_query,
        types::{ExecutableDocument, FragmentDefinition, Selection, SelectionSet},
    },
};

use super::{answer, settings::DocumentLimits};

/// Parses a document and refuses one that expands to more than `limits` allow.
pub(super) fn parse(query: &str, limits: &DocumentLimits) -> Result<ExecutableDocument, ServerError> {
    let document = parse_query(query).map_err(|error| parse_error(&error))?;
    measure(&document, limits).map_err(|error| answer::error("BAD_REQUEST", error.to_string()))?;
    Ok(document)
}

/// The parser's own message repeats the whole line that it stumbled over; this one says where it stands.
fn parse_error(error: &parser::Error) -> ServerError {
    let message = match error {
        parser::Error::Syntax { .. } => "The document is not GraphQL: a syntax error.".to_owned(),
        parser::Error::RecursionLimitExceeded => DocumentError::TooDeep.to_string(),
        other => other.to_string(),
    };
    let locations: Vec<Pos> = error.positions().collect();
    ServerError { locations, ..answer::error("BAD_REQUEST", message) }
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
enum DocumentError {
    #[error("The document selects too much.")]
    TooMuch,
    #[error("The document is nested too deep.")]
    TooDeep,
    #[error("The document has a fragment that contains itself.")]
    Cycle,
}

fn measure(document: &ExecutableDocument, limits: &DocumentLimits) -> Result<(), DocumentError> {
    let mut measuring = Measuring { fragments: &document.fragments, limits, measured: HashMap::new() };
    let mut selections = 0;
    // Validation visits every operation, and every fragment by itself, used or not.
    for (_, operation) in document.operations.iter() {
        selections += measuring.selections_of(&operation.node.selection_set.node, 0)?.selections;
    }
    for name in document.fragments.keys() {
        selections += measuring.fragment(name, 0)?.selections;
    }
    if selections > limits.max_selections { Err(DocumentError::TooMuch) } else { Ok(()) }
}

/// What a set of selections expands to.
#[derive(Clone, Copy, Default)]
struct Measure {
    selections: usize,
    depth: usize,
}

struct Measuring<'a> {
    fragments: &'a HashMap<Name, Positioned<FragmentDefinition>>,
    limits: &'a DocumentLimits,
    /// `None` while a fragment is being measured: meeting it again is a cycle.
    measured: HashMap<&'a Name, Option<Measure>>,
}

impl<'a> Measuring<'a> {
    /// `level` is how deep `set` stands; no set past `max_depth` is entered, which bounds the recursion.
    fn selections_of(&mut self, set: &'a SelectionSet, level: usize) -> Result<Measure, DocumentError> {
        let mut whole = Measure::default();
        if set.items.is_empty() {
            return Ok(whole);
        }
        if level >= self.limits.max_depth {
            return Err(DocumentError::TooDeep);
        }
        for selection in &set.items {
            let inner = match &selection.node {
                Selection::Field(field) => self.selections_of(&field.node.selection_set.node, level + 1)?,
                Selection::InlineFragment(fragment) => {
                    self.selections_of(&fragment.node.selection_set.node, level + 1)?
                }
                Selection::FragmentSpread(spread) => {
                    self.fragment(&spread.node.fragment_name.node, level + 1)?
                }
            };
            whole.depth = whole.depth.max(inner.depth + 1);
            whole.selections += inner.selections + 1;
            if whole.selections > self.limits.max_selections {
                return Err(DocumentError::TooMuch);
            }
        }
        Ok(whole)
    }

    fn fragment(&mut self, name: &'a Name, level: usize) -> Result<Measure, DocumentError> {
        match self.measured.get(name) {
            Some(Some(measure)) if level + measure.depth > self.limits.max_depth => {
                Err(DocumentError::TooDeep)
            }
            Some(Some(measure)) => Ok(*measure),
            Some(None) => Err(DocumentError::Cycle),
            None => {
                let Some(fragment) = self.fragments.get(name) else {
                    // A spread of a fragment that is not there: validation names it.
                    return Ok(Measure::default());
                };
                self.measured.insert(name, None);
                let measure = self.selections_of(&fragment.node.selection_set.node, level)?;
                self.measured.insert(name, Some(measure));
                Ok(measure)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::parse;
    use crate::http::settings::DocumentLimits;

    const LIMITS: DocumentLimits = DocumentLimits { max_selections: 100, max_depth: 8 };

    fn refusal(query: &str) -> String {
        parse(query, &LIMITS).unwrap_err().message
    }

    /// `levels` fragments, each spreading the next one `width` times.
    fn bomb(levels: usize, width: usize) -> String {
        let mut document = String::from("{ ...f0 }");
        for level in 0..levels {
            let spreads = format!("...f{} ", level + 1).repeat(width);
            write!(document, " fragment f{level} on Query {{ {spreads} }}").unwrap();
        }
        write!(document, " fragment f{levels} on Query {{ x }}").unwrap();
        document
    }

    #[test]
    fn a_fragment_bomb_is_refused_by_what_it_expands_to() {
        assert!(bomb(4, 50).len() < 2_000);
        assert_eq!(refusal(&bomb(4, 50)), "The document selects too much.");
        assert!(parse(&bomb(3, 2), &LIMITS).is_ok());
    }

    #[test]
    fn fragments_that_contain_themselves_are_refused() {
        let cycle = "{ ...a } fragment a on Query { ...b } fragment b on Query { ...a }";
        assert_eq!(refusal(cycle), "The document has a fragment that contains itself.");
        let unused = "{ x } fragment a on Query { ...a }";
        assert_eq!(refusal(unused), "The document has a fragment that contains itself.");
    }

    #[test]
    fn nesting_is_bounded_through_fragments_in_whatever_order_they_are_measured() {
        let nested = |depth: usize| format!("{}x{}", "{ a ".repeat(depth - 1) + "{ ", " }".repeat(depth));
        assert!(parse(&nested(8), &LIMITS).is_ok());
        assert_eq!(refusal(&nested(9)), "The document is nested too deep.");
        assert_eq!(refusal(&nested(60)), "The document is nested too deep.");
        assert_eq!(refusal(&bomb(3_000, 1)), "The document is nested too deep.");
        let late = "{ ...f a { a { a { a { a { a { ...f } } } } } } } fragment f on Query { a { a { x } } }";
        assert_eq!(refusal(late), "The document is nested too deep.");
    }

    #[test]
    fn many_operations_and_unused_fragments_count_together() {
        let operations =
            (0..60).map(|index| format!("query q{index} {{ x y }} ")).collect::<Vec<_>>().concat();
        assert_eq!(refusal(&operations), "The document selects too much.");
        let fragments = (0..60)
            .map(|index| format!("fragment f{index} on Query {{ x y }} "))
            .collect::<Vec<_>>()
            .concat();
        assert_eq!(refusal(&format!("{{ x }} {fragments}")), "The document selects too much.");
    }

    #[test]
    fn a_syntax_error_says_where_and_repeats_nothing() {
        let error = parse("{\n  planted-secret ", &LIMITS).unwrap_err();
        assert!(!error.message.contains("planted"), "{}", error.message);
        assert_eq!(error.locations[0].line, 2);
    }

    #[test]
    fn a_spread_of_an_unknown_fragment_is_left_to_validation() {
        assert!(parse("{ ...nowhere }", &LIMITS).is_ok());
    }
}

//! Parsing a document, and refusing what would cost much before anything else looks at it.
//!
//! async-graphql walks every spread of every fragment while it checks depth and while it validates: a document
//! of 1.4 kB can cost seconds. Here each fragment is measured once. The invariant: a document that passes is
//! visited in at most `max_selections` steps and nests at most `max_depth` deep, so that recursion is safe.

mod arguments;
mod in_use;
mod inputs;
mod introspection;
mod kept;
mod measure;
mod root_fields;
mod tokens;
mod weight;

use async_graphql::{Name, Pos, ServerError, parser};

pub use self::{inputs::InputTypes, kept::Documents};
pub(super) use self::{
    introspection::asks_too_much, kept::Document, root_fields::root_fields,
    weight::of_variables as bytes_of_variables,
};
use super::answer;

fn refusal_of_argument(name: &Name, at: Pos, mismatch: &inputs::Mismatch) -> ServerError {
    let inputs::Mismatch { place, problem } = mismatch;
    let error = answer::error("BAD_REQUEST", format!("Argument {name}{place}: {problem}."));
    ServerError { locations: vec![at], ..error }
}

fn refusal(error: DocumentError) -> ServerError {
    let refusal = answer::error("BAD_REQUEST", error.to_string());
    let DocumentError::Syntax(locations) = error else { return refusal };
    ServerError { locations, ..refusal }
}

/// Why a document is not looked at any further.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
enum DocumentError {
    #[error("The document is not GraphQL: a syntax error.")]
    Syntax(Vec<Pos>),
    #[error("{0}")]
    Wrong(String),
    #[error("The document is too long.")]
    TooLong,
    #[error("The document selects too much.")]
    TooMuch,
    #[error("The document is nested too deep.")]
    TooDeep,
    #[error("The document has too many aliases.")]
    TooManyAliases,
    #[error("The document has too many directives.")]
    TooManyDirectives,
    #[error("The document has a fragment that contains itself.")]
    Cycle,
}

impl From<parser::Error> for DocumentError {
    /// The parser's own message repeats the whole line that it stumbled over; this one says where it stands.
    fn from(error: parser::Error) -> Self {
        match error {
            parser::Error::Syntax { .. } => Self::Syntax(error.positions().collect()),
            parser::Error::RecursionLimitExceeded => Self::TooDeep,
            other => Self::Wrong(other.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use std::sync::Arc;

    use async_graphql::ServerError;

    use super::{Document, Documents, InputTypes};
    use crate::http::settings::DocumentLimits;

    const LIMITS: DocumentLimits = DocumentLimits {
        max_tokens: 30_000,
        max_nesting: 64,
        max_selections: 100,
        max_depth: 8,
        max_aliases: 10,
        max_directives: 10,
    };

    fn parse(query: &str, limits: &DocumentLimits) -> Result<Arc<Document>, ServerError> {
        Documents::new(*limits, InputTypes::default()).parse(query)
    }

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
        assert_eq!(refusal(&nested(5_000)), "The document is nested too deep.");
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

    #[test]
    fn values_and_types_that_nest_without_end_do_not_reach_the_parser() {
        let nested = |open: &str, close: &str| format!("{}1{}", open.repeat(3_000), close.repeat(3_000));
        for value in [nested("{a:", "}"), nested("[", "]"), "[".repeat(6_000), "{a:[".repeat(3_000)] {
            assert_eq!(refusal(&format!("{{ a(b: {value}) }}")), "The document is nested too deep.");
            assert_eq!(
                refusal(&format!("query($a: A = {value}) {{ a }}")),
                "The document is nested too deep."
            );
        }
        let nested = format!("query($a: {}A{}) {{ a }}", "[".repeat(3_000), "]".repeat(3_000));
        assert_eq!(refusal(&nested), "The document is nested too deep.");
        // What stands in a text or a comment opens nothing.
        let text = "[{(".repeat(100);
        assert!(parse(&format!("{{ a(b: \"{text}\", c: \"\"\"{text}\"\"\") # {text}\n }}"), &LIMITS).is_ok());
    }

    #[test]
    fn a_document_of_too_many_tokens_is_refused_however_short_they_are() {
        let arguments = |count: usize| format!("{{ a({}) }}", "b:1 ".repeat(count));
        assert!(parse(&arguments(9_000), &LIMITS).is_ok());
        assert_eq!(refusal(&arguments(11_000)), "The document is too long.");
    }

    #[test]
    fn aliases_and_directives_are_counted_as_often_as_they_would_be_visited() {
        let aliases =
            |count: usize| (0..count).map(|number| format!("a{number}: x ")).collect::<Vec<_>>().concat();
        assert!(parse(&format!("{{ {} }}", aliases(10)), &LIMITS).is_ok());
        assert_eq!(refusal(&format!("{{ {} }}", aliases(11))), "The document has too many aliases.");
        let spread = format!("{{ ...f ...f }} fragment f on Query {{ {} }}", aliases(4));
        assert_eq!(refusal(&spread), "The document has too many aliases.");
        let directives = "@skip(if: false) ".repeat(11);
        for document in [
            format!("query {directives} {{ x }}"),
            format!("query($a: Int {directives}) {{ x }}"),
            format!("{{ x {directives} }}"),
            format!("{{ ... {directives} {{ x }} }}"),
            format!("{{ ...f {directives} }} fragment f on Query {{ x }}"),
            format!("{{ ...f }} fragment f on Query {directives} {{ x }}"),
            "{ ...f ...f } fragment f on Query { x @a @b @c @d @e @f }".to_owned(),
        ] {
            assert_eq!(refusal(&document), "The document has too many directives.", "{document}");
        }
    }

    #[test]
    fn what_is_no_token_is_a_syntax_error_in_its_place() {
        let error = parse("{\n  \u{e4} x }", &LIMITS).unwrap_err();
        assert_eq!(error.message, "The document is not GraphQL: a syntax error.");
        assert_eq!((error.locations[0].line, error.locations[0].column), (2, 3));
    }
}

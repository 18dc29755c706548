//! Counting a document's tokens and brackets before it is parsed.
//!
//! The parser recurses into whatever nests, and nothing but its stack bounds the values of arguments: six kilobytes of
//! `{a:{a:…` would end the process. The invariant: what is parsed has at most so many tokens, and nests at most so deep.

use apollo_parser::{Lexer, TokenKind};
use async_graphql::Pos;

use super::DocumentError;
use crate::http::settings::DocumentLimits;

/// What was seen of a document that is within its limits.
pub(super) struct Seen {
    /// Whether a text stands in it, which might be a secret.
    pub(super) holds_text: bool,
}

/// Counts only as far as the limits go. Text that has no tokens is refused here, so that this lexer and the parser never
/// disagree about what they look at.
pub(super) fn count(query: &str, limits: &DocumentLimits) -> Result<Seen, DocumentError> {
    let (mut tokens, mut nesting, mut holds_text) = (0, 0_usize, false);
    for token in Lexer::new(query) {
        let token = token.map_err(|error| DocumentError::Syntax(vec![position(query, error.index())]))?;
        match token.kind() {
            TokenKind::Whitespace | TokenKind::Comma | TokenKind::Comment => continue,
            TokenKind::LCurly | TokenKind::LBracket | TokenKind::LParen => nesting += 1,
            TokenKind::RCurly | TokenKind::RBracket | TokenKind::RParen => {
                nesting = nesting.saturating_sub(1);
            }
            TokenKind::StringValue => holds_text = true,
            _ => {}
        }
        tokens += 1;
        if tokens > limits.max_tokens {
            return Err(DocumentError::TooLong);
        }
        if nesting > limits.max_nesting {
            return Err(DocumentError::TooDeep);
        }
    }
    Ok(Seen { holds_text })
}

/// Lines and columns count from one, a column being a character (specification, section 7.1.6).
fn position(query: &str, index: usize) -> Pos {
    let before = &query[..query.floor_char_boundary(index)];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    Pos { line: before.matches('\n').count() + 1, column: before[line_start..].chars().count() + 1 }
}

//! A person's name as they write it, made fit to be shown beside other people's.
//!
//! Not an identifier, and split into no parts. The invariant: it is one line that shows what it contains.

use std::fmt;

use unicode_normalization::UnicodeNormalization;

use super::text::one_line;

const MAX_CODE_POINTS: usize = 100;
/// Normalising costs time that grows with the input; nothing longer than this can shrink to a name.
const MAX_INPUT_BYTES: usize = 4_096;

/// A name: trimmed, NFC, one blank between its words, 1 to 100 code points.
#[derive(Clone, PartialEq, Eq)]
pub struct FullName(String);

/// Text that is no name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidFullName {
    /// Nothing but blanks and marks.
    #[error("the name is empty")]
    Empty,
    /// More than 100 code points.
    #[error("the name has more than {MAX_CODE_POINTS} characters")]
    TooLong,
}

impl FullName {
    /// Reads a name as a person typed or pasted it. What is not shown of it is dropped, and what is shown as a blank
    /// becomes one.
    pub fn parse(text: &str) -> Result<Self, InvalidFullName> {
        let text = text.trim();
        if text.len() > MAX_INPUT_BYTES {
            return Err(InvalidFullName::TooLong);
        }
        let name = one_line(text).nfc().collect::<String>();
        if !name.chars().any(char::is_alphanumeric) {
            return Err(InvalidFullName::Empty);
        }
        if name.chars().count() > MAX_CODE_POINTS {
            return Err(InvalidFullName::TooLong);
        }
        Ok(Self(name))
    }

    /// Takes a name back from the database, where only parsed ones are written.
    #[must_use]
    pub const fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for FullName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("FullName(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_trimmed_and_its_blanks_collapsed() {
        assert_eq!(FullName::parse("  Ada \u{a0}  King  ").unwrap().as_str(), "Ada King");
    }

    #[test]
    fn a_name_is_nfc() {
        assert_eq!(FullName::parse("Zoe\u{308}").unwrap().as_str(), "Zo\u{eb}");
    }

    #[test]
    fn names_of_all_scripts_are_accepted() {
        for text in [
            "O'Hara-Smith, Jr.",
            "山田 太郎",
            "محمد",
            "علی\u{200c}رضا",
            "क्\u{200d}ष",
            "葛\u{e0100}城",
            "X Æ A-12",
        ] {
            assert!(FullName::parse(text).is_ok(), "{text:?}");
        }
    }

    #[test]
    fn an_empty_name_is_refused() {
        for text in ["", "   ", "\n\t", "--", "\u{301}", "\u{200d}", "\u{3164}", "\u{202e}"] {
            assert_eq!(FullName::parse(text), Err(InvalidFullName::Empty), "{text:?}");
        }
    }

    #[test]
    fn what_is_not_shown_is_dropped() {
        for text in [
            "Ada\tKing",
            "Ada\nKing",
            "Ada\r\n King",
            "Ada\u{85}King",
            "Ada\u{2028}King",
            "Ada\u{3164}King",
            "Ada \u{2800}King",
            "\u{200e}Ada King\u{200f}",
            "Ada\u{202e} King\u{202c}",
            "\u{2066}Ada\u{2069} King",
            "A\u{200b}da King",
            "\u{feff}Ada King",
            "A\u{ad}da King",
            "Ada King\u{e0041}",
            "A\u{0}da King\u{7f}",
        ] {
            let name = FullName::parse(text).map(|name| name.as_str().to_owned());
            assert_eq!(name.as_deref(), Ok("Ada King"), "{}", text.escape_unicode());
        }
    }

    #[test]
    fn a_name_has_at_most_a_hundred_code_points() {
        assert!(FullName::parse(&"é".repeat(100)).is_ok());
        assert!(FullName::parse(&"e\u{301}".repeat(100)).is_ok());
        assert_eq!(FullName::parse(&"é".repeat(101)), Err(InvalidFullName::TooLong));
        assert_eq!(FullName::parse(&"x".repeat(1 << 20)), Err(InvalidFullName::TooLong));
    }

    #[test]
    fn debug_does_not_show_the_name() {
        assert_eq!(format!("{:?}", FullName::parse("Ada").unwrap()), "FullName(…)");
    }
}

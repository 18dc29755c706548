//! A person's name as they write it, made fit to be shown beside other people's.
//!
//! Not an identifier, and split into no parts. The invariant: it is one line that shows what it contains.

use std::fmt;

use unicode_normalization::UnicodeNormalization;

use super::text::is_deceptive;

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
    /// Control characters, or characters that reorder or hide what stands beside them.
    #[error("the name has characters that cannot be shown")]
    Unshowable,
}

impl FullName {
    /// Reads a name as a person typed it.
    ///
    /// Refused are control characters, bidirectional controls, zero-width and tag characters and the fillers that
    /// look like a blank; the unseen characters that Persian, Indic or Japanese names are
    /// spelled with are kept.
    pub fn parse(text: &str) -> Result<Self, InvalidFullName> {
        let text = text.trim();
        if text.len() > MAX_INPUT_BYTES {
            return Err(InvalidFullName::TooLong);
        }
        // Before the blanks are collapsed, for a line break is both a blank and a control character.
        if text.chars().any(|character| character.is_control() || is_deceptive(character)) {
            return Err(InvalidFullName::Unshowable);
        }
        let name = text.split_whitespace().collect::<Vec<_>>().join(" ").nfc().collect::<String>();
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
        for text in ["", "   ", "\n\t", "--", "\u{301}", "\u{200d}"] {
            assert_eq!(FullName::parse(text), Err(InvalidFullName::Empty), "{text:?}");
        }
    }

    #[test]
    fn what_spoofs_is_refused() {
        for text in [
            "a\u{0}b",
            "a\nb",
            "a\tb",
            "a\u{7f}",
            "a\u{85}b",
            "a\u{202e}b",
            "a\u{2066}b",
            "a\u{200b}b",
            "a\u{200f}b",
            "a\u{feff}b",
            "\u{3164}",
            "a\u{2028}b",
            "a\u{ad}b",
            "a\u{e0041}",
        ] {
            assert_eq!(FullName::parse(text), Err(InvalidFullName::Unshowable), "{text:?}");
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

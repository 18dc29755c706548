//! A code that a person types: from a text message, a call or the app.
//!
//! Not whether it is right; only the provider knows. The invariant: it is 6 to 8 ASCII digits, so that it can stand in
//! the provider's path without being escaped.

use std::fmt;

use zeroize::Zeroizing;

const MAX_INPUT_BYTES: usize = 64;

/// A code: 6 to 8 ASCII digits. Wiped from memory when dropped.
pub struct Code(Zeroizing<String>);

/// Text that is no code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a code has 6 to 8 digits")]
pub struct InvalidCode;

impl Code {
    /// Reads a code as a person typed it; blanks and hyphens are dropped, since the app shows `123 4567`.
    pub fn parse(text: &str) -> Result<Self, InvalidCode> {
        if text.len() > MAX_INPUT_BYTES {
            return Err(InvalidCode);
        }
        // The whole capacity at once: a string that grows would leave its digits behind in memory.
        let mut digits = Zeroizing::new(String::with_capacity(text.len()));
        for character in
            text.chars().filter(|character| !(character.is_ascii_whitespace() || *character == '-'))
        {
            if !character.is_ascii_digit() {
                return Err(InvalidCode);
            }
            digits.push(character);
        }
        if (6..=8).contains(&digits.len()) { Ok(Self(digits)) } else { Err(InvalidCode) }
    }

    /// The digits.
    #[must_use]
    pub fn digits(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Code(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn six_to_eight_digits_are_a_code() {
        for text in ["123456", "1234567", "12345678", "0000000"] {
            assert_eq!(Code::parse(text).unwrap().digits(), text);
        }
    }

    #[test]
    fn blanks_and_hyphens_are_dropped() {
        assert_eq!(Code::parse(" 123 45-67\t\r\n").unwrap().digits(), "1234567");
    }

    #[test]
    fn everything_else_is_refused() {
        for text in [
            "",
            "12345",
            "123456789",
            "../sms",
            "0000000?x",
            "1234567/9?",
            "123456a",
            "+1234567",
            "1234.567",
            "%31234567",
            "\u{ff11}\u{ff12}\u{ff13}\u{ff14}\u{ff15}\u{ff16}\u{ff17}",
            "\u{661}\u{662}\u{663}\u{664}\u{665}\u{666}",
            "123\u{a0}4567",
            "123\u{2011}4567",
            "123456\u{0}",
        ] {
            assert_eq!(Code::parse(text).unwrap_err(), InvalidCode, "{text:?}");
        }
    }

    #[test]
    fn long_input_is_refused_even_if_it_would_shrink_to_a_code() {
        assert!(Code::parse(&format!("{}1234567", " ".repeat(57))).is_ok());
        assert!(Code::parse(&format!("{}1234567", " ".repeat(58))).is_err());
        assert!(Code::parse(&"1".repeat(4_096)).is_err());
    }

    #[test]
    fn debug_does_not_show_the_digits() {
        assert_eq!(format!("{:?}", Code::parse("1234567").unwrap()), "Code(…)");
    }
}

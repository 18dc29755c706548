//! A code that a person types or pastes: from a text message, a call or the app.
//!
//! Not whether it is right; only the provider knows. The invariant: it is 6 to 8 ASCII digits, so that it can stand in
//! the provider's path without being escaped.

use std::{fmt, ops::RangeInclusive};

use unicode_properties::{GeneralCategory, GeneralCategoryGroup, UnicodeGeneralCategory};
use zeroize::Zeroizing;

use super::text::plain;

/// The longest text message is shorter.
const MAX_INPUT_BYTES: usize = 640;
const DIGITS: RangeInclusive<usize> = 6..=8;

/// A code: 6 to 8 ASCII digits. Wiped from memory when dropped.
pub struct Code(Zeroizing<String>);

/// Text that holds no code, or several different ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a code has 6 to 8 digits")]
pub struct InvalidCode;

impl Code {
    /// Reads a code as a person typed it, or the message that it came in ("Your code is 123 4567.").
    ///
    /// Blanks and dashes between digits are dropped, since the app shows `123 4567`; digits of every script are read. In
    /// a message the code must be the only number of 6 to 8 digits, written as one group or two.
    pub fn parse(text: &str) -> Result<Self, InvalidCode> {
        if text.len() > MAX_INPUT_BYTES {
            return Err(InvalidCode);
        }
        // The whole capacity at once: a string that grows would leave its digits behind in memory.
        let mut cleaned = Zeroizing::new(String::with_capacity(text.len()));
        cleaned.extend(plain(text));
        let is_bare = cleaned.chars().all(|character| character.is_ascii_digit() || is_joint(character));
        let digits = if is_bare { digits_of(&cleaned) } else { only_code_in(&cleaned)? };
        if DIGITS.contains(&digits.len()) { Ok(Self(digits)) } else { Err(InvalidCode) }
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

/// Whether a character may stand between the digits of a code.
const fn is_joint(character: char) -> bool {
    character.is_ascii_whitespace() || character == '-'
}

fn digits_of(text: &str) -> Zeroizing<String> {
    let mut digits = Zeroizing::new(String::with_capacity(text.len()));
    digits.extend(text.chars().filter(char::is_ascii_digit));
    digits
}

/// Returns the digits of the one code in a message; the same code may stand there twice.
fn only_code_in(message: &str) -> Result<Zeroizing<String>, InvalidCode> {
    let mut found: Option<Zeroizing<String>> = None;
    let mut rest = 0;
    while let Some(start) = message[rest..].find(|character: char| character.is_ascii_digit()) {
        let start = rest + start;
        let number = number_at(&message[start..]);
        rest = start + number.len();
        if is_written_as_code(number) && stands_alone(&message[..start], &message[rest..]) {
            let digits = digits_of(number);
            match &found {
                Some(earlier) if **earlier != *digits => return Err(InvalidCode),
                _ => found = Some(digits),
            }
        }
    }
    found.ok_or(InvalidCode)
}

/// Returns the number that a text begins with: digits, and single blanks or dashes between them.
fn number_at(text: &str) -> &str {
    let bytes = text.as_bytes();
    let is_digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    let is_single_joint = |at: usize| matches!(bytes.get(at), Some(b' ' | b'-')) && is_digit(at + 1);
    let mut end = 0;
    while is_digit(end) || (end > 0 && is_single_joint(end)) {
        end += 1;
    }
    &text[..end]
}

/// Whether a number is one group of 6 to 8 digits, or two groups of three or four: dates and phone numbers have more.
fn is_written_as_code(number: &str) -> bool {
    let groups: Vec<usize> = number.split([' ', '-']).map(str::len).collect();
    match groups[..] {
        [whole] => DIGITS.contains(&whole),
        [first, second] => (3..=4).contains(&first) && (3..=4).contains(&second),
        _ => false,
    }
}

/// Whether a number ends where it seems to: not in the middle of a word, an address, an amount or a phone number.
fn stands_alone(before: &str, after: &str) -> bool {
    let mut following = after.chars();
    let next = following.next();
    // A full stop ends a sentence, unless a digit follows.
    let is_decimal = matches!(next, Some('.' | ',' | ':'))
        && following.next().is_some_and(|character| character.is_ascii_digit());
    let mut preceding = before.chars().rev();
    let previous = preceding.next();
    let is_fraction = matches!(previous, Some('.' | ',' | ':'))
        && preceding.next().is_some_and(|character| character.is_ascii_digit());
    !is_decimal && !is_fraction && previous.is_none_or(may_adjoin) && next.is_none_or(may_adjoin)
}

/// Whether a character may stand right beside a code: a blank, punctuation, or a letter of a script that is written
/// without blanks. Those have no capitals, so that letters that have them end no number.
fn may_adjoin(character: char) -> bool {
    if character.is_whitespace() {
        return true;
    }
    match character.general_category() {
        GeneralCategory::OtherLetter | GeneralCategory::ModifierLetter => true,
        GeneralCategory::ConnectorPunctuation => false,
        _ => match character.general_category_group() {
            GeneralCategoryGroup::Punctuation => !"%/\\@&?".contains(character),
            GeneralCategoryGroup::Mark => true,
            _ => false,
        },
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
    fn a_pasted_code_is_cleaned() {
        for text in [
            " 123 45-67\t\r\n",
            "123\u{a0}4567",
            "123\u{2011}4567",
            "123\u{2013}4567",
            "123\u{2212}4567",
            "\u{200e}123\u{200b}4567\u{200f}",
            "\u{202a}1234567\u{202c}",
            "\u{feff}1234567",
            "\u{ff11}\u{ff12}\u{ff13}\u{3000}\u{ff14}\u{ff15}\u{ff16}\u{ff17}",
            "\u{661}\u{662}\u{663}\u{664}\u{665}\u{666}\u{667}",
            "\u{6f1}\u{6f2}\u{6f3}\u{6f4}\u{6f5}\u{6f6}\u{6f7}",
            "\u{967}\u{968}\u{969}\u{96a}\u{96b}\u{96c}\u{96d}",
        ] {
            assert_eq!(Code::parse(text).unwrap().digits(), "1234567", "{}", text.escape_unicode());
        }
    }

    #[test]
    fn a_code_is_found_in_its_message() {
        for text in [
            "Your code is 123 4567.",
            "Your code is: 1234567",
            "1234567 is your Acme code. It expires in 10 minutes.",
            "<#> 1234567 is your code.\nFA+9qCX9VSu",
            "Your code: 123-4567. Valid until 12:30 on 2026-11-30.",
            "G-1234567 is your code",
            "Code \u{201c}1234567\u{201d}!",
            "(1234567)",
            "Your code is 1234567.\n\n@example.com #1234567",
            "\u{60a8}\u{7684}\u{9a8c}\u{8bc1}\u{7801}\u{662f}1234567\u{ff0c}\u{8bf7}\u{52ff}\u{6cc4}\u{9732}",
            "\u{c778}\u{c99d}\u{bc88}\u{d638}1234567\u{c785}\u{b2c8}\u{b2e4}",
            "\u{631}\u{645}\u{632} \u{6f1}\u{6f2}\u{6f3}\u{6f4}\u{6f5}\u{6f6}\u{6f7}",
            "Call 555 010 1234 567 if you did not ask for 1234567",
        ] {
            assert_eq!(
                Code::parse(text).map(|code| code.digits().to_owned()).as_deref(),
                Ok("1234567"),
                "{text}"
            );
        }
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
            "1,234,567",
            "1234567.5",
            "12:1234567",
            "%31234567",
            "a_1234567",
            "123456\u{0}",
            "\u{2460}\u{2461}\u{2462}\u{2463}\u{2464}\u{2465}",
            "https://example.com/?code=1234567",
            "Your code is 123 45 67.",
            "Your code is 1234567 or 7654321.",
            "Your code is on its way.",
        ] {
            assert_eq!(Code::parse(text).unwrap_err(), InvalidCode, "{text:?}");
        }
    }

    #[test]
    fn long_input_is_refused_even_if_it_would_shrink_to_a_code() {
        assert!(Code::parse(&format!("{}1234567", " ".repeat(633))).is_ok());
        assert!(Code::parse(&format!("{}1234567", " ".repeat(634))).is_err());
        assert!(Code::parse(&"1".repeat(4_096)).is_err());
    }

    #[test]
    fn debug_does_not_show_the_digits() {
        assert_eq!(format!("{:?}", Code::parse("1234567").unwrap()), "Code(…)");
    }
}

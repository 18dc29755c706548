//! Cleaning text that people paste: unseen characters are dropped, and characters that only look different are mapped
//! to ASCII.
//!
//! The one home of this for phones, codes and names. Not a normal form: that is NFC, applied by each type for itself.
//! The categories are Unicode's, from the crate `unicode-properties`; no table of them stands here.

use unicode_normalization::UnicodeNormalization;
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

/// Returns the characters of pasted text as someone would have typed them on an ASCII keyboard, as far as that is
/// possible.
///
/// Format characters (Cf: bidirectional marks, zero-width characters, soft hyphens) are dropped. Decimal digits of every
/// script (Nd) become `0` to `9`, dashes (Pd) and the minus sign `-`, blanks ` `, line breaks `\n`, and full-width
/// punctuation its ASCII form. Everything else is left as it is, for the caller to reject.
pub(super) fn plain(text: &str) -> impl Iterator<Item = char> {
    text.chars()
        .filter(|character| character.general_category() != GeneralCategory::Format)
        .map(plain_character)
}

/// Returns a name without unseen characters: bidirectional controls, zero-width and tag characters and control
/// characters are dropped; blanks, tabs, line breaks and the fillers that look like a blank become one ` ` between words.
///
/// The unseen characters that Persian, Indic and Japanese names are spelled with ([`is_shaping`]) are kept.
pub(super) fn one_line(text: &str) -> String {
    let shown = |character: &char| is_blank(*character) || !is_unseen(*character);
    let line: String =
        text.chars().filter(shown).map(|shown| if is_blank(shown) { ' ' } else { shown }).collect();
    line.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Returns text without the blanks and unseen characters around it.
pub(super) fn trimmed(text: &str) -> &str {
    text.trim_matches(|character: char| character.is_whitespace() || is_deceptive(character))
}

fn plain_character(character: char) -> char {
    match character {
        ascii @ '\0'..='\u{7e}' => {
            if matches!(ascii, '\t') {
                ' '
            } else {
                ascii
            }
        }
        '\u{85}' | '\u{2028}' | '\u{2029}' => '\n',
        // The minus sign, and the Japanese mark of a long vowel, which keyboards there put where a dash is meant.
        '\u{2212}' | '\u{30fc}' | '\u{ff70}' => '-',
        blank if blank.is_whitespace() => ' ',
        other => match other.general_category() {
            GeneralCategory::DecimalNumber => ascii_digit(other),
            GeneralCategory::DashPunctuation => '-',
            _ => ascii_sign(other),
        },
    }
}

/// Returns the ASCII digit of a decimal digit of any script.
///
/// Unicode encodes each script's ten digits in a row, from zero to nine, and rows that touch are rows of ten: the value
/// is the distance from where the run of decimal digits begins, modulo ten.
fn ascii_digit(digit: char) -> char {
    let before = (0..u32::from(digit)).rev().map_while(char::from_u32);
    let distance = before
        .take_while(|before| before.general_category() == GeneralCategory::DecimalNumber)
        .fold(0, |distance, _| (distance + 1) % 10);
    char::from_digit(distance, 10).unwrap_or(digit)
}

/// Returns the ASCII punctuation that a character is a compatible form of (`＋`, `（`), or the character itself.
fn ascii_sign(character: char) -> char {
    let mut compatible = std::iter::once(character).nfkc();
    match (compatible.next(), compatible.next()) {
        (Some(sign), None) if sign.is_ascii_punctuation() => sign,
        _ => character,
    }
}

/// Whether a character is a blank, or is shown as one without being one (the Hangul and Braille fillers).
fn is_blank(character: char) -> bool {
    character.is_whitespace()
        || matches!(character, '\u{115F}' | '\u{1160}' | '\u{2800}' | '\u{3164}' | '\u{FFA0}')
}

/// Whether a character is not shown itself, and is not needed to spell names either.
fn is_unseen(character: char) -> bool {
    character.is_control() || (is_deceptive(character) && !is_shaping(character))
}

/// Whether a character changes how its neighbours are shown without being seen itself, or is seen as a blank without
/// being one.
///
/// These are Unicode's format characters, but for those that names are spelled with ([`is_shaping`]); the line and
/// paragraph separators; characters that no font shows; and the fillers that look like a blank.
pub(super) fn is_deceptive(character: char) -> bool {
    let is_hidden = matches!(
        character,
        '\u{115F}'..='\u{1160}'
            | '\u{2028}'..='\u{2029}'
            | '\u{2065}'
            | '\u{2800}'
            | '\u{3164}'
            | '\u{FFA0}'
            | '\u{FFF0}'..='\u{FFFB}'
            | '\u{E0000}'..='\u{E007F}'
    );
    let is_format = character.general_category() == GeneralCategory::Format;
    !is_shaping(character) && (is_hidden || (is_format && !is_prefix(character)))
}

/// Whether a format character is shown: the Arabic number signs and their like, which stand before or above digits.
const fn is_prefix(character: char) -> bool {
    matches!(
        character,
        '\u{0600}'..='\u{0605}' | '\u{06DD}' | '\u{070F}' | '\u{0890}'..='\u{0891}' | '\u{08E2}' | '\u{110BD}' | '\u{110CD}'
    )
}

/// Whether a character is unseen but chooses how a letter is drawn: the zero-width joiners, the variation selectors, the
/// grapheme joiner. Persian, Indic, Mongolian and Japanese names need them; an address does not.
pub(super) const fn is_shaping(character: char) -> bool {
    matches!(
        character,
        '\u{034F}'
            | '\u{180B}'..='\u{180D}'
            | '\u{180F}'
            | '\u{200C}'..='\u{200D}'
            | '\u{FE00}'..='\u{FE0F}'
            | '\u{E0100}'..='\u{E01EF}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cleaned(text: &str) -> String {
        plain(text).collect()
    }

    #[test]
    fn digits_of_every_script_become_ascii() {
        for (text, expected) in [
            ("\u{ff10}\u{ff11}\u{ff19}", "019"),
            ("\u{660}\u{661}\u{669}", "019"),
            ("\u{6f0}\u{6f5}\u{6f9}", "059"),
            ("\u{966}\u{967}\u{96f}", "019"),
            ("\u{e50}\u{e54}\u{e59}", "049"),
            // Five rows of ten that touch each other.
            ("\u{1d7ce}\u{1d7d7}\u{1d7d8}\u{1d7e1}\u{1d7f6}\u{1d7ff}", "090909"),
            ("\u{1fbf0}\u{1fbf9}", "09"),
        ] {
            assert_eq!(cleaned(text), expected, "{}", text.escape_unicode());
        }
    }

    #[test]
    fn every_row_of_decimal_digits_counts_from_zero_to_nine() {
        let digits: Vec<char> = ('\u{80}'..=char::MAX)
            .filter(|character| character.general_category() == GeneralCategory::DecimalNumber)
            .collect();
        assert!(digits.len() > 600 && digits.len().is_multiple_of(10), "{}", digits.len());
        for row in digits.chunks(10) {
            assert_eq!(cleaned(&String::from_iter(row)), "0123456789", "{:?}", row[0].escape_unicode());
        }
    }

    #[test]
    fn every_dash_becomes_a_hyphen() {
        for dash in "-\u{58a}\u{2010}\u{2011}\u{2012}\u{2013}\u{2014}\u{2015}\u{2212}\u{301c}\u{30fc}\u{fe58}\u{fe63}\u{ff0d}".chars() {
            assert_eq!(cleaned(&format!("1{dash}2")), "1-2", "{}", dash.escape_unicode());
        }
    }

    #[test]
    fn what_is_unseen_is_dropped() {
        for mark in "\u{ad}\u{61c}\u{180e}\u{200b}\u{200c}\u{200d}\u{200e}\u{200f}\u{202a}\u{202c}\u{202e}\u{2060}\u{2066}\u{2069}\u{feff}\u{e0041}"
            .chars()
        {
            assert_eq!(cleaned(&format!("1{mark}2")), "12", "{}", mark.escape_unicode());
        }
    }

    #[test]
    fn blanks_and_full_width_signs_become_ascii() {
        assert_eq!(
            cleaned("\u{ff0b}1\u{a0}\u{ff08}2\u{ff09}\u{3000}3\u{202f}4\t5\u{ff0f}6"),
            "+1 (2) 3 4 5/6"
        );
        assert_eq!(cleaned("1\u{2028}2\n3"), "1\n2\n3");
    }

    #[test]
    fn letters_and_numbers_that_are_no_decimal_digits_stay() {
        // Superscript two, circled one, a Roman numeral and the letter A in full width.
        let text = "\u{b2}\u{2460}\u{2167}\u{ff21}é山";
        assert_eq!(cleaned(text), text);
    }

    #[test]
    fn what_reorders_or_hides_text_is_deceptive() {
        for character in
            "\u{ad}\u{61c}\u{115f}\u{180e}\u{200b}\u{200f}\u{202e}\u{2060}\u{2066}\u{2800}\u{3164}\u{feff}\u{ffa0}\u{fff9}\u{1bca0}\u{1d173}\u{e0041}"
                .chars()
        {
            assert!(is_deceptive(character), "{}", character.escape_unicode());
        }
    }

    #[test]
    fn letters_and_marks_are_not() {
        for character in ['a', 'é', '山', '\u{0301}', '\u{094D}', '\'', '-', ' '] {
            assert!(!is_deceptive(character) && !is_shaping(character), "{}", character.escape_unicode());
        }
    }

    #[test]
    fn what_shapes_letters_is_not_deceptive_in_a_name() {
        for character in ['\u{200C}', '\u{200D}', '\u{FE0F}', '\u{E0100}'] {
            assert!(is_shaping(character) && !is_deceptive(character), "{}", character.escape_unicode());
        }
    }
}

//! A country's calling code, as a person chooses it beside their number.
//!
//! Not a country: two dozen share the code `1`. The invariant: some numbering plan has this code.

use std::fmt;

use phonenumber::metadata::{DATABASE, Metadata};

use super::text::plain;

/// Three digits, a plus and the unseen characters that come along when it is pasted.
const MAX_INPUT_BYTES: usize = 40;

/// A country's calling code: `1`, `44`. One to three digits that some numbering plan has.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct CountryCode(String);

/// Text that is no calling code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no country has this calling code")]
pub struct InvalidCountryCode;

impl CountryCode {
    /// Reads a calling code as a person typed or pasted it; a leading `+`, and what is not shown of it, are dropped.
    pub fn parse(text: &str) -> Result<Self, InvalidCountryCode> {
        if text.len() > MAX_INPUT_BYTES {
            return Err(InvalidCountryCode);
        }
        let cleaned: String = plain(text).collect();
        let text = cleaned.trim();
        let digits = text.strip_prefix('+').unwrap_or(text);
        if !(1..=3).contains(&digits.len()) || digits.starts_with('0') {
            return Err(InvalidCountryCode);
        }
        if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(InvalidCountryCode);
        }
        let code = Self(digits.to_owned());
        if code.plans().is_empty() { Err(InvalidCountryCode) } else { Ok(code) }
    }

    /// Takes a code back from the database, where only parsed ones are written.
    pub(super) const fn from_stored(digits: String) -> Self {
        Self(digits)
    }

    /// The digits, without a plus.
    #[must_use]
    pub fn digits(&self) -> &str {
        &self.0
    }

    /// The numbering plans that share this code: two dozen for `1`. The first is the main one, whose trunk and exit
    /// prefixes hold for all of them.
    pub(super) fn plans(&self) -> Vec<&'static Metadata> {
        let number = self.0.parse::<u16>().ok();
        number.and_then(|number| DATABASE.by_code(&number)).unwrap_or_default()
    }
}

impl fmt::Debug for CountryCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("CountryCode(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_calling_code_loses_its_plus_and_blanks() {
        for text in
            ["44", "+44", " +44 ", "\u{200e}+44", "\u{a0}44", "\u{ff0b}\u{ff14}\u{ff14}", "\u{664}\u{664}"]
        {
            assert_eq!(CountryCode::parse(text).unwrap().digits(), "44");
        }
    }

    #[test]
    fn calling_codes_that_nobody_has_are_refused() {
        for text in
            ["", "+", "0", "00", "044", "999", "1234", "1x", "++1", "+ 1", "-1", "\u{2460}", "US", "1\u{0}"]
        {
            assert_eq!(CountryCode::parse(text), Err(InvalidCountryCode), "{text:?}");
        }
    }

    #[test]
    fn debug_does_not_show_the_code() {
        assert_eq!(format!("{:?}", CountryCode::parse("44").unwrap()), "CountryCode(…)");
    }
}

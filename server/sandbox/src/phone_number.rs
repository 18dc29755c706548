//! Phone numbers as Authy takes and shows them: any dashes, dots, blanks and parentheses in, masked forms
//! out. Plausibility only: nobody is called, so no plan of numbers is consulted. Invariant: country code 1 to
//! 3 digits, number 5 to 15.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A country code and a number, digits only. Its `Debug` shows the two last digits.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct PhoneNumber {
    country_code: u16,
    digits: String,
}

impl PhoneNumber {
    pub(super) fn new(country_code: u16, digits: String) -> Self {
        Self { country_code, digits }
    }

    pub(super) fn country_code(&self) -> u16 {
        self.country_code
    }

    /// `+` and all digits.
    pub(super) fn international(&self) -> String {
        format!("+{}{}", self.country_code, self.digits)
    }

    /// The mask in answers to `sms` and `call`.
    pub(super) fn masked_cellphone(&self) -> String {
        format!("+{}-XXX-XXX-XX{}", self.country_code, self.last_digits(2))
    }

    /// The mask in answers to `users/{id}/status`.
    pub(super) fn masked_phone_number(&self) -> String {
        format!("XXX-XXX-{}", self.last_digits(4))
    }

    fn last_digits(&self, count: usize) -> &str {
        &self.digits[self.digits.len().saturating_sub(count)..]
    }
}

impl fmt::Debug for PhoneNumber {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.masked_cellphone())
    }
}

/// The digits of a cellphone, or nothing where it holds something else or has too few or too many.
pub(super) fn parse_cellphone(text: &str) -> Option<String> {
    let digits: String =
        text.chars().filter(|character| !matches!(character, '-' | '.' | ' ' | '(' | ')')).collect();
    let is_plausible = (5..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_plausible.then_some(digits)
}

/// A country code of 1 to 3 digits that is not zero.
pub(super) fn parse_country_code(text: &str) -> Option<u16> {
    let is_plausible = (1..=3).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|code| is_plausible && *code > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dashes_dots_blanks_and_parentheses_do_not_matter() {
        for text in ["4053425699", "405-342-5699", "405.342.5699", "(405) 342 5699"] {
            assert_eq!(parse_cellphone(text).as_deref(), Some("4053425699"));
        }
    }

    #[test]
    fn cellphones_of_odd_lengths_or_with_letters_are_refused() {
        for text in ["", "1234", "1234567890123456", "405-DIAL-NOW", "+4053425699", "４０５３４２"] {
            assert_eq!(parse_cellphone(text), None, "{text}");
        }
        assert!(parse_cellphone("12345").is_some());
        assert!(parse_cellphone("123456789012345").is_some());
    }

    #[test]
    fn country_codes_have_one_to_three_digits() {
        assert_eq!(parse_country_code("1"), Some(1));
        assert_eq!(parse_country_code("351"), Some(351));
        for text in ["", "0", "1234", "+1", "US"] {
            assert_eq!(parse_country_code(text), None, "{text}");
        }
    }

    #[test]
    fn masks_show_the_last_two_or_four_digits() {
        let phone = PhoneNumber::new(57, "3001231118".to_owned());
        assert_eq!(phone.masked_cellphone(), "+57-XXX-XXX-XX18");
        assert_eq!(phone.masked_phone_number(), "XXX-XXX-1118");
        assert_eq!(phone.international(), "+573001231118");
        assert_eq!(format!("{phone:?}"), "+57-XXX-XXX-XX18");
    }
}

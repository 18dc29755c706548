//! A phone number with its country's calling code, in E.164.
//!
//! Not a promise that the number is in service: whether it can be reached is for the provider to say. The invariant: it
//! begins with its calling code, and has a length that numbers of that code have.

use std::{cmp::Reverse, fmt};

use super::{
    country_code::CountryCode,
    numbering::{Fit, NumberingPlans, Readings},
    text::plain,
};

/// A number, its punctuation and the unseen characters that come along when it is pasted.
const MAX_INPUT_BYTES: usize = 160;
/// 15 digits (E.164 §6) behind an exit code, a carrier's and a trunk prefix.
const MAX_TYPED_DIGITS: usize = 24;

/// A phone number that can be asked for a second factor.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Phone {
    country_code: CountryCode,
    /// `+`, the calling code, the national number.
    e164: String,
}

/// Text that is no phone number of the country.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPhone {
    /// Not digits with blanks and the usual marks between them, or not as many as the country's numbers have.
    #[error("this is not a phone number of the country")]
    Malformed,
    /// Written in the international form, with a calling code other than the one beside it.
    #[error("the phone number belongs to another calling code")]
    OtherCountry,
    /// A number that earns its owner money from whoever calls it or writes to it.
    #[error("the phone number charges whoever calls it")]
    ChargesCallers,
}

impl Phone {
    /// Reads a number as a person typed or pasted it beside its calling code, with or without the trunk prefix, or in
    /// the international form, which must then agree with the code.
    ///
    /// Where the digits can be read in several ways, the one that the numbering plan has in use wins, a mobile phone's
    /// first. Where it has none in use, one that is possible is accepted, among them the numbers set aside for fiction
    /// (`555-01xx`) and those of ranges that the plan does not know yet.
    pub fn parse(country_code: &CountryCode, text: &str) -> Result<Self, InvalidPhone> {
        let typed = bare(text)?;
        let plans = NumberingPlans::of(country_code);
        let readings = if let Some(international) = typed.strip_prefix('+') {
            // Calling codes are prefix-free, so no other code begins like this one.
            let rest = international.strip_prefix(country_code.digits()).ok_or(InvalidPhone::OtherCountry)?;
            Readings { national: plans.national_readings(rest), is_foreign: false }
        } else {
            plans.readings(&typed)
        };
        let national = best(&plans, readings)?;
        if plans.charges_callers(&national) {
            return Err(InvalidPhone::ChargesCallers);
        }
        Ok(Self { country_code: country_code.clone(), e164: format!("+{}{national}", country_code.digits()) })
    }

    /// Takes a number back from the database, where only parsed ones are written.
    #[must_use]
    pub const fn from_stored(country_code: String, e164: String) -> Self {
        Self { country_code: CountryCode::from_stored(country_code), e164 }
    }

    /// Takes a number back from where it is kept without its calling code beside it; `None` where it has none.
    #[must_use]
    pub fn from_e164(e164: &str) -> Option<Self> {
        let digits = e164.strip_prefix('+')?;
        // Calling codes are prefix-free: at most one of these is one.
        let country_code = (1..=3)
            .filter_map(|length| digits.get(..length))
            .find_map(|digits| CountryCode::parse(digits).ok())?;
        Some(Self { country_code, e164: e164.to_owned() })
    }

    /// The number in E.164: `+12025550123`.
    #[must_use]
    pub fn e164(&self) -> &str {
        &self.e164
    }

    /// Its calling code.
    #[must_use]
    pub const fn country_code(&self) -> &CountryCode {
        &self.country_code
    }

    /// The number without its calling code and without a trunk prefix: `2025550123`.
    #[must_use]
    pub fn national_digits(&self) -> &str {
        let digits = self.e164.trim_start_matches('+');
        digits.strip_prefix(self.country_code.digits()).unwrap_or(digits)
    }

    /// What may be shown of it to whoever is signed in: four dots, a blank and the last two digits, whatever its
    /// length.
    #[must_use]
    pub fn masked(&self) -> String {
        let digits = self.national_digits();
        let tail = digits.char_indices().rev().nth(1).map_or(digits, |(start, _)| &digits[start..]);
        format!("•••• {tail}")
    }
}

impl fmt::Debug for Phone {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Phone(…)")
    }
}

/// Returns the digits and a leading plus. Letters and extensions are rejected: two people need not read them alike.
fn bare(text: &str) -> Result<String, InvalidPhone> {
    if text.len() > MAX_INPUT_BYTES {
        return Err(InvalidPhone::Malformed);
    }
    let cleaned: String = plain(text).collect();
    let cleaned = cleaned.trim();
    let number = match cleaned.split_at_checked("tel:".len()) {
        Some((scheme, number)) if scheme.eq_ignore_ascii_case("tel:") => number,
        _ => cleaned,
    };
    let mut bare = String::with_capacity(number.len());
    for character in number.chars() {
        match character {
            '0'..='9' => bare.push(character),
            '+' if bare.is_empty() => bare.push('+'),
            ' ' | '-' | '.' | '(' | ')' | '[' | ']' | '/' => {}
            _ => return Err(InvalidPhone::Malformed),
        }
    }
    let digits = bare.len() - usize::from(bare.starts_with('+'));
    if (1..=MAX_TYPED_DIGITS).contains(&digits) { Ok(bare) } else { Err(InvalidPhone::Malformed) }
}

/// Returns the reading that the plans know best; of several, the first.
fn best(plans: &NumberingPlans<'_>, readings: Readings) -> Result<String, InvalidPhone> {
    let Readings { national: readings, is_foreign } = readings;
    let fitting = |reading: String| (plans.fit(&reading), reading);
    let zeroes: Vec<String> = readings
        .iter()
        .filter_map(|reading| plans.without_foreign_zero(reading))
        .map(ToOwned::to_owned)
        .collect();
    let (fit, national) = readings
        .into_iter()
        .map(fitting)
        .min_by_key(|(fit, _)| Reverse(*fit))
        .unwrap_or((Fit::Impossible, String::new()));
    if fit >= Fit::Valid {
        return Ok(national);
    }
    if let Some((_, national)) = zeroes.into_iter().map(fitting).find(|(fit, _)| *fit >= Fit::Valid) {
        return Ok(national);
    }
    match fit {
        _ if is_foreign => Err(InvalidPhone::OtherCountry),
        Fit::Impossible => Err(InvalidPhone::Malformed),
        _ => Ok(national),
    }
}

#[cfg(test)]
mod tests;

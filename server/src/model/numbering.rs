//! What the numbering plans of a calling code say about digits: which numbers exist, and what is dialled before them.
//!
//! The metadata are Google's, by the crate `phonenumber`; its parser is not used, for it compares patterns with the
//! beginning of a number only, and strips a trunk prefix twice. Not a phone: [`super::phone`] chooses among the readings.

use phonenumber::metadata::{Descriptor, Metadata};
use regex::RegexBuilder;

use super::country_code::CountryCode;

/// No number is longer than 15 digits with its calling code (E.164 §6).
const MAX_DIGITS: usize = 15;
const MEXICO: &str = "52";
const ARGENTINA: &str = "54";
/// What people in Mexico dialled before mobile numbers until 2019, and still write; the metadata forgot it.
const OLD_MEXICAN_PREFIXES: [&str; 4] = ["044", "045", "01", "1"];

/// How much the plans know of a number. What comes later is preferred.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fit {
    /// No number of these plans has such a length.
    Impossible,
    /// As long as numbers that people have; its beginning is new to the plan. Ranges open before metadata name them.
    Length,
    /// The plan has such numbers, though none of this range is in use.
    Possible,
    /// A number of a range in use.
    Valid,
    /// A number of a range of mobile phones.
    Mobile,
}

/// The plans that share a calling code.
pub(super) struct NumberingPlans<'a> {
    calling_code: &'a str,
    plans: Vec<&'static Metadata>,
}

/// The national numbers that typed digits can mean.
pub(super) struct Readings {
    /// In the order in which libphonenumber prefers them.
    pub(super) national: Vec<String>,
    /// Whether the digits are also those of another country's number, behind this country's exit code.
    pub(super) is_foreign: bool,
}

impl<'a> NumberingPlans<'a> {
    /// The plans of a calling code.
    pub(super) fn of(country_code: &'a CountryCode) -> Self {
        Self { calling_code: country_code.digits(), plans: country_code.plans() }
    }

    /// Returns what digits without a plus can mean: a national number, with or without its trunk prefix or its calling
    /// code, or an international number behind the exit code.
    pub(super) fn readings(&self, typed: &str) -> Readings {
        let mut national = self.national_readings(typed);
        if let Some(rest) = typed.strip_prefix(self.calling_code) {
            national.extend(self.national_readings(rest));
        }
        let mut is_foreign = false;
        for international in self.behind_exit_code(typed) {
            match international.strip_prefix(self.calling_code) {
                Some(rest) => national.extend(self.national_readings(rest)),
                None => is_foreign |= begins_with_calling_code(international),
            }
        }
        Readings { national, is_foreign }
    }

    /// Returns what digits without a calling code can mean, with and without what is dialled before them.
    pub(super) fn national_readings(&self, digits: &str) -> Vec<String> {
        let mut readings: Vec<String> = self.without_trunk_prefix(digits).into_iter().collect();
        readings.push(digits.to_owned());
        if self.calling_code == MEXICO {
            let stripped = OLD_MEXICAN_PREFIXES.iter().filter_map(|prefix| digits.strip_prefix(prefix));
            readings.extend(stripped.map(ToOwned::to_owned));
        }
        // The 9 says that it is a mobile number, and what follows may be written as for a call within Argentina.
        if self.calling_code == ARGENTINA
            && let Some(rest) = digits.strip_prefix('9')
            && let Some(stripped) = self.without_trunk_prefix(rest)
        {
            readings.push(if stripped.starts_with('9') { stripped } else { format!("9{stripped}") });
        }
        readings
    }

    /// Returns digits without a leading zero that no plan of this code has, but that people write from habit.
    pub(super) fn without_foreign_zero<'b>(&self, digits: &'b str) -> Option<&'b str> {
        let has_trunk_prefix = self.plans.first().is_some_and(|main| main.national_prefix().is_some());
        if has_trunk_prefix { None } else { digits.strip_prefix('0') }
    }

    /// How much the plans know of a national number.
    pub(super) fn fit(&self, national: &str) -> Fit {
        if self.calling_code.len() + national.len() > MAX_DIGITS {
            return Fit::Impossible;
        }
        self.plans.iter().map(|plan| self.fit_in(plan, national)).max().unwrap_or(Fit::Impossible)
    }

    /// Whether a plan has a number among its premium-rate or shared-cost numbers, and none has it among those that
    /// people have.
    pub(super) fn charges_callers(&self, national: &str) -> bool {
        let is_among = |kind: Option<&Descriptor>| kind.is_some_and(|kind| matches(kind, national));
        let is_peoples = |plan: &&Metadata| {
            let kinds = plan.descriptors();
            [kinds.mobile(), kinds.fixed_line(), kinds.voip(), kinds.personal_number()]
                .into_iter()
                .any(is_among)
        };
        let charges = |plan: &&Metadata| {
            let kinds = plan.descriptors();
            is_among(kinds.premium_rate()) || is_among(kinds.shared_cost())
        };
        self.plans.iter().any(charges) && !self.plans.iter().any(is_peoples)
    }

    fn fit_in(&self, plan: &Metadata, national: &str) -> Fit {
        let kinds = plan.descriptors();
        let is_in_use = |kind: Option<&Descriptor>| kind.is_some_and(|kind| matches(kind, national));
        let is_as_long = |kind: Option<&Descriptor>| {
            kind.is_some_and(|kind| {
                kind.possible_length().iter().any(|length| usize::from(*length) == national.len())
            })
        };
        let peoples = [kinds.mobile(), kinds.fixed_line()];
        let others = [kinds.voip(), kinds.personal_number(), kinds.pager(), kinds.uan(), kinds.toll_free()];
        let refused = [kinds.premium_rate(), kinds.shared_cost(), kinds.voicemail()];
        if matches(kinds.general(), national) {
            if is_in_use(kinds.mobile()) {
                return Fit::Mobile;
            }
            if peoples.into_iter().chain(others).chain(refused).any(is_in_use) {
                return Fit::Valid;
            }
            if peoples.into_iter().chain(others).any(is_as_long) {
                return Fit::Possible;
            }
        }
        if peoples.into_iter().any(is_as_long) && !self.keeps_trunk_prefix(national) {
            return Fit::Length;
        }
        Fit::Impossible
    }

    /// Whether a number still begins with what is dialled before numbers: then it has the wrong length behind it.
    fn keeps_trunk_prefix(&self, national: &str) -> bool {
        let prefix = self.plans.first().and_then(|main| main.national_prefix());
        national.starts_with('0') || prefix.is_some_and(|prefix| national.starts_with(prefix))
    }

    /// Returns digits without the trunk prefix and the code of a carrier, as the main plan writes the rest.
    fn without_trunk_prefix(&self, digits: &str) -> Option<String> {
        let main = self.plans.first()?;
        let Some(pattern) = main.national_prefix_for_parsing() else {
            return digits.strip_prefix(main.national_prefix()?).map(ToOwned::to_owned);
        };
        let captures = pattern.captures(digits)?;
        let prefix = captures.get(0).filter(|prefix| prefix.start() == 0)?;
        let mut national = String::new();
        let last = captures.len() - 1;
        if let (Some(rule), true) =
            (main.national_prefix_transform_rule(), last > 0 && captures.get(last).is_some())
        {
            captures.expand(rule, &mut national);
        }
        national.push_str(&digits[prefix.end()..]);
        Some(national)
    }

    /// Returns what follows the exit code of the main plan, and what follows `00`, which people write everywhere.
    fn behind_exit_code<'b>(&self, typed: &'b str) -> impl Iterator<Item = &'b str> {
        let exit_code = self.plans.first().and_then(|main| main.international_prefix());
        let by_plan = exit_code
            .and_then(|pattern| pattern.find(typed))
            .filter(|found| found.start() == 0)
            .map(|found| &typed[found.end()..]);
        by_plan.into_iter().chain(typed.strip_prefix("00"))
    }
}

/// Calling codes are prefix-free, and none begins with a zero: at most one of the three is one.
fn begins_with_calling_code(digits: &str) -> bool {
    (1..=3).filter_map(|length| digits.get(..length)).any(|code| CountryCode::parse(code).is_ok())
}

/// Whether a number is one of a kind, from its first digit to its last.
fn matches(kind: &Descriptor, national: &str) -> bool {
    let lengths = kind.possible_length();
    if !lengths.is_empty() && !lengths.iter().any(|length| usize::from(*length) == national.len()) {
        return false;
    }
    let pattern = kind.national_number();
    match pattern.find(national) {
        Some(found) if found.start() == 0 => {
            // An earlier alternative of the pattern can match less than a later one would.
            found.end() == national.len() || matches_whole(pattern.as_str(), national)
        }
        _ => false,
    }
}

/// Compiled each time: few numbers need it, and a compiled pattern takes kilobytes.
fn matches_whole(pattern: &str, national: &str) -> bool {
    RegexBuilder::new(&format!("^(?:{pattern}\n)$"))
        .ignore_whitespace(true)
        .unicode(false)
        .build()
        .is_ok_and(|whole| whole.is_match(national))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fit(country_code: &str, national: &str) -> Fit {
        let country_code = CountryCode::parse(country_code).expect(country_code);
        NumberingPlans::of(&country_code).fit(national)
    }

    #[test]
    fn a_fit_grows_with_what_the_plan_knows() {
        assert_eq!(fit("1", "2025550"), Fit::Impossible);
        assert_eq!(fit("254", "812345678"), Fit::Length);
        assert_eq!(fit("44", "7700900123"), Fit::Possible);
        assert_eq!(fit("39", "0612345678"), Fit::Valid);
        assert_eq!(fit("49", "15123456789"), Fit::Mobile);
    }

    #[test]
    fn a_trunk_prefix_before_a_wrong_length_fits_nothing() {
        assert_eq!(fit("1", "1234567890"), Fit::Impossible);
        assert_eq!(fit("44", "0740012345"), Fit::Impossible);
    }

    #[test]
    fn a_pattern_is_compared_with_the_whole_number() {
        assert!(matches_whole("1|12\n  |123", "123"));
        assert!(!matches_whole("1|12", "123"));
    }
}

//! How often something may be done, and the arithmetic of it.
//!
//! One mechanism for all budgets: the generic cell rate algorithm (ITU-T I.371, annex A), which needs two instants for each
//! budget and no history. What is used up comes back evenly. Where a budget grows pauses instead of refusing, it is
//! never used up for longer than the longest pause.

use std::{fmt, str::FromStr, time::Duration};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

use super::parse_duration;

/// More than this limits nothing.
const LARGEST_COUNT: u32 = 1_000_000;

/// So many at once, and as many again, evenly, in each such time: `5/1h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// How many; one at least.
    pub count: u32,
    /// In which time.
    pub per: Duration,
}

impl FromStr for Rate {
    type Err = String;

    /// Parses a rate such as `5/1h`. No rate is without a limit.
    fn from_str(text: &str) -> Result<Self, String> {
        let (count, per) = text.split_once('/').ok_or("must be like `5/1h`: how many, and in which time")?;
        match count.parse() {
            Ok(count @ 1..=LARGEST_COUNT) => Ok(Self { count, per: parse_duration(per)? }),
            _ => Err(format!("must begin with a number from 1 to {LARGEST_COUNT}")),
        }
    }
}

impl Rate {
    /// So many times as much in the same time.
    #[must_use]
    pub const fn times(self, factor: u32) -> Self {
        Self { count: self.count.saturating_mul(factor), per: self.per }
    }

    /// So many percent of it in the same time, rounded down; one at least.
    #[must_use]
    pub fn percent(self, percent: u32) -> Self {
        let part = u64::from(self.count) * u64::from(percent) / 100;
        Self { count: u32::try_from(part).unwrap_or(self.count).max(1), per: self.per }
    }
}

/// How pauses grow past what may be taken at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Growth {
    /// How much longer each pause is than the one before.
    pub step: Duration,
    /// How long a pause is at the most.
    pub longest: Duration,
}

/// What may be taken, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    rate: Rate,
    growth: Option<Growth>,
}

/// What a budget comes to in microseconds, for a database to reckon with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// How long it takes until one that was taken is back.
    pub cost: i64,
    /// How much may be used up without any pause before the next.
    pub spare: i64,
    /// How much more being used up makes the pause longer by one.
    pub divisor: i64,
    /// The longest pause.
    pub longest: i64,
    /// More than this is never used up.
    pub ceiling: i64,
}

/// How much of a budget is used up, as it is stored: two instants, in microseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BudgetState {
    /// When nothing of it is used up any more.
    pub full_at: i64,
    /// When the next one can be taken; [`AT_ONCE`] if there is no pause.
    pub free_at: i64,
}

/// `free_at` where there is no pause. Not the time of the last taking: clocks differ, and an instance whose clock is behind would wait.
pub const AT_ONCE: i64 = 0;

/// Whose budget of what. A hash: neither emails nor phones of strangers are written down.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BudgetKey(String);

impl Budget {
    /// So many, and no more.
    #[must_use]
    pub const fn strict(rate: Rate) -> Self {
        Self { rate, growth: None }
    }

    /// So many without a pause; past that, with pauses that grow.
    #[must_use]
    pub const fn growing(rate: Rate, growth: Growth) -> Self {
        Self { rate, growth: Some(growth) }
    }

    /// One thing, for so long.
    #[must_use]
    pub const fn hold(per: Duration) -> Self {
        Self::strict(Rate { count: 1, per })
    }

    /// The budget in microseconds.
    #[must_use]
    pub fn terms(&self) -> Terms {
        let count = i64::from(self.rate.count.max(1));
        let cost = (microseconds(self.rate.per) / count).max(1);
        let spare = cost.saturating_mul(count - 1);
        match self.growth {
            None => Terms { cost, spare, divisor: 1, longest: cost, ceiling: spare + cost },
            Some(Growth { step, longest }) => {
                let divisor = (cost / microseconds(step).max(1)).max(1);
                let longest = microseconds(longest);
                let ceiling = spare.saturating_add(longest.saturating_mul(divisor));
                Terms { cost, spare, divisor, longest, ceiling }
            }
        }
    }
}

impl Budget {
    /// The state after one more is taken at `now`, in microseconds, whether or not there is a pause.
    #[must_use]
    pub fn take(&self, state: BudgetState, now: i64) -> BudgetState {
        let Terms { cost, spare, divisor, longest, ceiling } = self.terms();
        // Up to here there is no pause.
        let first_pause = now.saturating_add(spare) - cost;
        if state.full_at <= now {
            let pause = ((cost - spare) / divisor).clamp(0, longest);
            let free_at = if pause > 0 { now + pause } else { AT_ONCE };
            return BudgetState { full_at: now.saturating_add(cost), free_at };
        }
        let used = state.full_at - first_pause;
        let free_at = if used <= 0 { AT_ONCE } else { now + (used / divisor).min(longest) };
        BudgetState {
            full_at: state.full_at.saturating_add(cost).min(now.saturating_add(ceiling.max(cost))),
            free_at,
        }
    }

    /// The state after one that was taken is released. `taken`: the `free_at` that taking it left.
    #[must_use]
    pub fn release(&self, state: BudgetState, taken: i64) -> BudgetState {
        let Terms { cost, divisor, .. } = self.terms();
        // Nothing was taken since: then there was no pause before, and there is none again.
        let free_at = if state.free_at == taken { AT_ONCE } else { state.free_at - cost / divisor };
        BudgetState { full_at: state.full_at - cost, free_at }
    }
}

/// At most what a century has, so that nothing overflows.
fn microseconds(duration: Duration) -> i64 {
    const CENTURY: i64 = 100 * 366 * 24 * 3_600 * 1_000_000;
    i64::try_from(duration.as_micros()).map_or(CENTURY, |microseconds| microseconds.min(CENTURY))
}

impl BudgetKey {
    /// The key of what is counted, for whom.
    #[must_use]
    pub fn new(what: &str, whose: &[&str]) -> Self {
        let mut hash = Sha256::new();
        for part in std::iter::once(&what).chain(whose) {
            // Its length first: no two lists are one text.
            hash.update(part.len().to_be_bytes());
            hash.update(part);
        }
        Self(URL_SAFE_NO_PAD.encode(hash.finalize()))
    }

    /// Takes a key back from the database.
    #[must_use]
    pub const fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// The key as it is stored.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for BudgetKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("BudgetKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn rate(count: u32, seconds: u64) -> Rate {
        Rate { count, per: Duration::from_secs(seconds) }
    }

    #[test]
    fn a_rate_says_how_many_in_which_time() {
        let rate = |text: &str| text.parse::<Rate>();
        assert_eq!(rate("5/1h"), Ok(Rate { count: 5, per: Duration::from_hours(1) }));
        assert_eq!(rate("1000000/1ms").map(|rate| rate.count), Ok(1_000_000));
        for wrong in ["", "5", "5/", "/1h", "0/1h", "-1/1h", "1000001/1h", "5/0s", "5/2000d", "off", "5/1h/2"]
        {
            assert!(rate(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_part_of_a_rate_is_one_at_least_and_a_multiple_does_not_overflow() {
        let parts = [(10, 50), (1, 50), (u32::MAX, 100)].map(|(count, part)| rate(count, 60).percent(part));
        assert_eq!(parts.map(|rate| rate.count), [5, 1, u32::MAX]);
        assert_eq!((rate(10, 60).times(4), rate(u32::MAX, 60).times(32).count), (rate(40, 60), u32::MAX));
    }

    #[test]
    fn a_strict_budget_comes_back_evenly() {
        let terms = Budget::strict(rate(5, 600)).terms();
        assert_eq!((terms.cost, terms.spare), (120_000_000, 480_000_000));
        assert_eq!(terms.ceiling, 600_000_000);
    }

    #[test]
    fn a_growing_budget_is_never_used_up_for_longer_than_its_longest_pause_takes_to_say() {
        let growth = Growth { step: Duration::from_secs(5), longest: Duration::from_mins(1) };
        let terms = Budget::growing(rate(5, 1_800), growth).terms();
        assert_eq!((terms.cost, terms.divisor), (360_000_000, 72));
        assert_eq!((terms.ceiling - terms.spare) / terms.divisor, 60_000_000);
    }

    const FULL: BudgetState = BudgetState { full_at: 0, free_at: AT_ONCE };

    /// The pauses after each of so many that are taken at one instant, in seconds.
    fn pauses(budget: Budget, count: usize) -> Vec<i64> {
        let (now, mut state) = (1_000_000_000_000_000, FULL);
        let mut take = || {
            state = budget.take(state, now);
            if state.free_at == AT_ONCE { 0 } else { (state.free_at - now) / 1_000_000 }
        };
        (0..count).map(|_| take()).collect()
    }

    #[test]
    fn a_pause_follows_the_last_of_a_strict_budget_and_grows_in_a_growing_one() {
        assert_eq!(pauses(Budget::strict(rate(3, 600)), 4), [0, 0, 200, 200]);
        let growth = Growth { step: Duration::from_secs(5), longest: Duration::from_secs(12) };
        assert_eq!(pauses(Budget::growing(rate(3, 600), growth), 7), [0, 0, 5, 10, 12, 12, 12]);
        assert_eq!(pauses(Budget::hold(Duration::from_mins(1)), 1), [60]);
    }

    #[test]
    fn what_is_released_can_be_taken_again() {
        let (budget, now) = (Budget::strict(rate(2, 600)), 1_000_000_000_000_000);
        let first = budget.take(FULL, now);
        let last = budget.take(first, now);
        assert_eq!(budget.release(last, last.free_at), first);
        // Another one was taken since: its pause is shorter by one.
        let later = budget.take(last, last.free_at);
        let released = budget.release(later, last.free_at);
        assert_eq!(later.free_at - released.free_at, 300_000_000);
    }

    #[test]
    fn absurd_budgets_do_not_overflow() {
        let growth = Growth { step: Duration::from_nanos(1), longest: Duration::MAX };
        for budget in [
            Budget::strict(rate(0, 0)),
            Budget::strict(rate(u32::MAX, u64::MAX)),
            Budget::growing(rate(u32::MAX, u64::MAX), growth),
            Budget::growing(rate(1, 1), growth),
            Budget::hold(Duration::MAX),
        ] {
            let terms = budget.terms();
            assert!(terms.cost > 0 && terms.divisor > 0 && terms.ceiling >= terms.spare, "{terms:?}");
            let taken = budget.take(budget.take(FULL, 1_000_000_000_000_000), 1_000_000_000_000_001);
            let _unchanged = budget.release(taken, taken.free_at);
        }
    }

    #[test]
    fn two_lists_of_parts_never_have_one_key() {
        let keys = [
            BudgetKey::new("codes", &["ab", "c"]),
            BudgetKey::new("codes", &["a", "bc"]),
            BudgetKey::new("codes", &["abc"]),
            BudgetKey::new("codesab", &["c"]),
            BudgetKey::new("codes", &["ab", "c", ""]),
        ];
        let different: std::collections::HashSet<_> = keys.iter().collect();
        assert_eq!(different.len(), keys.len());
        assert_eq!(format!("{:?}", keys[0]), "BudgetKey(…)");
    }
}

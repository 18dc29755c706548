//! The one home of the system's random source: token bytes, salts, ids and jitter.
//!
//! There is no seedable generator here. Everything that is drawn is either a secret or must differ between processes.

use std::cell::RefCell;

use chrono::{DateTime, Utc};
use uuid::{Builder, Uuid};

/// Draws `N` random bytes from the operating system.
///
/// # Panics
/// Where the operating system has no randomness to give. There is nothing safe to do without it.
#[must_use]
pub fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    #[expect(clippy::disallowed_methods, reason = "this is the one home of the system's random source")]
    #[expect(clippy::expect_used, reason = "no token may be made without randomness")]
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
    bytes
}

/// How many bytes a thread draws ahead for what is no secret.
const AHEAD: usize = 1_024;

/// Draws `N` random bytes that name something and guard nothing: requests, traces. The system is asked for many at once, since
/// each request wants some.
///
/// # Panics
/// As [`bytes`] does.
#[must_use]
pub fn name<const N: usize>() -> [u8; N] {
    const { assert!(N <= AHEAD) };
    thread_local! {
        /// What was drawn, and how much of it is left.
        static DRAWN: RefCell<([u8; AHEAD], usize)> = const { RefCell::new(([0; AHEAD], 0)) };
    }
    DRAWN.with_borrow_mut(|(drawn, left)| {
        if *left < N {
            (*drawn, *left) = (bytes(), AHEAD);
        }
        let mut name = [0; N];
        name.copy_from_slice(&drawn[*left - N..*left]);
        *left -= N;
        name
    })
}

/// Makes a `UUIDv7`: ids sort by the time they were made at, and so do the rows that they name.
#[must_use]
pub fn id(at: DateTime<Utc>) -> Uuid {
    let milliseconds = u64::try_from(at.timestamp_millis()).unwrap_or_default();
    Builder::from_unix_timestamp_millis(milliseconds, &bytes()).into_uuid()
}

/// Draws a number below `bound`, 0 for a bound of 0. The bias is below 2⁻³² for the small bounds that it is used with.
#[must_use]
pub fn below(bound: usize) -> usize {
    let drawn = u64::from_le_bytes(bytes());
    match u64::try_from(bound) {
        Ok(bound) if bound > 0 => usize::try_from(drawn % bound).unwrap_or_default(),
        _ => 0,
    }
}

/// Draws a number from 0 to 1, in thousandths.
#[must_use]
pub fn fraction() -> f64 {
    f64::from(u32::try_from(below(1_000)).unwrap_or_default()) / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_by_time() {
        let early = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        let late = DateTime::from_timestamp(1_700_000_001, 0).unwrap();
        assert!(id(early) < id(late));
    }

    #[test]
    fn no_name_is_given_twice_however_many_are_drawn() {
        let names: std::collections::BTreeSet<[u8; 16]> = (0..1_000).map(|_| name()).collect();
        assert_eq!(names.len(), 1_000);
        assert_ne!(name::<AHEAD>(), name::<AHEAD>());
    }

    #[test]
    fn below_stays_below() {
        assert!((0..1_000).all(|_| below(7) < 7));
        assert_eq!(below(0), 0);
    }
}

//! The sandbox's randomness: secrets of phones, ids and uuids. The system's source is read once, at start;
//! the rest is drawn from that seed, so that no later draw can fail. Invariant: no two draws of one process
//! are alike.

use std::sync::atomic::{AtomicU64, Ordering};

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};
use uuid::{Timestamp, Uuid};

/// Seconds from the start of the Gregorian calendar, where uuids of version 1 begin to count, to 1970.
const GREGORIAN_TO_UNIX_SECONDS: i64 = 12_219_292_800;

/// A stream of random bytes.
pub(super) struct Random {
    seed: [u8; 32],
    drawn: AtomicU64,
}

impl Random {
    /// Reads a seed from the operating system.
    #[expect(clippy::disallowed_methods, reason = "the sandbox imports nothing of the server")]
    pub(super) fn from_system() -> Result<Self, getrandom::Error> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed)?;
        Ok(Self { seed, drawn: AtomicU64::new(0) })
    }

    /// `N` fresh bytes, at most 32.
    pub(super) fn bytes<const N: usize>(&self) -> [u8; N] {
        const { assert!(N <= 32) };
        let number = self.drawn.fetch_add(1, Ordering::Relaxed);
        let block = Sha256::new().chain_update(self.seed).chain_update(number.to_be_bytes()).finalize();
        std::array::from_fn(|index| block[index])
    }

    /// `N` fresh bytes as lower-case hexadecimal text.
    pub(super) fn hexadecimal<const N: usize>(&self) -> String {
        to_hexadecimal(&self.bytes::<N>())
    }

    /// A uuid of version 1, as Authy's approval requests carry.
    pub(super) fn uuid(&self, now: DateTime<Utc>) -> Uuid {
        let [node @ .., high, low] = self.bytes::<8>();
        let seconds = now.timestamp().saturating_add(GREGORIAN_TO_UNIX_SECONDS);
        let ticks = seconds.saturating_mul(10_000_000) + i64::from(now.timestamp_subsec_nanos() / 100);
        let timestamp = Timestamp::from_gregorian_time(ticks.unsigned_abs(), u16::from_be_bytes([high, low]));
        Uuid::new_v1(timestamp, &node)
    }
}

/// Bytes as lower-case hexadecimal text.
pub(super) fn to_hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        for digit in [byte >> 4, byte & 15] {
            text.extend(char::from_digit(u32::from(digit), 16));
        }
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uuids_are_of_version_one_and_carry_the_time() {
        let random = Random::from_system().unwrap();
        let now = DateTime::from_timestamp(1_512_923_419, 500_000_000).unwrap();
        let uuid = random.uuid(now);
        assert_eq!(uuid.get_version_num(), 1);
        assert_eq!(uuid.get_timestamp().unwrap().to_unix(), (1_512_923_419, 500_000_000));
        assert_ne!(uuid, random.uuid(now));
    }

    #[test]
    fn two_draws_differ() {
        let random = Random::from_system().unwrap();
        assert_ne!(random.bytes::<32>(), random.bytes::<32>());
    }

    #[test]
    fn hexadecimal_text_keeps_leading_zeros() {
        assert_eq!(to_hexadecimal(&[0, 10, 255]), "000aff");
    }
}

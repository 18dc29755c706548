//! One-time codes as RFC 6238 tells them: HMAC-SHA-1 over the number of 30 second steps since 1970, truncated
//! as in RFC 4226, seven digits as the Authy app shows them. Who may use a code, and how often, is decided in
//! `codes`.

use chrono::{DateTime, TimeDelta, Utc};
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use sha1::Sha1;

use super::random::{Random, to_hexadecimal};

const STEP_SECONDS: i64 = 30;
const DIGITS: u32 = 7;

/// The secret that a phone shares with the sandbox. It has no `Debug`.
#[derive(Clone)]
pub(super) struct Secret([u8; 20]);

impl Secret {
    pub(super) fn new(random: &Random) -> Self {
        Self(random.bytes())
    }

    /// The seven digits of one step.
    pub(super) fn code(&self, step: i64) -> String {
        one_time_code(&self.0, step, DIGITS)
    }
}

/// The number of the step that an instant lies in.
pub(super) fn step(at: DateTime<Utc>) -> i64 {
    at.timestamp().div_euclid(STEP_SECONDS)
}

/// When the step that an instant lies in is over.
pub(super) fn end_of_step(at: DateTime<Utc>) -> DateTime<Utc> {
    at + TimeDelta::seconds(STEP_SECONDS - at.timestamp().rem_euclid(STEP_SECONDS))
        - TimeDelta::nanoseconds(at.timestamp_subsec_nanos().into())
}

fn one_time_code(secret: &[u8], step: i64, digits: u32) -> String {
    #[expect(clippy::expect_used, reason = "HMAC takes keys of every length")]
    let mut mac = Hmac::<Sha1>::new_from_slice(secret).expect("a key");
    mac.update(&step.to_be_bytes());
    let digest = mac.finalize().into_bytes();
    let offset = usize::from(digest[19] & 15);
    let window = [digest[offset] & 0x7f, digest[offset + 1], digest[offset + 2], digest[offset + 3]];
    let number = u32::from_be_bytes(window) % 10_u32.pow(digits);
    format!("{number:0width$}", width = digits as usize)
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&to_hexadecimal(&self.0))
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let mut bytes = [0; 20];
        if text.len() != 40 || !text.is_ascii() {
            return Err(D::Error::custom("a secret has 40 hexadecimal digits"));
        }
        for (index, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[2 * index..2 * index + 2], 16).map_err(D::Error::custom)?;
        }
        Ok(Self(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6238, appendix B, the rows of SHA-1.
    const VECTORS: [(i64, &str); 6] = [
        (59, "94287082"),
        (1_111_111_109, "07081804"),
        (1_111_111_111, "14050471"),
        (1_234_567_890, "89005924"),
        (2_000_000_000, "69279037"),
        (20_000_000_000, "65353130"),
    ];

    #[test]
    fn the_vectors_of_rfc_6238_come_out_with_eight_digits() {
        for (seconds, code) in VECTORS {
            assert_eq!(one_time_code(b"12345678901234567890", seconds / 30, 8), code);
        }
    }

    #[test]
    fn seven_digits_are_the_last_seven_of_the_vectors() {
        let secret = Secret(*b"12345678901234567890");
        for (seconds, code) in VECTORS {
            let at = DateTime::from_timestamp(seconds, 0).unwrap();
            assert_eq!(secret.code(step(at)), code[1..]);
        }
    }

    #[test]
    fn a_step_ends_where_the_next_one_begins() {
        let at = DateTime::from_timestamp(1_800_000_017, 500_000_000).unwrap();
        assert_eq!(end_of_step(at), DateTime::from_timestamp(1_800_000_030, 0).unwrap());
        assert_eq!(step(end_of_step(at)), step(at) + 1);
        assert_eq!(end_of_step(end_of_step(at)), DateTime::from_timestamp(1_800_000_060, 0).unwrap());
    }

    #[test]
    fn a_secret_survives_being_written_and_read() {
        let secret = Secret::new(&Random::from_system().unwrap());
        let text = serde_json::to_string(&secret).unwrap();
        let read: Secret = serde_json::from_str(&text).unwrap();
        assert_eq!(read.0, secret.0);
    }

    #[test]
    fn a_secret_of_another_length_or_alphabet_is_refused() {
        for text in
            [r#""abcd""#.to_owned(), format!("\"{}\"", "g".repeat(40)), format!("\"{}\"", "é".repeat(20))]
        {
            assert!(serde_json::from_str::<Secret>(&text).is_err());
        }
    }
}

//! Keyed hashes of emails: what the service derives from an email that nobody else can derive.
//!
//! Each use has its own label, so that one value says nothing about another. The key is one a database, so that all instances, and each
//! of them after a restart, derive the same.

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::{Zeroize, ZeroizeOnDrop};

const LENGTH: usize = 32;
const FOR_DECOYS: &[u8] = b"countersign decoy v1";
const FOR_LOGS: &[u8] = b"countersign log v1";

/// The key for hashes of emails. It has no `Debug` that shows it.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct EmailKey([u8; LENGTH]);

/// An email as logs show it: the same for each of its attempts, and nobody's without the key. Whether it has an account makes no
/// difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EmailPseudonym(u64);

impl EmailKey {
    /// Makes a key of 32 random bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; LENGTH]) -> Self {
        Self(bytes)
    }

    /// Reads a key as it is stored: 43 characters of base64url.
    #[must_use]
    pub fn from_stored(text: &str) -> Option<Self> {
        URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok().map(Self)
    }

    /// What is stored.
    #[must_use]
    pub fn to_stored(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    /// Where an unknown email lies among all users, as a fraction of 2⁶⁴: what picks the parameters of its decoy.
    #[must_use]
    pub fn decoy_position(&self, email: &str) -> u64 {
        self.hash(FOR_DECOYS, email)
    }

    /// What logs show of an email.
    #[must_use]
    pub fn pseudonym(&self, email: &str) -> EmailPseudonym {
        EmailPseudonym(self.hash(FOR_LOGS, email))
    }

    /// The first eight bytes of HMAC-SHA256 over label, NUL and email.
    fn hash(&self, label: &[u8], email: &str) -> u64 {
        // HMAC takes keys of every length.
        let Ok(mac) = Hmac::<Sha256>::new_from_slice(&self.0) else { return 0 };
        let hash = mac.chain_update(label).chain_update(b"\0").chain_update(email).finalize().into_bytes();
        hash.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
    }
}

impl fmt::Debug for EmailKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("EmailKey(…)")
    }
}

impl fmt::Display for EmailPseudonym {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:016x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> EmailKey {
        EmailKey::from_bytes(std::array::from_fn(|index| u8::try_from(index).unwrap()))
    }

    #[test]
    fn hashes_are_those_of_another_implementation() {
        // Computed with Python's hmac: HMAC-SHA256 over label, NUL, email; the first eight bytes.
        assert_eq!(key().decoy_position("ada@example.com"), 11_757_726_692_169_924_150);
        assert_eq!(key().pseudonym("ada@example.com").to_string(), "1b5a5f59a977fee9");
    }

    #[test]
    fn a_key_is_read_as_it_was_stored() {
        let stored = key().to_stored();
        assert_eq!(stored, "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8");
        assert_eq!(EmailKey::from_stored(&stored).unwrap().to_stored(), stored);
        assert!(EmailKey::from_stored("AAEC").is_none());
        assert!(EmailKey::from_stored("not base64url").is_none());
        assert_eq!(format!("{:?}", key()), "EmailKey(…)");
    }
}

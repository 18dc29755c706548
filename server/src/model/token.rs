//! Approval tokens, session tokens, device tokens, and what of them may be stored.
//!
//! All are 256 bits. Only their SHA-256 is stored: they are random, so a slow hash would add nothing. Session and device
//! token are *derived* from the login token with a stored salt, so that whoever holds the login token can be given the
//! same ones again after a lost connection, and the database alone can give them to nobody.

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hkdf::Hkdf;
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, ZeroizeOnDrop};

const LENGTH: usize = 32;
/// Binds the derivation to its purpose (RFC 5869 §3.2).
const SESSION_LABEL: &[u8] = b"countersign session token v1";
const DEVICE_LABEL: &[u8] = b"countersign device token v1";

/// The secret handle of a login.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct LoginToken([u8; LENGTH]);

/// The secret that a signed-in person presents.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct SessionToken([u8; LENGTH]);

/// What a browser presents in which somebody has signed in before. It stands for neither factor.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct DeviceToken([u8; LENGTH]);

/// The salt that makes a login token's session and device token; worthless without the login token.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct SessionSalt([u8; LENGTH]);

/// What is stored of a token: its SHA-256, base64url.
#[derive(Clone, PartialEq, Eq)]
pub struct TokenHash(String);

/// Text that is no token. It says nothing about the text.
#[derive(Debug, thiserror::Error)]
#[error("this is not a token")]
pub struct NotAToken;

/// What all tokens have in common.
macro_rules! tokens {
    ($($name:ident),*) => {$(
        impl $name {
            /// Reads a token as it was handed out: 43 characters of base64url.
            pub fn parse(text: &str) -> Result<Self, NotAToken> {
                decode(text).map(Self)
            }

            /// The text to hand out.
            #[must_use]
            pub fn reveal(&self) -> String {
                URL_SAFE_NO_PAD.encode(self.0)
            }

            /// What may be stored.
            #[must_use]
            pub fn hash(&self) -> TokenHash {
                hash(&self.0)
            }
        }
    )*};
}
tokens!(LoginToken, SessionToken, DeviceToken);

impl LoginToken {
    /// Makes a token of 32 random bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; LENGTH]) -> Self {
        Self(bytes)
    }

    /// The session token that belongs to this login.
    #[must_use]
    pub fn derive_session_token(&self, salt: &SessionSalt) -> SessionToken {
        SessionToken(self.derive(salt, SESSION_LABEL))
    }

    /// The device token that belongs to this login.
    #[must_use]
    pub fn derive_device_token(&self, salt: &SessionSalt) -> DeviceToken {
        DeviceToken(self.derive(salt, DEVICE_LABEL))
    }

    /// HKDF-SHA256 (RFC 5869) over the login token with the login's salt.
    fn derive(&self, salt: &SessionSalt, label: &[u8]) -> [u8; LENGTH] {
        let mut derived = [0; LENGTH];
        #[expect(
            clippy::expect_used,
            reason = "RFC 5869 §2.3: the output may have 255 * 32 bytes, this has 32"
        )]
        Hkdf::<Sha256>::new(Some(&salt.0), &self.0)
            .expand(label, &mut derived)
            .expect("32 bytes are not too many");
        derived
    }
}

impl SessionSalt {
    /// Makes a salt of 32 random bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; LENGTH]) -> Self {
        Self(bytes)
    }

    /// Reads a stored salt.
    pub fn from_stored(text: &str) -> Result<Self, NotAToken> {
        decode(text).map(Self)
    }

    /// The text to store.
    #[must_use]
    pub fn to_stored(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }
}

impl TokenHash {
    /// The hash as it is stored.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn decode(text: &str) -> Result<[u8; LENGTH], NotAToken> {
    let mut bytes = [0; LENGTH];
    match URL_SAFE_NO_PAD.decode_slice(text, &mut bytes) {
        Ok(LENGTH) => Ok(bytes),
        _ => Err(NotAToken),
    }
}

fn hash(bytes: &[u8; LENGTH]) -> TokenHash {
    TokenHash(URL_SAFE_NO_PAD.encode(Sha256::digest(bytes)))
}

macro_rules! hide {
    ($($name:ident),*) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(concat!(stringify!($name), "(…)"))
            }
        }
    )*};
}
hide!(LoginToken, SessionToken, DeviceToken, SessionSalt, TokenHash);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_reads_back_what_it_revealed() {
        let token = LoginToken::from_bytes([7; LENGTH]);
        assert_eq!(token.reveal().len(), 43);
        assert_eq!(LoginToken::parse(&token.reveal()).unwrap().hash(), token.hash());
    }

    #[test]
    fn the_session_token_is_the_same_each_time_and_differs_with_salt_and_login() {
        let (one, other) = (LoginToken::from_bytes([1; LENGTH]), LoginToken::from_bytes([2; LENGTH]));
        let (salt, pepper) = (SessionSalt::from_bytes([3; LENGTH]), SessionSalt::from_bytes([4; LENGTH]));
        let derived = one.derive_session_token(&salt).reveal();
        assert_eq!(derived, one.derive_session_token(&salt).reveal());
        assert_ne!(derived, one.derive_session_token(&pepper).reveal());
        assert_ne!(derived, other.derive_session_token(&salt).reveal());
        assert_ne!(derived, one.reveal());
        assert_ne!(derived, one.derive_device_token(&salt).reveal());
    }

    #[test]
    fn the_derivation_never_changes_by_accident() {
        // Computed with an independent implementation of RFC 5869 (Python's hmac).
        let token = LoginToken::from_bytes([1; LENGTH]);
        let derived = token.derive_session_token(&SessionSalt::from_bytes([3; LENGTH]));
        assert_eq!(derived.reveal(), "9WBYH5QyiAVMvRkK236NRDJLZfm3N_x4OlfWKk1fGBk");
        let derived = token.derive_device_token(&SessionSalt::from_bytes([3; LENGTH]));
        assert_eq!(derived.reveal(), "sOPUVsbOuPf4TJXiG_CZ228ngPM1VCt7B2dCepaP0os");
    }

    #[test]
    fn what_is_no_token_is_refused_and_never_shown() {
        for text in ["", "short", &"A".repeat(42), &"A".repeat(44), &"é".repeat(43), &"A".repeat(100_000)] {
            assert!(LoginToken::parse(text).is_err());
        }
        let token = SessionToken::parse(&"A".repeat(43)).unwrap();
        assert_eq!(format!("{token:?} {:?}", token.hash()), "SessionToken(…) TokenHash(…)");
    }
}

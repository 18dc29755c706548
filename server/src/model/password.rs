//! A password in the one form that it is hashed in, and which ones a new account may have.
//!
//! Not the hash; and there are no composition rules: [`guessing`](super::guessing) judges how soon it would be guessed.
//! The invariant: what was accepted at signup is the same bytes when it is offered at login, however the keyboard composed
//! its letters.

use std::fmt;

use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

use super::guessing::{FamiliarWords, is_soon_guessed};

const MIN_CODE_POINTS: usize = 8;
const MAX_CODE_POINTS: usize = 128;
const MAX_BYTES: usize = 1_024;
/// Decomposed letters are longer than what they become; nothing beyond this can shrink to 1,024 bytes.
const MAX_INPUT_BYTES: usize = 4 * MAX_BYTES;

/// A password: NFC, at most 1,024 bytes. Wiped from memory when dropped.
pub struct Password(Zeroizing<String>);

/// Text that no new account may have as its password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPassword {
    /// Fewer than 8 code points.
    #[error("the password has fewer than {MIN_CODE_POINTS} characters")]
    TooShort,
    /// More than 128 code points, or more than 1,024 bytes.
    #[error("the password has more than {MAX_CODE_POINTS} characters")]
    TooLong,
    /// It contains the character NUL, at which other programs would cut it off.
    #[error("the password contains a NUL character")]
    ContainsNul,
    /// It would be guessed soon: it is common, made of common words, or of what is known of the person.
    #[error("the password is easy to guess")]
    Common,
}

impl Password {
    /// Reads a password for a new account, which must satisfy the policy. `familiar` is what others know of its owner.
    /// Takes milliseconds of computing.
    pub fn parse(text: &str, familiar: &FamiliarWords) -> Result<Self, InvalidPassword> {
        let password = Self::of_valid_form(text)?;
        if is_soon_guessed(&password.0, familiar) {
            return Err(InvalidPassword::Common);
        }
        Ok(password)
    }

    /// Checks everything about a password for a new account but how soon it is guessed: the work of microseconds.
    pub fn check_form(text: &str) -> Result<(), InvalidPassword> {
        Self::of_valid_form(text).map(drop)
    }

    fn of_valid_form(text: &str) -> Result<Self, InvalidPassword> {
        let password = Self::offered(text).ok_or(InvalidPassword::TooLong)?;
        let code_points = password.0.chars().count();
        if code_points > MAX_CODE_POINTS {
            return Err(InvalidPassword::TooLong);
        }
        if password.0.contains('\0') {
            return Err(InvalidPassword::ContainsNul);
        }
        if code_points < MIN_CODE_POINTS {
            return Err(InvalidPassword::TooShort);
        }
        Ok(password)
    }

    /// Reads a password that somebody offers at login: nothing but the length is judged, so that an account from before
    /// a change of policy can still get in. `None` for more than 1,024 bytes, which no account has.
    #[must_use]
    pub fn offered(text: &str) -> Option<Self> {
        if text.len() > MAX_INPUT_BYTES {
            return None;
        }
        // NFC makes no text longer than three times (UAX #15 §9); a string that grows would leave a copy in memory.
        let mut normal = Zeroizing::new(String::with_capacity(3 * text.len()));
        normal.extend(text.nfc());
        (normal.len() <= MAX_BYTES).then_some(Self(normal))
    }

    /// What is hashed.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Password(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> Option<InvalidPassword> {
        let familiar = FamiliarWords::of(["ada.lovelace@example.com", "Ada Lovelace", "Countersign"]);
        Password::parse(text, &familiar).err()
    }

    #[test]
    fn a_password_that_is_soon_guessed_is_refused() {
        for text in ["Password1!", "Ada Lovelace", "Countersign"] {
            assert_eq!(refusal(text), Some(InvalidPassword::Common), "{text}");
        }
        assert_eq!(refusal("correct horse battery staple"), None);
    }

    #[test]
    fn the_form_is_checked_without_the_lists() {
        assert_eq!(Password::check_form("password"), Ok(()));
        for text in ["short", "with\0nul in it", &"n".repeat(129)] {
            assert_eq!(Password::check_form(text).err(), refusal(text), "{text}");
        }
    }

    #[test]
    fn the_limits_are_counted_in_code_points() {
        assert_eq!(refusal("Xk7#pQ2"), Some(InvalidPassword::TooShort));
        assert_eq!(refusal("ÄÖÜßéèê"), Some(InvalidPassword::TooShort));
        assert_eq!(refusal(&"né".repeat(64)), Some(InvalidPassword::Common));
        let sentence = "Der Maulwurf gräbt am Dienstag siebzehn Löcher in Großmutters Rasen und zählt sie nachts im \
                        Mondlicht noch einmal, weil er nicht schläft";
        assert_eq!(refusal(&sentence.chars().take(128).collect::<String>()), None);
        assert_eq!(refusal(&"n".repeat(129)), Some(InvalidPassword::TooLong));
        assert_eq!(refusal(&"n".repeat(1 << 20)), Some(InvalidPassword::TooLong));
        assert_eq!(refusal(""), Some(InvalidPassword::TooShort));
    }

    #[test]
    fn the_limit_in_bytes_holds_after_normalising() {
        // U+1D160 becomes three characters of four bytes each in NFC.
        assert_eq!(refusal(&"\u{1d160}".repeat(86)), Some(InvalidPassword::TooLong));
        assert!(Password::offered(&"\u{1d160}".repeat(86)).is_none());
        assert!(Password::offered(&"x".repeat(1_024)).is_some());
        assert!(Password::offered(&"x".repeat(1_025)).is_none());
        assert!(Password::offered(&"e\u{301}".repeat(512)).is_some());
    }

    #[test]
    fn nul_is_refused() {
        assert_eq!(refusal("Xk7#pQ2vz\0"), Some(InvalidPassword::ContainsNul));
    }

    #[test]
    fn one_password_is_the_same_bytes_however_it_is_composed() {
        let composed = Password::parse("n\u{e9}cessaire et utile", &FamiliarWords::default()).unwrap();
        let offered = Password::offered("ne\u{301}cessaire et utile").unwrap();
        assert_eq!(composed.as_bytes(), offered.as_bytes());
    }

    #[test]
    fn blanks_belong_to_a_password() {
        assert_eq!(Password::offered(" x ").unwrap().as_bytes(), b" x ");
    }

    #[test]
    fn any_password_may_be_offered() {
        for text in ["", "x", "password", "a\0b"] {
            assert_eq!(Password::offered(text).unwrap().as_bytes(), text.as_bytes());
        }
    }

    #[test]
    fn debug_does_not_show_the_password() {
        assert_eq!(format!("{:?}", Password::offered("hunter2").unwrap()), "Password(…)");
    }
}

//! A password in the one form that it is hashed in, and which ones a new account may have.
//!
//! Not the hash, and no strength meter: there are no composition rules. The invariant: what was accepted at signup is
//! the same bytes when it is offered at login, however the keyboard composed its letters.

use std::fmt;

use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;
use zxcvbn::{matching::patterns::MatchPattern, zxcvbn};

const MIN_CODE_POINTS: usize = 8;
const MAX_CODE_POINTS: usize = 128;
const MAX_BYTES: usize = 1_024;
/// Decomposed letters are longer than what they become; nothing beyond this can shrink to 1,024 bytes.
const MAX_INPUT_BYTES: usize = 4 * MAX_BYTES;
/// The lists' entries are shorter, and asking costs time that grows with the square of the length.
const MAX_COMMON_CODE_POINTS: usize = 32;
/// Each of these signs can stand for a letter and multiplies the spellings that are looked up; common passwords have few.
const LETTER_SIGNS: &str = "@({[<!|$+%";
const MAX_LETTER_SIGNS: usize = 4;
/// As many as the list of common passwords has, with some room for capitals and exchanged letters.
const FEWEST_GUESSES: u64 = 100_000;

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
    /// It is among the first that anybody would try.
    #[error("the password is one of the first that anybody would try")]
    Common,
}

impl Password {
    /// Reads a password for a new account, which must satisfy the policy. Takes a few milliseconds of computing.
    pub fn parse(text: &str) -> Result<Self, InvalidPassword> {
        let password = Self::of_valid_form(text)?;
        if is_common(&password.0) {
            return Err(InvalidPassword::Common);
        }
        Ok(password)
    }

    /// Checks everything about a password for a new account but whether it is common: the work of microseconds.
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

/// Whether the whole password is one thing that a guesser tries early: an entry of the lists that zxcvbn ships (leaked
/// passwords, frequent words and names; also reversed, or with letters exchanged for look-alikes), one repeated
/// character, a run on the keyboard, a date.
fn is_common(password: &str) -> bool {
    if !is_cheap_to_judge(password) {
        return false;
    }
    let estimate = zxcvbn(password, &[]);
    match estimate.sequence() {
        [whole] => whole.pattern != MatchPattern::BruteForce && estimate.guesses() < FEWEST_GUESSES,
        _ => false,
    }
}

/// Whether zxcvbn needs no more than a few milliseconds; its worst passwords take a hundred times as long.
fn is_cheap_to_judge(password: &str) -> bool {
    let signs = LETTER_SIGNS.chars().filter(|sign| password.contains(*sign)).count();
    password.chars().count() <= MAX_COMMON_CODE_POINTS && signs <= MAX_LETTER_SIGNS
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> Option<InvalidPassword> {
        Password::parse(text).err()
    }

    #[test]
    fn common_passwords_are_refused() {
        for text in [
            "password",
            "password1",
            "12345678",
            "qwertyuiop",
            "iloveyou",
            "Password1",
            "PASSWORD",
            "passw0rd",
            "p@ssw0rd",
            "sunshine",
            "princess",
            "password123",
            "letmein1",
            "drowssap",
            "1q2w3e4r",
            "aaaaaaaa",
            "11111111",
            "abcdefgh",
            "!@#$%^&*",
            "asdfghjkl",
        ] {
            assert_eq!(refusal(text), Some(InvalidPassword::Common), "{text}");
        }
    }

    #[test]
    fn everything_else_of_the_right_length_is_accepted() {
        for text in [
            "correct horse battery staple",
            "tr0ub4dor&3x",
            "Xk7#pQ2v",
            "пароль-от-дома",
            "日本語のパスワード",
            "        x",
        ] {
            assert_eq!(refusal(text), None, "{text}");
        }
    }

    #[test]
    fn a_password_that_is_costly_to_judge_is_not_judged() {
        assert!(is_cheap_to_judge("p@$$w0rd!"));
        assert!(is_cheap_to_judge(&"é".repeat(32)));
        assert!(!is_cheap_to_judge(&"é".repeat(33)));
        assert!(!is_cheap_to_judge("4@8({[<36912"));
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
        assert_eq!(refusal(&"né".repeat(64)), None);
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
        assert_eq!(refusal("Xk7#pQ2v\0"), Some(InvalidPassword::ContainsNul));
    }

    #[test]
    fn one_password_is_the_same_bytes_however_it_is_composed() {
        let composed = Password::parse("n\u{e9}cessaire et utile").unwrap();
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

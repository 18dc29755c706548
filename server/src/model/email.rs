//! An email address in the one form that it is stored, compared and sent in.
//!
//! Not a proof that the address exists or belongs to anybody. The invariant: equal addresses are equal as text, so that
//! the database can hold them unique as such.

use std::fmt;

use unicode_normalization::UnicodeNormalization;

use super::text::{is_deceptive, is_shaping};

const MAX_BYTES: usize = 254;
const MAX_LOCAL_BYTES: usize = 64;
const MAX_LABEL_BYTES: usize = 63;
/// Normalising costs time that grows with the input; nothing longer than this can shrink to an address.
const MAX_INPUT_BYTES: usize = 1_024;

/// An email address: trimmed, NFC, lower-cased.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Email(String);

/// Text that is no email address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidEmail {
    /// More than 254 bytes in all, or more than 64 before the `@` (RFC 5321 §4.5.3.1).
    #[error("the email address is too long")]
    TooLong,
    /// Not one `@` between a name and a domain with a dot, or characters that no address has unquoted.
    #[error("this is not an email address")]
    Malformed,
}

impl Email {
    /// Reads an address as a person typed it.
    ///
    /// Letters of every script are allowed on both sides (RFC 6531); quoted names and address literals, which are
    /// valid and which nobody has, are not.
    pub fn parse(text: &str) -> Result<Self, InvalidEmail> {
        let text = text.trim();
        if text.len() > MAX_INPUT_BYTES {
            return Err(InvalidEmail::TooLong);
        }
        let lower: String = text.nfc().flat_map(char::to_lowercase).nfc().collect();
        if lower.len() > MAX_BYTES {
            return Err(InvalidEmail::TooLong);
        }
        let (local, domain) = lower.split_once('@').ok_or(InvalidEmail::Malformed)?;
        if local.len() > MAX_LOCAL_BYTES {
            return Err(InvalidEmail::TooLong);
        }
        if is_local_part(local) && is_domain(domain) { Ok(Self(lower)) } else { Err(InvalidEmail::Malformed) }
    }

    /// Takes an address back from the database, where only parsed ones are written.
    #[must_use]
    pub const fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// The address.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Email {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Email(…)")
    }
}

/// Atoms with single dots between them (RFC 5322 §3.2.3).
fn is_local_part(local: &str) -> bool {
    local.split('.').all(|atom| !atom.is_empty() && atom.chars().all(is_atom_character))
}

fn is_atom_character(character: char) -> bool {
    if character.is_ascii() {
        character.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(character)
    } else {
        is_foreign_letter(character)
    }
}

/// At least two labels, the last of which is no number (an address such as `a@10.0.0.1` is not a domain).
fn is_domain(domain: &str) -> bool {
    let mut labels = domain.rsplit('.');
    let Some(top) = labels.next() else { return false };
    let rest: Vec<&str> = labels.collect();
    is_label(top)
        && !top.bytes().all(|byte| byte.is_ascii_digit())
        && !rest.is_empty()
        && rest.into_iter().all(is_label)
}

fn is_label(label: &str) -> bool {
    !label.is_empty()
        && label.len() <= MAX_LABEL_BYTES
        && !label.starts_with('-')
        && !label.ends_with('-')
        && label.chars().all(|character| {
            character.is_ascii_alphanumeric()
                || character == '-'
                || (!character.is_ascii() && is_foreign_letter(character))
        })
}

fn is_foreign_letter(character: char) -> bool {
    !character.is_control()
        && !character.is_whitespace()
        && !is_deceptive(character)
        && !is_shaping(character)
        // What NFKC turns into ASCII looks like an `@` or a dot and is none: ＠, ．, ﹫ and their like.
        && std::iter::once(character).nfkc().all(|plain| !plain.is_ascii() || plain.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> String {
        Email::parse(text).expect(text).as_str().to_owned()
    }

    #[test]
    fn an_address_is_trimmed_and_lower_cased() {
        assert_eq!(parsed("  Ada.Lovelace+News@Example.COM\n"), "ada.lovelace+news@example.com");
    }

    #[test]
    fn two_spellings_of_one_letter_are_one_address() {
        assert_eq!(parsed("Jose\u{301}@exa\u{301}mple.com"), parsed("JOS\u{c9}@EX\u{c1}MPLE.com"));
    }

    #[test]
    fn a_letter_that_composes_only_in_lower_case_is_composed() {
        assert_eq!(parsed("T\u{308}@example.com"), "\u{1e97}@example.com");
    }

    #[test]
    fn reading_an_address_again_changes_nothing() {
        for text in ["İ@example.com", "ΑΣ@example.com", "ŉ@example.com", "a@straße.de", "用户@例子.广告"]
        {
            let once = parsed(text);
            assert_eq!(parsed(&once), once);
        }
    }

    #[test]
    fn usual_and_unusual_addresses_are_accepted() {
        for text in
            ["a@b.co", "o'hara@example.ie", "x_y-z=1@sub.domain.example", "1@1.travel", "a@xn--bcher-kva.de"]
        {
            assert!(Email::parse(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            " ",
            "@",
            "a",
            "a@",
            "@b.co",
            "a@b",
            "a@@b.co",
            "a@b@c.co",
            ".a@b.co",
            "a.@b.co",
            "a..b@c.co",
            "a b@c.co",
            "a@b c.co",
            "a@.co",
            "a@b.",
            "a@b..co",
            "a@-b.co",
            "a@b-.co",
            "a@10.0.0.1",
            "a@[10.0.0.1]",
            "\"a\"@b.co",
            "a\u{0}@b.co",
            "a\n@b.co",
            "a@b.co\r\nBcc: x@y.zz",
            "<a@b.co>",
            "a,b@c.co",
            "a@b_c.co",
            "a\u{202e}@b.co",
            "a\u{200b}@b.co",
            "a\u{200d}@b.co",
            "a\u{fe0f}@b.co",
            "a@b\u{a0}c.co",
            "a\u{ff20}b@c.co",
            "a@b\u{ff0e}co",
        ] {
            assert_eq!(Email::parse(text).unwrap_err(), InvalidEmail::Malformed, "{text:?}");
        }
    }

    #[test]
    fn the_limits_are_the_standards() {
        let local = "a".repeat(64);
        let label = "b".repeat(63);
        assert!(Email::parse(&format!("{local}@{label}.co")).is_ok());
        assert_eq!(Email::parse(&format!("a{local}@b.co")), Err(InvalidEmail::TooLong));
        assert_eq!(Email::parse(&format!("a@b{label}.co")), Err(InvalidEmail::Malformed));
        assert_eq!(Email::parse(&format!("{local}@{label}.{label}.{label}.co")), Err(InvalidEmail::TooLong));
        assert_eq!(Email::parse(&"a".repeat(1 << 20)), Err(InvalidEmail::TooLong));
    }

    #[test]
    fn debug_does_not_show_the_address() {
        assert_eq!(format!("{:?}", Email::parse("ada@example.com").unwrap()), "Email(…)");
    }
}

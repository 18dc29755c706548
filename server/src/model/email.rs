//! An email address in the one form that it is stored, compared and sent in.
//!
//! Not a proof that the address exists or belongs to anybody. The invariant: equal addresses are equal as text, so that
//! the database can hold them unique as such.

use std::fmt;

use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};
use unicode_normalization::UnicodeNormalization;

use super::text::{is_deceptive, is_shaping, trimmed};

const MAX_BYTES: usize = 254;
const MAX_LOCAL_BYTES: usize = 64;
const MAX_LABEL_BYTES: usize = 63;
/// Normalising costs time that grows with the input; nothing longer than this can shrink to an address.
const MAX_INPUT_BYTES: usize = 1_024;

/// An email address: trimmed; before the `@` in NFC and lower case, behind it a domain in ASCII (A-labels, UTS #46).
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
    /// Letters of every script are allowed on both sides (RFC 6531), and dots anywhere before the `@`, as in HTML's own
    /// rule: carriers in Japan gave such addresses out. Quoted names and address literals are not allowed.
    ///
    /// `ada@bücher.example` and `ada@xn--bcher-kva.example` are one address: some browsers send what was typed into an
    /// email field in the second form, others in the first.
    pub fn parse(text: &str) -> Result<Self, InvalidEmail> {
        let text = trimmed(text);
        if text.len() > MAX_INPUT_BYTES {
            return Err(InvalidEmail::TooLong);
        }
        let (local, domain) = text.split_once('@').ok_or(InvalidEmail::Malformed)?;
        let local: String = local.nfc().flat_map(folded).nfc().collect();
        let domain = Uts46::new()
            .to_ascii(domain.as_bytes(), AsciiDenyList::STD3, Hyphens::Allow, DnsLength::Ignore)
            .map_err(|_| InvalidEmail::Malformed)?;
        let address = format!("{local}@{domain}");
        if local.len() > MAX_LOCAL_BYTES || address.len() > MAX_BYTES {
            return Err(InvalidEmail::TooLong);
        }
        if is_local_part(&local) && is_domain(&domain) {
            Ok(Self(address))
        } else {
            Err(InvalidEmail::Malformed)
        }
    }

    /// Takes an address back from the database, where only parsed ones are written.
    #[must_use]
    pub const fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// The address, with its domain in ASCII.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the address as its owner writes it, with the domain in the letters of its script.
    #[must_use]
    pub fn to_unicode(&self) -> String {
        let Some((local, domain)) = self.0.split_once('@') else { return self.0.clone() };
        let (domain, _errors) =
            Uts46::new().to_unicode(domain.as_bytes(), AsciiDenyList::STD3, Hyphens::Allow);
        format!("{local}@{domain}")
    }

    /// Whether an address that is stored can be found: releases before this one stored the domain as it was typed.
    #[must_use]
    pub fn is_in_todays_form(&self) -> bool {
        Self::parse(&self.0).is_ok_and(|today| today == *self)
    }
}

impl fmt::Debug for Email {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Email(…)")
    }
}

/// The lower case of a letter, the same for all letters that share an upper case (`ς` and `σ`): an address is one in capitals, too.
/// Letters whose capital is an ASCII letter's (`ı`, `ſ`) stay what they are.
fn folded(letter: char) -> impl Iterator<Item = char> {
    let mut capital = letter.to_uppercase();
    let letter = match (capital.next(), capital.next()) {
        (Some(capital), None) if !capital.is_ascii() => capital,
        _ => letter,
    };
    letter.to_lowercase()
}

fn is_local_part(local: &str) -> bool {
    !local.is_empty() && local.chars().all(|character| character == '.' || is_atom_character(character))
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
    !label.is_empty() && label.len() <= MAX_LABEL_BYTES && !label.starts_with('-') && !label.ends_with('-')
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
    fn an_address_is_one_in_capitals_whatever_its_script() {
        assert_eq!(parsed("οδυσσευς@example.com"), parsed("ΟΔΥΣΣΕΥΣ@example.com"));
        assert_ne!(parsed("ıvan@example.com"), parsed("ivan@example.com"));
        for letter in char::MIN..=char::MAX {
            let Ok(email) = Email::parse(&format!("a{letter}@example.com")) else { continue };
            assert_eq!(parsed(email.as_str()), email.as_str(), "{letter:?}");
            let capitals: String = email.as_str().split('@').next().unwrap().to_uppercase();
            if capitals.chars().count() == 2 && !capitals.is_ascii() {
                assert_eq!(parsed(&format!("{capitals}@example.com")), email.as_str(), "{letter:?}");
            }
        }
    }

    #[test]
    fn a_domain_is_one_in_every_spelling() {
        // The A-labels are RFC 3492's and UTS #46's own examples, and what browsers show.
        for (domains, expected) in [
            (
                &[
                    "bücher.example",
                    "BÜCHER.example",
                    "bu\u{308}cher.Example",
                    "xn--bcher-kva.example",
                    "XN--BCHER-KVA.example",
                ][..],
                "xn--bcher-kva.example",
            ),
            (&["straße.example", "xn--strae-oqa.example"], "xn--strae-oqa.example"),
            (&["例え.テスト", "例え。テスト", "例え．テスト"], "xn--r8jz45g.xn--zckzah"),
            (&["пример.испытание", "ПРИМЕР.испытание"], "xn--e1afmkfd.xn--80akhbyknj4f"),
            (&["ｅｘａｍｐｌｅ．ｃｏｍ", "exa\u{ad}mple.com", "exa\u{200b}mple.com"], "example.com"),
        ] {
            for domain in domains {
                assert_eq!(parsed(&format!("ada@{domain}")), format!("ada@{expected}"), "{domain}");
            }
        }
    }

    #[test]
    fn people_are_shown_the_domain_in_its_letters() {
        for (text, shown) in [
            ("Ada@BÜCHER.example", "ada@bücher.example"),
            ("ada@xn--bcher-kva.example", "ada@bücher.example"),
            ("ada@example.com", "ada@example.com"),
        ] {
            assert_eq!(Email::parse(text).unwrap().to_unicode(), shown);
        }
        assert_eq!(Email::from_stored("ada@bücher.example".to_owned()).to_unicode(), "ada@bücher.example");
    }

    #[test]
    fn a_stored_address_of_an_older_form_is_known() {
        for (stored, is_todays) in [
            ("ada@example.com", true),
            ("jos\u{e9}@example.com", true),
            ("ada@xn--bcher-kva.example", true),
            ("ada@bücher.example", false),
            ("ada@xn--a.example", false),
        ] {
            assert_eq!(Email::from_stored(stored.to_owned()).is_in_todays_form(), is_todays, "{stored}");
        }
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
        for text in [
            "a@b.co",
            "o'hara@example.ie",
            "x_y-z=1@sub.domain.example",
            "1@1.travel",
            "a@xn--bcher-kva.de",
            "a..b@c.co",
            "a.@b.co",
            ".a@b.co",
            "\u{200e}a@b.co\u{200f}",
        ] {
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
            "a@xn--a.co",
            "a@xn--bcher-kva-.co",
            "a@b\u{ff20}c.co",
            "a@\u{2488}co.co",
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

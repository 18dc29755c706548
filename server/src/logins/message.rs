//! The first line of a push: which account it is about.
//!
//! Anybody can sign up with any email and have its text shown on a stranger's phone. So the line shows at most 64 characters of an
//! email, and before the `@` nothing that a phone makes a link of. The domain stays: the person has to recognise the address.

use crate::model::{Email, LoginPurpose};

/// Characters of the part before the `@` and of the part after it; with the `@` they are 64.
const LONGEST_LOCAL: usize = 24;
const LONGEST_DOMAIN: usize = 39;

/// The line for an approval with this purpose.
pub(super) fn message(purpose: LoginPurpose, email: &Email) -> String {
    let email = shown(email);
    match purpose {
        LoginPurpose::Login => format!("Log in as {email}"),
        LoginPurpose::Signup => format!("Create an account for {email}"),
    }
}

/// An email as a push shows it. Both ends of it stay: the registered name of a domain is its end.
pub(super) fn shown(email: &Email) -> String {
    let email = email.as_str();
    let (local, domain) = email.rsplit_once('@').unwrap_or(("", email));
    let local = if is_like_a_url(local) { "…".to_owned() } else { beginning(local, LONGEST_LOCAL) };
    format!("{local}@{}", end(domain, LONGEST_DOMAIN))
}

/// Whether a phone might make a link of it, or open a page: `www.example.com/a`, `http-example`, `a/b`.
fn is_like_a_url(local: &str) -> bool {
    let is_plain = |character: char| character.is_alphanumeric() || "._+-".contains(character);
    !local.chars().all(is_plain) || ["www.", "http"].iter().any(|start| local.contains(start))
}

fn beginning(text: &str, longest: usize) -> String {
    if text.chars().count() <= longest {
        return text.to_owned();
    }
    text.chars().take(longest - 1).chain(['…']).collect()
}

fn end(text: &str, longest: usize) -> String {
    let excess = text.chars().count().saturating_sub(longest);
    if excess == 0 {
        return text.to_owned();
    }
    // One more makes room for the sign that something is missing.
    ['…'].into_iter().chain(text.chars().skip(excess + 1)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_push_shows_at_most_64_characters_of_an_email_and_no_link() {
        let long = format!("{}@{}.example", "a".repeat(64), "b".repeat(63));
        for (email, expected) in [
            ("ada@example.com", "ada@example.com"),
            ("ada.lovelace+shop_1-2@example.co.uk", "ada.lovelace+shop_1-2@example.co.uk"),
            ("ädä@bücher.example", "ädä@bücher.example"),
            ("www.evil.example/login@example.com", "…@example.com"),
            ("http-evil.example@example.com", "…@example.com"),
            ("your.account/is=locked?call@example.com", "…@example.com"),
            (&long, "aaaaaaaaaaaaaaaaaaaaaaa…@…bbbbbbbbbbbbbbbbbbbbbbbbbbbbbb.example"),
        ] {
            let shown = shown(&Email::from_stored(email.to_owned()));
            assert_eq!(shown, expected);
            assert!(shown.chars().count() <= 64, "{email}");
        }
    }

    #[test]
    fn the_line_says_what_is_asked_for() {
        let email = Email::parse("ada@example.com").unwrap();
        assert_eq!(message(LoginPurpose::Login, &email), "Log in as ada@example.com");
        assert_eq!(message(LoginPurpose::Signup, &email), "Create an account for ada@example.com");
    }
}

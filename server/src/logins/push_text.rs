//! What a push says: first which account it is about.
//!
//! Anybody can sign up with any email and have its text shown on a stranger's phone. So the line shows at most 64 characters of an
//! email, and before the `@` nothing that a phone makes a link of. The domain stays: the person has to recognise the address.

use std::net::IpAddr;

use crate::{
    approvals::{Consequence, PushDetail, PushText},
    model::{Email, SensitiveOperation},
};

/// Characters of the part before the `@` and of the part after it; with the `@` they are 64.
const LONGEST_LOCAL: usize = 24;
const LONGEST_DOMAIN: usize = 39;

/// The text of a push for an approval with this consequence, requested from this address.
pub(super) fn push_text(consequence: &Consequence<'_>, from: Option<IpAddr>) -> PushText {
    let email = shown(match consequence {
        Consequence::CreateUser(signup, _) => &signup.email,
        Consequence::OpenSession(user, _) | Consequence::AllowOperation(user, ..) => &user.email,
    });
    let message = match consequence {
        Consequence::CreateUser(..) => format!("Create an account for {email}"),
        Consequence::OpenSession(..) => format!("Log in as {email}"),
        Consequence::AllowOperation(_, _, operation) => confirmation(*operation, &email),
    };
    let from = from.map_or_else(|| "unknown".to_owned(), |address| address.to_string());
    let details = vec![
        ("Match number", PushDetail::MatchNumber),
        ("Email", PushDetail::Text(email)),
        ("From", PushDetail::Text(from)),
        ("Time", PushDetail::StartedAt),
    ];
    PushText { message, details }
}

fn confirmation(operation: SensitiveOperation, email: &str) -> String {
    match operation {
        SensitiveOperation::ChangePassword => format!("Change the password of {email}"),
        SensitiveOperation::EndSessions => format!("Log other browsers out of {email}"),
        SensitiveOperation::StepUp => format!("Confirm that you are using {email}"),
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
    fn the_line_names_the_operation_that_is_confirmed() {
        let lines =
            SensitiveOperation::ALL.iter().map(|operation| confirmation(*operation, "ada@example.com"));
        assert_eq!(
            lines.collect::<Vec<_>>(),
            [
                "Change the password of ada@example.com",
                "Log other browsers out of ada@example.com",
                "Confirm that you are using ada@example.com",
            ]
        );
    }
}

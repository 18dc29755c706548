//! Stored email addresses that nobody can log in with: releases before UTS #46 stored domains as they were typed.
//!
//! Looks at users page by page and at no more of them than time allows. No address is said, only ids.

use std::time::{Duration, Instant};

use super::Finding;
use crate::storage::{Store, StoreError};

const CHECK: &str = "emails";
const PAGE: i64 = 1_000;
/// Longer than a million users take.
const LOOKS_FOR: Duration = Duration::from_secs(4);
/// The rest is counted.
const MOST_IDS: usize = 20;
const ADVICE: &str = "these people cannot log in: set users.email to the address with its domain in ASCII, where \
                      bücher.example is xn--bcher-kva.example";

/// What was found among the users that were looked at.
#[derive(Debug, Default)]
struct Found {
    outdated: usize,
    /// Of the first of them.
    ids: Vec<String>,
    looked_at: usize,
    is_everybody: bool,
}

/// Returns a warning where stored addresses are not in the form that logins look for, else nothing.
pub(super) async fn check(store: &Store) -> Option<Finding> {
    match look(store, Instant::now()).await {
        Ok(found) => warning(&found),
        Err(error) => Some(Finding::warning(CHECK, format!("they were not looked at: {error}"), "")),
    }
}

async fn look(store: &Store, since: Instant) -> Result<Found, StoreError> {
    let (mut found, mut last) = (Found::default(), String::new());
    while !found.is_everybody && since.elapsed() < LOOKS_FOR {
        let page = store.emails_after(&last, PAGE).await?;
        found.is_everybody = page.is_empty();
        found.looked_at += page.len();
        if let Some((_, email)) = page.last() {
            email.as_str().clone_into(&mut last);
        }
        for (id, _) in page.iter().filter(|(_, email)| !email.is_in_todays_form()) {
            found.outdated += 1;
            if found.ids.len() < MOST_IDS {
                found.ids.push(id.to_string());
            }
        }
    }
    Ok(found)
}

fn warning(found: &Found) -> Option<Finding> {
    let of = if found.is_everybody { "users" } else { "users that were looked at in time" };
    let more = if found.outdated > found.ids.len() { ", …" } else { "" };
    let message = format!(
        "{} of {} {of} have an address with a domain of an older form: {}{more}",
        found.outdated,
        found.looked_at,
        found.ids.join(", ")
    );
    (found.outdated > 0).then(|| Finding::warning(CHECK, message, ADVICE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_addresses_in_todays_form_are_no_finding() {
        assert!(warning(&Found { looked_at: 5, is_everybody: true, ..Found::default() }).is_none());
    }

    #[test]
    fn addresses_of_an_older_form_are_counted_and_the_first_named() {
        let ids: Vec<String> = (1..=20).map(|number| format!("id{number}")).collect();
        let found = Found { outdated: 21, ids, looked_at: 1_000, is_everybody: false };
        let finding = format!("{:?}", warning(&found));
        for part in
            ["21 of 1000 users that were looked at in time", "id1, id2", "id20, …", "xn--bcher-kva.example"]
        {
            assert!(finding.contains(part), "{part}: {finding}");
        }
    }
}

//! What some tests need beyond Rust, a C compiler and make: found on this machine, or named in one line that everybody sees.
//!
//! `TESTS_REQUIRE` lists, with commas, what must be there (`postgres`, `nats`, `node`, `python`, `chromium`, `jemalloc`). Tests that need
//! something else that is missing pass, with one line on standard error for all of them; with its name in the list, they fail.

use std::{
    collections::HashSet,
    sync::{Mutex, PoisonError},
};

use crate::report;

/// Hands on what was found. `None`, after one line on standard error, where it is missing and nobody requires it: the
/// caller returns. The problem says what is missing and what to do about it.
///
/// Fails where `TESTS_REQUIRE` holds the name.
#[must_use]
pub fn require<Found>(name: &'static str, found: Result<Found, String>) -> Option<Found> {
    static MISSED: Mutex<Option<HashSet<&str>>> = Mutex::new(None);
    let problem = match found {
        Ok(found) => return Some(found),
        Err(problem) => problem,
    };
    #[expect(clippy::disallowed_methods, reason = "it is a setting of the tests, not of the server")]
    let required = std::env::var("TESTS_REQUIRE").unwrap_or_default();
    assert!(!is_listed(&required, name), "TESTS_REQUIRE asks for {name}, but {problem}");
    if MISSED.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_default().insert(name) {
        report(&format!("not tested: what needs {name}: {problem}"));
    }
    None
}

fn is_listed(list: &str, name: &str) -> bool {
    list.split(',').any(|listed| listed.trim() == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_required_is_listed_by_its_whole_name() {
        assert!(is_listed("node", "node") && is_listed("postgres, node,python", "node"));
        assert!(!is_listed("", "node") && !is_listed("nodes", "node") && !is_listed("Node", "node"));
    }

    #[test]
    fn what_is_there_is_handed_on() {
        assert_eq!(require("node", Ok(7)), Some(7));
    }
}

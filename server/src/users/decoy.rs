//! Which parameters the password for an unknown email is hashed with.
//!
//! They depend on no user: an email has a position among all users, by a keyed hash that only the service can derive, and the parameters
//! in use are laid out along it, the oldest first, each as wide as it has users. Users who sign up or whose password is hashed again
//! widen the newest parameters. So an unknown email only ever moves from older parameters to newer ones, as a user's email does.

use crate::storage::UsedHashParameters;

/// Picks the parameters at a position, which is a fraction of 2⁶⁴. `None` where there are no users.
pub(super) fn parameters_at(used: &[UsedHashParameters], position: u64) -> Option<&str> {
    let users = |row: &UsedHashParameters| u128::try_from(row.users).unwrap_or_default();
    let all: u128 = used.iter().map(users).sum();
    let mut rank = (u128::from(position) * all) >> u64::BITS;
    for row in used {
        match rank.checked_sub(users(row)) {
            None => return Some(&row.parameters),
            Some(rest) => rank = rest,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::model::EmailKey;

    const EMAILS: usize = 10_000;

    fn key() -> EmailKey {
        EmailKey::from_bytes(*b"a key of thirty-two bytes, fixed")
    }

    fn used(counts: &[(&str, i64)]) -> Vec<UsedHashParameters> {
        counts
            .iter()
            .filter(|(_, users)| *users > 0)
            .map(|(parameters, users)| UsedHashParameters {
                parameters: (*parameters).to_owned(),
                users: *users,
            })
            .collect()
    }

    /// The positions of ten thousand unknown emails, as a process derives them that has read its key from the database.
    fn positions() -> Vec<u64> {
        let key = EmailKey::from_stored(&key().to_stored()).unwrap();
        (0..EMAILS).map(|number| key.decoy_position(&format!("nobody.{number}@example.com"))).collect()
    }

    /// The parameters at each position, as the letter that they begin with: older ones come first.
    fn parameters_of(positions: &[u64], counts: &[(&str, i64)]) -> Vec<char> {
        let used = used(counts);
        let first_letter = |position: &u64| parameters_at(&used, *position).unwrap().chars().next().unwrap();
        positions.iter().map(first_letter).collect()
    }

    #[test]
    fn without_users_there_is_nothing_to_resemble() {
        assert_eq!(parameters_at(&[], 0), None);
        assert_eq!(parameters_at(&used(&[("a", 1)]), 0), Some("a"));
        assert_eq!(parameters_at(&used(&[("a", 1)]), u64::MAX), Some("a"));
        assert_eq!(parameters_at(&used(&[("a", i64::MAX), ("b", i64::MAX)]), u64::MAX), Some("b"));
    }

    #[test]
    fn a_position_lies_among_the_users_of_its_parameters() {
        let used = used(&[("a", 1), ("b", 2), ("c", 1)]);
        let quarter = 1 << 62;
        let picked = |position| parameters_at(&used, position).unwrap();
        assert_eq!(
            [picked(quarter - 1), picked(quarter), picked(3 * quarter - 1), picked(3 * quarter)],
            ["a", "b", "b", "c"]
        );
    }

    #[test]
    fn over_ten_thousand_unknown_emails_the_shares_are_those_of_the_users() {
        for counts in [
            [("a", 700), ("b", 250), ("c", 50)],
            [("a", 1), ("b", 1), ("c", 1)],
            [("a", 2), ("b", 0), ("c", 98)],
        ] {
            let mut found = BTreeMap::<char, usize>::new();
            for parameters in parameters_of(&positions(), &counts) {
                *found.entry(parameters).or_default() += 1;
            }
            let all: i64 = counts.iter().map(|(_, users)| users).sum();
            for (parameters, users) in counts {
                let found = found.get(&parameters.chars().next().unwrap()).copied().unwrap_or_default();
                #[expect(clippy::cast_precision_loss, reason = "small counts")]
                let (share, expected) = (found as f64 / EMAILS as f64, users as f64 / all as f64);
                assert!((share - expected).abs() < 0.03, "{counts:?}: {parameters} has {share}");
            }
        }
    }

    #[test]
    fn over_a_thousand_rehashes_and_signups_no_email_moves_back() {
        let (mut old, mut middle, mut new) = (600, 400, 0);
        let mut positions = positions();
        let mut before = parameters_of(&positions, &[("a", old), ("b", middle), ("c", new)]);
        assert!(before.contains(&'a') && before.contains(&'b') && !before.contains(&'c'));
        for rehash in 0..1_000 {
            // Whoever logs in, in any order; and now and then somebody signs up.
            if rehash % 5 < 3 {
                old -= 1;
            } else {
                middle -= 1;
            }
            new += 1 + i64::from(rehash % 7 == 0);
            if rehash % 100 == 0 {
                // A restart: only the stored key and the counts remain.
                positions = self::positions();
            }
            let now = parameters_of(&positions, &[("a", old), ("b", middle), ("c", new)]);
            assert!(before.iter().zip(&now).all(|(before, now)| before <= now), "after {rehash} rehashes");
            before = now;
        }
        assert_eq!((old, middle), (0, 0));
        assert!(before.iter().all(|parameters| *parameters == 'c'));
    }
}

//! The parameters that users' passwords are hashed with, counted as they change: reading them reads no user.
//!
//! A user who is deleted stays counted until the next `migrate`, and even then no share of older parameters grows: what an unknown email
//! is compared with only ever moves from older parameters to newer ones.

use std::collections::HashMap;

use diesel::{
    prelude::*,
    sql_query,
    sql_types::{BigInt, Text},
};
use diesel_async::RunQueryDsl;

use super::{Store, StoreError, change, on, schema::hash_parameters};

/// Reads all users. A salt, a hash and the dollars before them are 67 characters.
const COUNT: &str = "
    select substr(password_hash, 1, length(password_hash) - 67) as parameters, count(*) as users
    from users where length(password_hash) > 67 group by substr(password_hash, 1, length(password_hash) - 67)";

/// Parameters, and how many users have them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsedHashParameters {
    /// A PHC string up to its salt.
    pub parameters: String,
    /// How many users' passwords were hashed with them; 1 at least.
    pub users: i64,
}

#[derive(QueryableByName)]
struct CountedRow {
    #[diesel(sql_type = Text)]
    parameters: String,
    #[diesel(sql_type = BigInt)]
    users: i64,
}

/// Counts one more user with these parameters (`1`), or one less (`-1`). PostgreSQL locks the row until the commit.
macro_rules! count_hash_parameters {
    ($conn:expr, $parameters:expr, $change:expr, $at:expr) => {{
        let counted = (
            hash_parameters::parameters.eq($parameters),
            hash_parameters::users.eq(i64::max($change, 0)),
            hash_parameters::first_used_at.eq(crate::storage::columns::At($at)),
        );
        diesel::insert_into(hash_parameters::table)
            .values(counted)
            .on_conflict(hash_parameters::parameters)
            .do_update()
            .set(hash_parameters::users.eq(hash_parameters::users + $change))
            .execute($conn)
            .await?
    }};
}

pub(super) use count_hash_parameters;

impl Store {
    /// Finds the parameters that users' passwords are hashed with, the oldest first.
    pub async fn used_hash_parameters(&self) -> Result<Vec<UsedHashParameters>, StoreError> {
        let query = hash_parameters::table
            .filter(hash_parameters::users.gt(0))
            .order((hash_parameters::first_used_at, hash_parameters::parameters))
            .select((hash_parameters::parameters, hash_parameters::users));
        let found: Vec<(String, i64)> = on!(self, |conn| query.load(conn).await?);
        Ok(found.into_iter().map(|(parameters, users)| UsedHashParameters { parameters, users }).collect())
    }

    /// Counts users again, who may have been deleted. For `migrate`: it reads all of them.
    pub(super) async fn recount_hash_parameters(&self) -> Result<(), StoreError> {
        let stored = self.used_hash_parameters().await?;
        let found: Vec<CountedRow> = on!(self, |conn| sql_query(COUNT).load(conn).await?);
        let found = found.into_iter().map(|row| (row.parameters, row.users)).collect();
        for (stored, users) in recounted(&stored, &found) {
            // Unless it has changed meanwhile: then the next time.
            let row = hash_parameters::table
                .find(&stored.parameters)
                .filter(hash_parameters::users.eq(stored.users));
            let update = diesel::update(row).set(hash_parameters::users.eq(users));
            change!(self, |conn| update.execute(conn).await?);
        }
        Ok(())
    }
}

/// Which counts are to change, and to what. Older parameters lose the users who were deleted. The newest ones keep as many as the rest
/// loses: else the share of older parameters would grow, and an unknown email would move back to them.
fn recounted<'a>(
    stored: &'a [UsedHashParameters],
    found: &HashMap<String, i64>,
) -> Vec<(&'a UsedHashParameters, i64)> {
    let Some((newest, older)) = stored.split_last() else { return Vec::new() };
    let found = |row: &UsedHashParameters| found.get(&row.parameters).copied().unwrap_or_default();
    let mut counts: Vec<_> = older.iter().map(|row| (row, found(row).min(row.users))).collect();
    let deleted: i64 = counts.iter().map(|(row, users)| row.users - users).sum();
    counts.push((newest, found(newest).max(newest.users + deleted)));
    counts.retain(|(row, users)| row.users != *users);
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recount_takes_deleted_users_from_older_parameters_only() {
        let row = |parameters: &str, users| UsedHashParameters { parameters: parameters.to_owned(), users };
        let stored = [row("old", 10), row("middle", 10), row("new", 10)];
        let recount = |found: &[(&str, i64)]| -> Vec<(String, i64)> {
            let found = found.iter().map(|(parameters, users)| ((*parameters).to_owned(), *users)).collect();
            recounted(&stored, &found)
                .into_iter()
                .map(|(row, users)| (row.parameters.clone(), users))
                .collect()
        };
        let counts = |expected: &[(&str, i64)]| -> Vec<(String, i64)> {
            expected.iter().map(|(parameters, users)| ((*parameters).to_owned(), *users)).collect()
        };
        assert_eq!(recount(&[("old", 10), ("middle", 10), ("new", 10)]), counts(&[]));
        assert_eq!(
            recount(&[("old", 0), ("middle", 7), ("new", 10)]),
            counts(&[("old", 0), ("middle", 7), ("new", 23)])
        );
        assert_eq!(recount(&[("old", 10), ("middle", 10), ("new", 3)]), counts(&[]));
        // Users whom an older release signed up meanwhile.
        assert_eq!(recount(&[("old", 12), ("middle", 10), ("new", 15)]), counts(&[("new", 15)]));
        assert_eq!(recounted(&[], &HashMap::new()), []);
    }
}

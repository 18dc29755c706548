//! Queries on users.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::{
    Store, StoreError,
    columns::{At, read},
    find,
    hash_parameters::count_hash_parameters,
    on,
    schema::{hash_parameters, users},
    transact,
};
use crate::model::{Credentials, Email, FullName, PasswordHash, Phone, User, UserId};

/// A row of `users`, without what proves the password.
#[derive(Queryable, Selectable)]
#[diesel(table_name = users)]
pub(super) struct UserRow {
    id: String,
    full_name: String,
    email: String,
    country_code: String,
    phone: String,
    created_at: At,
}

impl TryFrom<UserRow> for User {
    type Error = StoreError;

    fn try_from(row: UserRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: read(UserId::parse(&row.id), "users", "id")?,
            full_name: FullName::from_stored(row.full_name),
            email: Email::from_stored(row.email),
            phone: Phone::from_stored(row.country_code, row.phone),
            created_at: row.created_at.0,
        })
    }
}

impl Store {
    /// Finds the user with this email, and what proves their password.
    pub async fn find_credentials(&self, email: &Email) -> Result<Option<Credentials>, StoreError> {
        let query = users::table.filter(users::email.eq(email.as_str()));
        let found: Option<(UserRow, String)> =
            find!(self, query.select((UserRow::as_select(), users::password_hash)));
        found
            .map(|(row, hash)| {
                Ok(Credentials { user: row.try_into()?, password_hash: PasswordHash::new(hash) })
            })
            .transpose()
    }

    /// Returns a page of users' ids and emails, in the order of emails: up to `count` of those behind `after`, which is empty
    /// for the first page.
    pub async fn emails_after(&self, after: &str, count: i64) -> Result<Vec<(UserId, Email)>, StoreError> {
        let page = users::table.filter(users::email.gt(after)).order(users::email).limit(count);
        let query = page.select((users::id, users::email));
        let found: Vec<(String, String)> = on!(self, |conn| query.load(conn).await?);
        let read = |(id, email): (String, String)| {
            Ok((read(UserId::parse(&id), "users", "id")?, Email::from_stored(email)))
        };
        found.into_iter().map(read).collect()
    }

    /// Replaces a password hash, unless it has changed meanwhile. Returns whether it did.
    pub async fn replace_password_hash(
        &self,
        user_id: UserId,
        old: &PasswordHash,
        new: &PasswordHash,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let user_id = user_id.to_string();
        // In one order for all transactions, so that no two wait for each other.
        let mut changes = [(old.parameters(), -1_i64), (new.parameters(), 1_i64)];
        changes.sort_unstable();
        transact!(self, async |conn| {
            let current = users::table.find(&user_id).filter(users::password_hash.eq(old.as_str()));
            let update = diesel::update(current).set(users::password_hash.eq(new.as_str()));
            if update.execute(conn).await? == 0 {
                return Ok(false);
            }
            for (parameters, change) in changes {
                count_hash_parameters!(conn, parameters, change, now);
            }
            Ok::<_, StoreError>(true)
        })
    }
}

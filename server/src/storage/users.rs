//! Queries on users.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::{
    Store, StoreError, change,
    columns::{At, read},
    find, on,
    schema::users,
};
use crate::model::{Claimed, Credentials, Email, FullName, PasswordHash, Phone, User, UserId};

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
    /// Finds the user with this email, and what proves their password; or else the hash of whoever comes next. One statement
    /// either way, which finds the same user each time.
    pub async fn find_credentials(&self, email: &Email) -> Result<Claimed, StoreError> {
        let query = users::table.filter(users::email.ge(email.as_str())).order(users::email);
        let found: Option<(UserRow, String)> =
            find!(self, query.select((UserRow::as_select(), users::password_hash)));
        let Some((row, hash)) = found else { return Ok(Claimed::ByNobody(None)) };
        let password_hash = PasswordHash::new(hash);
        Ok(if row.email == email.as_str() {
            Claimed::ByUser(Credentials { user: row.try_into()?, password_hash })
        } else {
            Claimed::ByNobody(Some(password_hash))
        })
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
    ) -> Result<bool, StoreError> {
        let current = users::table.find(user_id.to_string()).filter(users::password_hash.eq(old.as_str()));
        let update = diesel::update(current).set(users::password_hash.eq(new.as_str()));
        Ok(change!(self, |conn| update.execute(conn).await?) == 1)
    }
}

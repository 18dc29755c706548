//! Secrets that all instances share.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::{Store, StoreError, change, columns::read, find, schema::keys};
use crate::model::EmailKey;

/// The key for hashes of emails.
const EMAIL_KEY: &str = "email";

impl Store {
    /// Finds the key for hashes of emails. `None` before `migrate` has made one.
    pub async fn find_email_key(&self) -> Result<Option<EmailKey>, StoreError> {
        let query = keys::table.find(EMAIL_KEY).select(keys::secret);
        let found: Option<String> = find!(self, query);
        found.map(|secret| read(EmailKey::from_stored(&secret), "keys", "secret")).transpose()
    }

    /// Stores a key for hashes of emails, unless there is one: of several at once, one is stored.
    pub(super) async fn make_email_key(&self, key: &EmailKey) -> Result<(), StoreError> {
        let insert = diesel::insert_into(keys::table)
            .values((keys::name.eq(EMAIL_KEY), keys::secret.eq(key.to_stored())))
            .on_conflict_do_nothing();
        change!(self, |conn| insert.execute(conn).await?);
        Ok(())
    }
}

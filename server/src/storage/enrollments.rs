//! Queries on enrollments: how a provider knows a user.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::{Store, StoreError, change, columns::At, find, schema::enrollments};
use crate::model::{ProviderUserId, UserId};

impl Store {
    /// Finds how a provider knows a user.
    pub async fn find_enrollment(
        &self,
        user_id: UserId,
        provider: &str,
    ) -> Result<Option<ProviderUserId>, StoreError> {
        let query =
            enrollments::table.find((user_id.to_string(), provider)).select(enrollments::provider_user_id);
        let found: Option<String> = find!(self, query);
        Ok(found.map(ProviderUserId::new))
    }

    /// Remembers how a provider knows a user, in place of what was remembered before.
    pub async fn save_enrollment(
        &self,
        user_id: UserId,
        provider: &str,
        provider_user_id: &ProviderUserId,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let insert = diesel::insert_into(enrollments::table)
            .values((
                enrollments::user_id.eq(user_id.to_string()),
                enrollments::provider.eq(provider),
                enrollments::provider_user_id.eq(provider_user_id.as_str()),
                enrollments::created_at.eq(At(now)),
            ))
            .on_conflict((enrollments::user_id, enrollments::provider))
            .do_update()
            .set(enrollments::provider_user_id.eq(provider_user_id.as_str()));
        change!(self, |conn| insert.execute(conn).await?);
        Ok(())
    }
}

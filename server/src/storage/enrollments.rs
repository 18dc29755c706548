//! Queries on enrollments: how a provider knows a user.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::{Store, StoreError, change, columns::At, on, schema::enrollments};
use crate::model::{ProviderUserId, UserId};

impl Store {
    /// Returns a user's enrollments: the name of each provider, and its id of the user.
    pub async fn enrollments_of(&self, user_id: UserId) -> Result<Vec<(String, ProviderUserId)>, StoreError> {
        let query = enrollments::table
            .filter(enrollments::user_id.eq(user_id.to_string()))
            .select((enrollments::provider, enrollments::provider_user_id));
        let found: Vec<(String, String)> = on!(self, |conn| query.load(conn).await?);
        Ok(found.into_iter().map(|(provider, id)| (provider, ProviderUserId::new(id))).collect())
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

//! Pushes: which login one belongs to, and what becomes of it.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::{LoginRow, OPEN};
use crate::{
    model::{ApprovalRequestId, Login, LoginId, LoginState, LoginStep, ProviderUserId},
    storage::{
        Store, StoreError,
        budgets::end_hold,
        change,
        columns::{At, read},
        find,
        schema::{budgets, logins},
        transact,
    },
};

impl Store {
    /// Remembers that a push is out, and gives the login as it is then. `None`, and nothing changes, where the phone has
    /// answered already: it was faster.
    pub async fn record_push(
        &self,
        id: LoginId,
        push: &ApprovalRequestId,
        ask_at: DateTime<Utc>,
    ) -> Result<Option<Login>, StoreError> {
        let waiting = logins::table
            .find(id.to_string())
            .filter(logins::state.eq(LoginState::Pending.as_str()))
            .filter(logins::approval_request_id.is_null());
        let update = diesel::update(waiting).set((
            logins::approval_request_id.eq(push.as_str()),
            logins::next_step.eq(LoginStep::ApproveOnPhone.as_str()),
            logins::ask_at.eq(Some(At(ask_at))),
        ));
        let recorded: Option<LoginRow> = change!(self, |conn| update
            .returning(LoginRow::as_returning())
            .get_result(conn)
            .await
            .optional()?);
        recorded.map(Login::try_from).transpose()
    }

    /// Forgets the number of a push that was not sent: there is nothing to compare it with.
    pub async fn forget_match_number(&self, id: LoginId) -> Result<(), StoreError> {
        let update =
            diesel::update(logins::table.find(id.to_string())).set(logins::match_number.eq(None::<&str>));
        change!(self, |conn| update.execute(conn).await?);
        Ok(())
    }

    /// Has a login that was begun survive a power cut, where nothing else is written of it. SQLite writes only what differs: so
    /// it is the instant that does.
    pub async fn keep_login(&self, id: LoginId, now: DateTime<Utc>) -> Result<(), StoreError> {
        let update = diesel::update(logins::table.find(id.to_string())).set(logins::changed_at.eq(At(now)));
        change!(self, |conn| update.execute(conn).await?);
        Ok(())
    }

    /// Remembers under which id the provider knows the person of this login now.
    pub async fn record_provider_user(&self, id: LoginId, user: &ProviderUserId) -> Result<(), StoreError> {
        let update = diesel::update(logins::table.find(id.to_string()))
            .set(logins::provider_user_id.eq(user.as_str()));
        change!(self, |conn| update.execute(conn).await?);
        Ok(())
    }

    /// Finds the login that a push belongs to: by the push's handle, or by the login's own id while we have not yet
    /// written the handle down. The person must be the right one either way.
    pub async fn find_login_of_push(
        &self,
        provider: &str,
        push: &ApprovalRequestId,
        login_id: Option<LoginId>,
        user: &ProviderUserId,
    ) -> Result<Option<LoginId>, StoreError> {
        let by_push = logins::table
            .filter(logins::provider.eq(provider))
            .filter(logins::approval_request_id.eq(push.as_str()))
            .filter(logins::provider_user_id.eq(user.as_str()))
            .select(logins::id);
        let mut found: Option<String> = find!(self, by_push);
        if let (None, Some(login_id)) = (&found, login_id) {
            let by_id = logins::table
                .find(login_id.to_string())
                .filter(logins::provider.eq(provider))
                // Or written down since the first look.
                .filter(
                    logins::approval_request_id.is_null().or(logins::approval_request_id.eq(push.as_str())),
                )
                .filter(logins::provider_user_id.eq(user.as_str()))
                .select(logins::id);
            found = find!(self, by_id);
        }
        found.map(|id| read(LoginId::parse(&id), "logins", "id")).transpose()
    }

    /// Remembers that the provider no longer waits for the phone: nobody asks any more, and a person who was to approve
    /// types a code instead. Returns whether that is news to them.
    pub async fn record_push_gone(&self, id: LoginId, now: DateTime<Utc>) -> Result<bool, StoreError> {
        let this = id.to_string();
        transact!(self, async |conn| {
            let update = diesel::update(logins::table.find(&this)).set(logins::ask_at.eq(None::<At>));
            let held: Option<(Option<String>, At)> = update
                .returning((logins::push_place, logins::expires_at))
                .get_result(conn)
                .await
                .optional()?;
            if let Some((Some(place), At(until))) = held {
                end_hold!(conn, place, until, now);
            }
            let waiting = logins::table
                .find(&this)
                .filter(logins::state.eq_any(OPEN))
                .filter(logins::next_step.eq(LoginStep::ApproveOnPhone.as_str()));
            let update = diesel::update(waiting).set((
                logins::next_step.eq(LoginStep::EnterCode.as_str()),
                logins::sequence.eq(logins::sequence + 1),
                logins::changed_at.eq(At(now)),
            ));
            Ok::<_, StoreError>(update.execute(conn).await? == 1)
        })
    }
}

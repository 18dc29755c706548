//! Pushes: which login one belongs to, and when the provider is asked about it.

use chrono::{DateTime, Utc};
use diesel::{dsl::min, prelude::*};
use diesel_async::RunQueryDsl;

use super::OPEN;
use crate::{
    model::{ApprovalRequestId, LoginId, LoginState, LoginStep, ProviderUserId},
    storage::{
        Store, StoreError,
        columns::{At, read},
        on,
        schema::logins,
    },
};

/// A login that is to be looked after: asked about, or ended.
#[derive(Clone, Debug)]
pub struct OpenLogin {
    /// Which.
    pub id: LoginId,
    /// Its push, where the phone can still answer one.
    pub open_push: Option<ApprovalRequestId>,
    /// How often the provider has been asked about it.
    pub asks: i32,
    /// Its deadline.
    pub expires_at: DateTime<Utc>,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = logins)]
pub(super) struct OpenLoginRow {
    id: String,
    approval_request_id: Option<String>,
    verdict: Option<String>,
    asks: i32,
    expires_at: At,
}

impl TryFrom<OpenLoginRow> for OpenLogin {
    type Error = StoreError;

    fn try_from(row: OpenLoginRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: read(LoginId::parse(&row.id), "logins", "id")?,
            open_push: row.approval_request_id.filter(|_| row.verdict.is_none()).map(ApprovalRequestId::new),
            asks: row.asks,
            expires_at: row.expires_at.0,
        })
    }
}

impl Store {
    /// Remembers that a push is out. Nothing changes where the phone has answered already: it was faster.
    pub async fn record_push(
        &self,
        id: LoginId,
        push: &ApprovalRequestId,
        ask_at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let waiting = logins::table
            .find(id.to_string())
            .filter(logins::state.eq(LoginState::Pending.as_str()))
            .filter(logins::approval_request_id.is_null());
        let update = diesel::update(waiting).set((
            logins::approval_request_id.eq(push.as_str()),
            logins::next_step.eq(LoginStep::ApproveOnPhone.as_str()),
            logins::ask_at.eq(Some(At(ask_at))),
        ));
        on!(self, |conn| update.execute(conn).await?);
        Ok(())
    }

    /// Remembers under which id the provider knows the person of this login now.
    pub async fn record_provider_user(&self, id: LoginId, user: &ProviderUserId) -> Result<(), StoreError> {
        let update = diesel::update(logins::table.find(id.to_string()))
            .set(logins::provider_user_id.eq(user.as_str()));
        on!(self, |conn| update.execute(conn).await?);
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
        let mut found: Option<String> = on!(self, |conn| by_push.first(conn).await.optional()?);
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
            found = on!(self, |conn| by_id.first(conn).await.optional()?);
        }
        found.map(|id| read(LoginId::parse(&id), "logins", "id")).transpose()
    }

    /// Logins whose push is to be asked about by now, longest due first.
    pub async fn logins_to_ask(&self, now: DateTime<Utc>, limit: i64) -> Result<Vec<OpenLogin>, StoreError> {
        let query = logins::table.filter(logins::ask_at.le(At(now))).order(logins::ask_at).limit(limit);
        let found: Vec<OpenLoginRow> =
            on!(self, |conn| query.select(OpenLoginRow::as_select()).load(conn).await?);
        found.into_iter().map(TryInto::try_into).collect()
    }

    /// Takes the next asking of a login, so that nobody else asks as well. Returns false where somebody has.
    pub async fn take_asking(
        &self,
        login: &OpenLogin,
        next: Option<DateTime<Utc>>,
    ) -> Result<bool, StoreError> {
        let due = logins::table
            .find(login.id.to_string())
            .filter(logins::asks.eq(login.asks))
            // Settled meanwhile: nobody asks any more.
            .filter(logins::ask_at.is_not_null());
        let update =
            diesel::update(due).set((logins::asks.eq(logins::asks + 1), logins::ask_at.eq(next.map(At))));
        Ok(on!(self, |conn| update.execute(conn).await?) == 1)
    }

    /// Has every open push asked about now: after a restart, any of them may have been answered unheard.
    pub async fn ask_about_all(&self, now: DateTime<Utc>) -> Result<usize, StoreError> {
        let waiting = logins::table.filter(logins::ask_at.gt(At(now)));
        let update = diesel::update(waiting).set(logins::ask_at.eq(Some(At(now))));
        Ok(on!(self, |conn| update.execute(conn).await?))
    }

    /// When the next push is to be asked about; `None`: there is none.
    pub async fn next_asking(&self) -> Result<Option<DateTime<Utc>>, StoreError> {
        let query = logins::table.filter(logins::ask_at.is_not_null()).select(min(logins::ask_at));
        let next: Option<At> = on!(self, |conn| query.get_result(conn).await?);
        Ok(next.map(|at| at.0))
    }

    /// Remembers that the provider no longer waits for the phone, so that the person types a code instead.
    pub async fn record_push_gone(&self, id: LoginId, now: DateTime<Utc>) -> Result<(), StoreError> {
        let open = logins::table
            .find(id.to_string())
            .filter(logins::state.eq_any(OPEN))
            .filter(logins::next_step.eq(LoginStep::ApproveOnPhone.as_str()));
        let update = diesel::update(open).set((
            logins::next_step.eq(LoginStep::EnterCode.as_str()),
            logins::sequence.eq(logins::sequence + 1),
            logins::ask_at.eq(None::<At>),
            logins::changed_at.eq(At(now)),
        ));
        on!(self, |conn| update.execute(conn).await?);
        Ok(())
    }
}

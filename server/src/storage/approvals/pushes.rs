//! Pushes: which login one belongs to, and what becomes of it.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::{ApprovalRow, OPEN};
use crate::{
    model::{
        Approval, ApprovalId, ApprovalState, ApprovalStep, CodeSource, ProviderUserId, PushHandle,
        PushRecipient,
    },
    storage::{
        Store, StoreError,
        budgets::end_hold,
        change,
        columns::{At, read},
        find,
        schema::{approvals, rate_limits},
        transact,
    },
};

impl Store {
    /// Remembers that a push is out, and gives the login as it is then. `None`, and nothing changes, where the phone has
    /// answered already: it was faster.
    pub async fn record_push(
        &self,
        id: ApprovalId,
        push: &PushHandle,
        next_poll_at: DateTime<Utc>,
    ) -> Result<Option<Approval>, StoreError> {
        let waiting = approvals::table
            .find(id.to_string())
            .filter(approvals::state.eq(ApprovalState::Pending.as_str()))
            .filter(approvals::push_handle.is_null());
        let update = diesel::update(waiting).set((
            approvals::push_handle.eq(push.as_str()),
            approvals::next_step.eq(ApprovalStep::ApproveOnPhone.as_str()),
            approvals::next_poll_at.eq(Some(At(next_poll_at))),
        ));
        let recorded: Option<ApprovalRow> = change!(self, |conn| update
            .returning(ApprovalRow::as_returning())
            .get_result(conn)
            .await
            .optional()?);
        recorded.map(Approval::try_from).transpose()
    }

    /// Forgets the number of a push that was not sent: there is nothing to compare it with.
    pub async fn forget_match_number(&self, id: ApprovalId) -> Result<(), StoreError> {
        let update = diesel::update(approvals::table.find(id.to_string()))
            .set(approvals::match_number.eq(None::<&str>));
        change!(self, |conn| update.execute(conn).await?);
        Ok(())
    }

    /// Has a login that was begun survive a power cut, where nothing else is written of it. SQLite writes only what differs: so
    /// it is the instant that does.
    pub async fn keep_approval(&self, id: ApprovalId, now: DateTime<Utc>) -> Result<(), StoreError> {
        let update = diesel::update(approvals::table.find(id.to_string()))
            .set(approvals::changed_at.eq(Some(At(now))));
        change!(self, |conn| update.execute(conn).await?);
        Ok(())
    }

    /// Stores whom a provider pushes to, and where a code of its app is checked, after the person was enrolled again.
    pub async fn record_enrollment(
        &self,
        id: ApprovalId,
        push: Option<&PushRecipient>,
        code: Option<&CodeSource>,
    ) -> Result<(), StoreError> {
        let update = diesel::update(approvals::table.find(id.to_string())).set((
            approvals::push_provider.eq(push.map(|push| &push.provider)),
            approvals::push_user.eq(push.map(|push| push.user.as_str())),
            approvals::code_provider.eq(code.map(|code| &code.provider)),
            approvals::code_handle.eq(code.map(|code| code.handle.as_str())),
        ));
        change!(self, |conn| update.execute(conn).await?);
        Ok(())
    }

    /// Finds the approval that a provider's push belongs to: by the push's handle or, while the handle is not stored yet, by the
    /// approval's own id. The person must be the right one either way, and the provider the one that pushed.
    pub async fn find_approval_of_push(
        &self,
        provider: &str,
        push: &PushHandle,
        login_id: Option<ApprovalId>,
        user: &ProviderUserId,
    ) -> Result<Option<ApprovalId>, StoreError> {
        let by_push = approvals::table
            .filter(approvals::push_provider.eq(provider))
            .filter(approvals::push_handle.eq(push.as_str()))
            .filter(approvals::push_user.eq(user.as_str()))
            .select(approvals::id);
        let mut found: Option<String> = find!(self, by_push);
        if let (None, Some(login_id)) = (&found, login_id) {
            let by_id = approvals::table
                .find(login_id.to_string())
                .filter(approvals::push_provider.eq(provider))
                // Or written down since the first look.
                .filter(approvals::push_handle.is_null().or(approvals::push_handle.eq(push.as_str())))
                .filter(approvals::push_user.eq(user.as_str()))
                .select(approvals::id);
            found = find!(self, by_id);
        }
        found.map(|id| read(ApprovalId::parse(&id), "approvals", "id")).transpose()
    }

    /// Remembers that the provider no longer waits for the phone: nobody asks any more, and a person who was to approve
    /// types a code instead. Returns whether that is news to them.
    pub async fn record_push_gone(&self, id: ApprovalId, now: DateTime<Utc>) -> Result<bool, StoreError> {
        let this = id.to_string();
        transact!(self, async |conn| {
            let update =
                diesel::update(approvals::table.find(&this)).set(approvals::next_poll_at.eq(None::<At>));
            let held: Option<(Option<String>, At)> = update
                .returning((approvals::push_slot, approvals::expires_at))
                .get_result(conn)
                .await
                .optional()?;
            if let Some((Some(place), At(until))) = held {
                end_hold!(conn, place, until, now);
            }
            let waiting = approvals::table
                .find(&this)
                .filter(approvals::state.eq_any(OPEN))
                .filter(approvals::next_step.eq(ApprovalStep::ApproveOnPhone.as_str()));
            let update = diesel::update(waiting).set((
                approvals::next_step.eq(ApprovalStep::EnterCode.as_str()),
                approvals::sequence.eq(approvals::sequence + 1),
                approvals::changed_at.eq(Some(At(now))),
            ));
            Ok::<_, StoreError>(update.execute(conn).await? == 1)
        })
    }
}

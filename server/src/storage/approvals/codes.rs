//! Codes: tries are taken before a code is judged, and sendings before one is sent.
//!
//! Both are guarded updates, so that a hundred at once take no more than there are.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::OPEN;
use crate::{
    model::{ApprovalId, ApprovalState, ApprovalStep, CodeChannel, CodeSource},
    storage::{
        Store, StoreError, change,
        columns::At,
        on,
        schema::{approvals, used_codes},
    },
};

impl Store {
    /// Takes one of so many tries. Returns false where there was none to take: they are spent, or the login is over.
    pub async fn take_try(&self, id: ApprovalId, tries: i32, now: DateTime<Utc>) -> Result<bool, StoreError> {
        let available = approvals::table
            .find(id.to_string())
            .filter(approvals::state.eq_any(OPEN))
            .filter(approvals::expires_at.gt(At(now)))
            .filter(approvals::tries_taken.lt(tries));
        let update = diesel::update(available).set(approvals::tries_taken.eq(approvals::tries_taken + 1));
        Ok(change!(self, |conn| update.execute(conn).await?) == 1)
    }

    /// Gives back a try whose code was certainly not judged.
    pub async fn give_back_try(&self, id: ApprovalId) -> Result<(), StoreError> {
        let taken = approvals::table.find(id.to_string()).filter(approvals::tries_taken.gt(0));
        let update = diesel::update(taken).set(approvals::tries_taken.eq(approvals::tries_taken - 1));
        change!(self, |conn| update.execute(conn).await?);
        Ok(())
    }

    /// Counts a code that was wrong. Returns how many that makes.
    pub async fn record_wrong_code(&self, id: ApprovalId) -> Result<i32, StoreError> {
        let update = diesel::update(approvals::table.find(id.to_string()))
            .set(approvals::wrong_codes.eq(approvals::wrong_codes + 1))
            .returning(approvals::wrong_codes);
        Ok(change!(self, |conn| update.get_result(conn).await?))
    }

    /// Takes the right to send a code until the next one may be sent. Returns false where it is too soon, or where the login
    /// has left this state.
    pub async fn take_sending(
        &self,
        id: ApprovalId,
        state: ApprovalState,
        now: DateTime<Utc>,
        next: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let available = approvals::table
            .find(id.to_string())
            .filter(approvals::state.eq(state.as_str()))
            .filter(approvals::expires_at.gt(At(now)))
            .filter(approvals::resend_available_at.le(At(now)));
        let update = diesel::update(available).set(approvals::resend_available_at.eq(At(next)));
        Ok(change!(self, |conn| update.execute(conn).await?) == 1)
    }

    /// Puts off when the next code may be asked for.
    pub async fn postpone_sending(&self, id: ApprovalId, until: DateTime<Utc>) -> Result<(), StoreError> {
        let open = approvals::table.find(id.to_string()).filter(approvals::state.eq_any(OPEN));
        let update = diesel::update(open).set(approvals::resend_available_at.eq(At(until)));
        change!(self, |conn| update.execute(conn).await?);
        Ok(())
    }

    /// Gives back a sending that certainly did not happen.
    pub async fn give_back_sending(
        &self,
        id: ApprovalId,
        now: DateTime<Utc>,
        next: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let taken = approvals::table.find(id.to_string()).filter(approvals::resend_available_at.eq(At(next)));
        let update = diesel::update(taken).set(approvals::resend_available_at.eq(At(now)));
        change!(self, |conn| update.execute(conn).await?);
        Ok(())
    }

    /// Stores how a code was sent and where it is checked, and that the person types one now. An open push stays open. Nothing changes
    /// if the approval has left this state since the code was requested: a code from before a denial is not one from after it.
    pub async fn record_code_sent(
        &self,
        id: ApprovalId,
        state: ApprovalState,
        (channel, source): (CodeChannel, &CodeSource),
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let unchanged = approvals::table.find(id.to_string()).filter(approvals::state.eq(state.as_str()));
        let update = diesel::update(unchanged).set((
            approvals::code_channel.eq(channel.as_str()),
            approvals::code_provider.eq(&source.provider),
            approvals::code_handle.eq(source.handle.as_str()),
            approvals::next_step.eq(ApprovalStep::EnterCode.as_str()),
            approvals::sequence.eq(approvals::sequence + 1),
            approvals::changed_at.eq(Some(At(now))),
        ));
        change!(self, |conn| update.execute(conn).await?);
        Ok(())
    }

    /// Stores where a code is checked that may have been sent although no answer says so.
    pub async fn record_code_source(&self, id: ApprovalId, source: &CodeSource) -> Result<(), StoreError> {
        let update = diesel::update(approvals::table.find(id.to_string())).set((
            approvals::code_provider.eq(&source.provider),
            approvals::code_handle.eq(source.handle.as_str()),
        ));
        change!(self, |conn| update.execute(conn).await?);
        Ok(())
    }

    /// Removes codes that were used before then. Returns how many.
    pub async fn remove_used_codes(&self, before: DateTime<Utc>, limit: i64) -> Result<usize, StoreError> {
        let old = used_codes::table
            .filter(used_codes::used_at.lt(At(before)))
            .order(used_codes::used_at)
            .limit(limit)
            .select(used_codes::code);
        let codes: Vec<String> = on!(self, |conn| old.load(conn).await?);
        let delete = diesel::delete(used_codes::table.filter(used_codes::code.eq_any(&codes)));
        Ok(if codes.is_empty() { 0 } else { change!(self, |conn| delete.execute(conn).await?) })
    }
}

/// Uses a code up. Returns false if it was used before.
macro_rules! use_code {
    ($conn:expr, $code:expr, $at:expr) => {{
        let code: &UsedCode = $code;
        let used = (used_codes::code.eq(code.as_str()), used_codes::used_at.eq(At($at)));
        let insert = diesel::insert_into(used_codes::table).values(used).on_conflict_do_nothing();
        insert.execute($conn).await? == 1
    }};
}
pub(super) use use_code;

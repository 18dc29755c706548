//! Codes: tries are taken before a code is judged, and sendings before one is sent.
//!
//! Both are guarded updates, so that a hundred at once take no more than there are.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::OPEN;
use crate::{
    model::{ApprovalId, ApprovalState, ApprovalStep, CodeChannel},
    storage::{Store, StoreError, change, columns::At, schema::approvals},
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

    /// Remembers how a code travels, and that the person types one now. An open push stays open. Nothing happens where the
    /// login has left this state since the code was asked for: one from before a denial is none from after it.
    pub async fn record_code_sent(
        &self,
        id: ApprovalId,
        state: ApprovalState,
        channel: CodeChannel,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let unchanged = approvals::table.find(id.to_string()).filter(approvals::state.eq(state.as_str()));
        let update = diesel::update(unchanged).set((
            approvals::code_channel.eq(channel.as_str()),
            approvals::next_step.eq(ApprovalStep::EnterCode.as_str()),
            approvals::sequence.eq(approvals::sequence + 1),
            approvals::changed_at.eq(Some(At(now))),
        ));
        change!(self, |conn| update.execute(conn).await?);
        Ok(())
    }
}

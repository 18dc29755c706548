//! The one place where an approval is settled: callback, code, poll, cancelling and the clock all end here.
//!
//! One transaction. Its first statement takes the row, so that of two decisions the second finds what the first left.
//! [`Decision::effect`] says what a decision does, and [`Purpose::on_approved`] what follows from an approval; this file carries it out.
//!
//! Rows are locked in this order, here and wherever else two of them are: approval, user, sessions, confirmation, devices. Of two
//! transactions, one waits. Where a row is locked to be read and then written, PostgreSQL may find a deadlock: the transaction runs again.
//!
//! [`Purpose::on_approved`]: crate::model::Purpose::on_approved

#![expect(clippy::ref_option_ref, reason = "what diesel's derive makes of optional words")]

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::{
    ApprovalRow, Settlement,
    codes::use_code,
    consequences::{
        NewSessionRow, PendingSignupRow, allow_operation, create_user, end_session, end_signup, enrollment,
        open_session,
    },
};
use crate::{
    model::{
        AccountEvent, Approval, ApprovalFailure, ApprovalId, ApprovalState, ApprovalStep, CodeChannel,
        Decision, Effect, OnApproved, PasswordHash, SensitiveOperation, SessionId, UsedCode, UserId, Verdict,
        events_of, readable_until,
    },
    storage::{
        Store, StoreError,
        budgets::{charge, end_hold, take},
        columns::{At, read, read_optional},
        devices::{forget_devices_of, know_device},
        events::{new_event, record_events, sessions_ended},
        hash_parameters::count_hash_parameters,
        locked::Locked,
        schema::{
            account_events, approvals, confirmations, devices, enrollments, hash_parameters, pending_signups,
            rate_limits, session_grants, sessions, used_codes, users,
        },
        transact,
    },
};

/// The result of settling.
#[derive(Debug)]
pub struct Settled {
    /// The approval as it is now.
    pub approval: Approval,
    /// What the decision did to it.
    pub effect: Effect,
    /// Whether the right code had approved something else before, so that it did nothing here.
    pub is_code_used: bool,
    /// The session that a denial ended.
    pub ended_session: Option<SessionId>,
    /// What was added to the audit trail of its account.
    pub events: Vec<AccountEvent>,
}

impl Settled {
    fn unchanged(approval: Approval, is_code_used: bool) -> Self {
        Self { approval, effect: Effect::Ignore, is_code_used, ended_session: None, events: Vec::new() }
    }
}

/// A verdict of either kind: the push no longer lies open on the phone.
macro_rules! free_slot {
    ($conn:expr, $approval:expr, $decision:expr, $how:expr) => {
        if let (Some(_), Some(slot)) = ($decision.verdict(), &$approval.push_slot) {
            end_hold!($conn, slot.as_str(), $approval.expires_at, $how.at);
        }
    };
}

/// Why an approval cannot be approved although its decision says so: its account has changed since, or its session has ended. The rows
/// stay locked, so that a concurrent change waits and then finds what this transaction has opened.
macro_rules! refusal {
    ($conn:expr, $approval:expr, $how:expr) => {{
        let mut refusal = None;
        if let Some(user_id) = $approval.user_id {
            let user = users::table.find(user_id.to_string()).select(users::security_version);
            let version: Option<i32> = Locked(user).get_result($conn).await.optional()?;
            if version != $approval.security_version {
                refusal = Some(ApprovalFailure::AccountChanged);
            }
        }
        if $approval.purpose.on_approved() == OnApproved::AllowOperation {
            let asking =
                confirmations::table.find($approval.id.to_string()).select(confirmations::session_id);
            let live = sessions::table
                .filter(sessions::id.eq_any(asking))
                .filter(sessions::revoked_at.is_null())
                .filter(sessions::expires_at.gt(At($how.at)))
                .filter(sessions::last_used_at.gt(At($how.idle_since)))
                .select(sessions::id);
            let live: Option<String> = Locked(live).get_result($conn).await.optional()?;
            if live.is_none() {
                refusal = Some(ApprovalFailure::SessionEnded);
            }
        }
        refusal
    }};
}

impl Store {
    /// Decides an approval, exactly once. `None`: there is no such approval.
    pub async fn settle(
        &self,
        id: ApprovalId,
        decision: Decision,
        how: &Settlement,
    ) -> Result<Option<Settled>, StoreError> {
        let this = id.to_string();
        transact!(self, async |conn| {
            // A write, although nothing changes: it takes the row before anything is read.
            let taken = diesel::update(approvals::table.find(&this))
                .set(approvals::poll_count.eq(approvals::poll_count))
                .returning(ApprovalRow::as_returning());
            let taken: Option<ApprovalRow> = taken.get_result(conn).await.optional()?;
            let Some(row) = taken else {
                return Ok(None);
            };
            let found = Approval::try_from(row)?;
            free_slot!(conn, &found, decision, how);
            let mut effect = decision.effect(&found, how.after_denial);
            if effect == Effect::Ignore {
                return Ok(Some(Settled::unchanged(found, false)));
            }
            if let (Some(code), true) = (&how.used_code, effect.approves())
                && !use_code!(conn, code, how.at)
            {
                return Ok(Some(Settled::unchanged(found, true)));
            }
            if decision.verdict() == Some(Verdict::Denied) {
                charge!(conn, &how.denial_charges, how.at);
            }
            if effect.approves()
                && let Some(refusal) = refusal!(conn, &found, how)
            {
                effect = Effect::fail(refusal);
            }
            let mut user_id = found.user_id;
            if effect.settles() && found.purpose.on_approved() == OnApproved::CreateUserAndSession {
                (user_id, effect) = end_signup!(conn, &found, effect, how);
            }
            let change = Change::of(&found, user_id, decision, effect, how);
            let settled = diesel::update(approvals::table.find(&this))
                .set(change)
                .returning(ApprovalRow::as_returning());
            let settled: ApprovalRow = settled.get_result(conn).await?;
            if effect.approves() {
                match found.purpose.on_approved() {
                    OnApproved::CreateUserAndSession | OnApproved::OpenSession => {
                        let user_id = read(user_id, "approvals", "user_id")?;
                        open_session!(conn, &found, user_id, decision, how);
                    }
                    OnApproved::AllowOperation => allow_operation!(conn, &found, decision, how),
                }
            }
            let ended_session =
                if effect.ends_session(found.purpose) { end_session!(conn, &found, how) } else { None };
            let mut settled =
                Settled { effect, ended_session, ..Settled::unchanged(settled.try_into()?, false) };
            settled.events = trail(&settled, decision, how.at);
            record_events!(conn, &settled.events);
            Ok(Some(settled))
        })
    }
}

/// What a decision adds to the audit trail: nothing if the approval has no user.
fn trail(settled: &Settled, decision: Decision, at: DateTime<Utc>) -> Vec<AccountEvent> {
    let Settled { approval, effect, ended_session, .. } = settled;
    let Some(user) = approval.user_id else { return Vec::new() };
    let event = |(kind, detail)| AccountEvent {
        approval: Some(approval.id),
        network: approval.network.clone(),
        detail,
        ..new_event(user, kind, at)
    };
    let mut events: Vec<_> = events_of(approval, decision, *effect).into_iter().map(event).collect();
    events.extend(sessions_ended(user, ended_session.as_slice(), "DENIED", at));
    events
}

/// All that a decision can change of an approval's row.
#[derive(AsChangeset)]
#[diesel(table_name = approvals, treat_none_as_null = true)]
struct Change {
    state: &'static str,
    next_step: &'static str,
    failure: Option<&'static str>,
    sequence: i32,
    user_id: Option<String>,
    push_handle: Option<String>,
    verdict: Option<&'static str>,
    code_channel: Option<&'static str>,
    next_poll_at: Option<At>,
    changed_at: Option<At>,
    settled_at: Option<At>,
    readable_until: Option<At>,
}

impl Change {
    fn of(
        found: &Approval,
        user_id: Option<UserId>,
        decision: Decision,
        effect: Effect,
        how: &Settlement,
    ) -> Self {
        let verdict = decision.verdict().or(found.verdict);
        let push = found.push_handle.as_ref().or(how.push.as_ref());
        let (state, failure) = match effect {
            Effect::Settle { state, failure } => (state, failure),
            _ => (found.state, found.failure),
        };
        let ends = effect.settles();
        let is_denied = matches!(effect, Effect::Settle { state: ApprovalState::Denied, .. });
        // A code approved it, or a client in a session cancelled it, and the phone can still deny it.
        let is_confirmation = found.purpose.on_approved() == OnApproved::AllowOperation;
        let stays_polled = verdict.is_none() && (state.is_open() || effect.approves() || is_confirmation);
        Self {
            state: state.as_str(),
            next_step: if state.is_open() { ApprovalStep::EnterCode } else { ApprovalStep::None }.as_str(),
            failure: failure.map(ApprovalFailure::as_str),
            sequence: if effect == Effect::Record { found.sequence } else { found.sequence + 1 },
            user_id: user_id.map(|id| id.to_string()),
            push_handle: push.map(|push| push.as_str().to_owned()),
            verdict: verdict.map(Verdict::as_str),
            // A code from before a denial is not accepted after it: another one has to be requested.
            code_channel: found.code_channel.filter(|_| !is_denied).map(CodeChannel::as_str),
            next_poll_at: found.next_poll_at.filter(|_| stays_polled).map(At),
            changed_at: Some(At(how.at)),
            settled_at: if ends { Some(how.at) } else { found.settled_at }.map(At),
            readable_until: if ends {
                Some(readable_until(found.expires_at, how.at))
            } else {
                found.readable_until
            }
            .map(At),
        }
    }
}

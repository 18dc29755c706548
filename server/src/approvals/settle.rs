//! The one way in which an approval is settled; and cancelling, its shortest use.

use super::{
    ApprovalStatus, Approvals, delta,
    metrics::{Source, count_decided},
    send_code::{phone_use, was_sent_a_code},
};
use crate::{
    audit,
    events::Topic,
    limits::Standing,
    model::{
        Approval, ApprovalFailure, ApprovalId, Decision, DeviceId, Effect, LoginToken, SessionId, UserId,
        Verdict,
    },
    random,
    storage::{Settled, Settlement, StoreError, Taking},
};

/// How long an operation may be carried out after it was confirmed.
const CONFIRMED_FOR: chrono::TimeDelta = chrono::TimeDelta::minutes(5);

impl Approvals {
    /// Settles an approval, exactly once, whatever else tries at the same moment. Only the caller that changed it notifies its watchers.
    ///
    /// `source` names the push that a verdict is about. `None`: there is no such approval.
    pub(super) async fn settle(
        &self,
        id: ApprovalId,
        decision: Decision,
        source: Source,
    ) -> Result<Option<Settled>, StoreError> {
        let at = self.clock.now();
        let how = Settlement {
            at,
            push: source.push().cloned(),
            used_code: source.used_code().cloned(),
            after_denial: self.settings.after_denial,
            denial_charges: self.denial_charges(id, decision).await?,
            user_id: UserId::new(random::id(at)),
            session_id: SessionId::new(random::id(at)),
            session_expires_at: at + delta(self.settings.session_ttl),
            device_id: DeviceId::new(random::id(at)),
            device_expires_at: at + delta(self.settings.device_ttl),
            idle_since: at - delta(self.settings.session_idle_ttl),
            usable_until: at + CONFIRMED_FOR,
        };
        let settled = self.store.settle(id, decision, &how).await?;
        if let Some(settled) = &settled {
            audit::log(&settled.events);
            if let (Some(_), Some(slot)) = (decision.verdict(), &settled.approval.push_slot) {
                self.limits.forget_place(slot);
            }
            // Before watchers are notified: a client that knows of it finds it counted.
            count_decided(settled, decision, &source);
            if let Err(error) = self.count_conversion(settled, decision).await {
                tracing::warn!(login.id = %id, %error, "failed to update SMS conversion statistics");
            }
        }
        match &settled {
            Some(Settled { effect: Effect::Ignore | Effect::Record, .. }) | None => {
                tracing::debug!(login.id = %id, ?decision, "nothing changed");
            }
            Some(Settled { approval, ended_session, .. }) => {
                let (state, failure) = (approval.state, approval.failure);
                tracing::info!(
                    login.id = %id,
                    state = state.as_str(),
                    failure = failure.map(ApprovalFailure::as_str),
                    ?decision,
                    "login decided"
                );
                if let Some(session_id) = *ended_session {
                    tracing::warn!(login.id = %id, session.id = %session_id, "the phone denied a login; session ended");
                    self.after_sessions_ended(&[session_id]).await;
                }
                self.publish(id);
            }
        }
        Ok(settled)
    }

    /// What the denial of an approval takes from the rate limits. It is charged in the transaction that settles the denial.
    async fn denial_charges(&self, id: ApprovalId, decision: Decision) -> Result<Vec<Taking>, StoreError> {
        if decision.verdict() != Some(Verdict::Denied) {
            return Ok(Vec::new());
        }
        // What the limits are keyed by never changes.
        let denied = self.store.read_approval(id).await?;
        Ok(denied.map_or_else(Vec::new, |denied: Approval| self.limits.cost_of_denial(phone_use(&denied))))
    }

    /// Updates the statistics of codes that were typed back. The approval does not depend on it.
    async fn count_conversion(&self, settled: &Settled, decision: Decision) -> Result<(), StoreError> {
        let Settled { approval, effect, .. } = settled;
        let is_verified = effect.approves() || *effect == Effect::fail(ApprovalFailure::EmailTaken);
        if decision.is_right_code() && is_verified && was_sent_a_code(approval) {
            let of = phone_use(approval);
            if of.standing == Standing::Unproven {
                self.limits.record_code_returned(of).await?;
            }
        }
        Ok(())
    }

    /// Ends the sockets of sessions that have ended, and the approvals that were started in them. Each is settled on its own: one that
    /// a killed process leaves open is refused when it is answered, since its session has ended.
    pub async fn after_sessions_ended(&self, sessions: &[SessionId]) {
        for &session in sessions {
            self.events.publish(Topic::Session(session));
            self.end_all(self.store.open_approvals_of_session(session).await, Decision::SessionEnded).await;
        }
    }

    /// Ends the open approvals of a user whose account has changed since they were started. One that a killed process leaves open is
    /// refused when it is answered.
    pub async fn after_account_changed(&self, user: UserId) {
        self.end_all(self.store.open_approvals_of_user(user).await, Decision::AccountChanged).await;
    }

    async fn end_all(&self, open: Result<Vec<ApprovalId>, StoreError>, decision: Decision) {
        let ended = async {
            for id in open? {
                // Boxed, since settling may end a session, and with it further approvals.
                Box::pin(self.settle(id, decision, Source::Elsewhere)).await?;
            }
            Ok::<_, StoreError>(())
        };
        if let Err(error) = ended.await {
            tracing::warn!(%error, ?decision, "open logins not ended; they cannot be approved any more");
        }
    }

    /// Cancels an approval for its person. A settled one does not change. `None`: the token is unknown.
    pub async fn cancel(&self, token: &LoginToken) -> Result<Option<ApprovalStatus>, StoreError> {
        let Some(status) = self.find_status(token).await? else {
            return Ok(None);
        };
        if status.is_settled() {
            return Ok(Some(status));
        }
        self.settle(status.approval.id, Decision::Cancelled, Source::Elsewhere).await?;
        self.find_status(token).await
    }

    /// Notifies the watchers of an approval.
    pub(super) fn publish(&self, id: ApprovalId) {
        self.events.publish(Topic::Approval(id));
    }
}

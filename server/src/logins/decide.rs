//! The one way in which a login is settled; and cancelling, its shortest use.

use super::{
    LoginStatus, Logins,
    counts::{Source, count_decided},
    delta,
    send_code::{phone_use, was_sent_a_code},
};
use crate::{
    events::Topic,
    limits::Standing,
    model::{Decision, DeviceId, Effect, LoginId, LoginToken, SessionId, UserId},
    random,
    storage::{CostOfDenial, Settled, Settlement, StoreError},
};

impl Logins {
    /// Settles a login, exactly once, whoever else tries at the same moment. Only whoever changed it tells its watchers.
    ///
    /// `source` names the approval request that a verdict speaks of. `None` comes back where there is no such login.
    pub(super) async fn decide(
        &self,
        id: LoginId,
        decision: Decision,
        source: Source,
    ) -> Result<Option<Settled>, StoreError> {
        let at = self.clock.now();
        let how = Settlement {
            at,
            push: source.push().cloned(),
            session_id: SessionId::new(random::id(at)),
            session_expires_at: at + delta(self.settings.session_ttl),
            user_id: UserId::new(random::id(at)),
            device_id: DeviceId::new(random::id(at)),
            device_expires_at: at + delta(self.settings.device_ttl),
            after_denial: self.settings.after_denial,
            cost_of_denial: self.cost_of_denial(),
        };
        let settled = self.store.settle(id, decision, &how).await?;
        if let (Some(_), Some(place)) =
            (decision.verdict(), settled.as_ref().and_then(|settled| settled.login.push_place.as_ref()))
        {
            self.limits.forget_place(place);
        }
        // Before anybody is told: who hears of it finds it counted.
        if let Some(settled) = &settled {
            count_decided(settled, decision, &source);
        }
        if let Some(settled) = &settled
            && let Err(error) = self.count(settled, decision).await
        {
            tracing::warn!(login.id = %id, %error, "what was decided was not counted");
        }
        match &settled {
            Some(Settled { effect: Effect::Ignore | Effect::Record, .. }) | None => {
                tracing::debug!(login.id = %id, ?decision, "nothing changed");
            }
            Some(Settled { login, ended_session, .. }) => {
                tracing::info!(login.id = %id, state = login.state.as_str(), ?decision, "login decided");
                if let Some(session_id) = ended_session {
                    tracing::warn!(login.id = %id, session.id = %session_id, "the phone denied a login that a code had approved: its session is ended");
                    self.events.publish(Topic::Session(*session_id));
                }
                self.publish(id);
            }
        }
        Ok(settled)
    }

    /// Charged where the denial is settled: not before, and not without it.
    fn cost_of_denial(&self) -> CostOfDenial {
        let limits = self.limits.clone();
        Box::new(move |login| limits.cost_of_denial(phone_use(login)))
    }

    /// What is learnt from a decision of the codes that come back. The login does not depend on it.
    async fn count(&self, settled: &Settled, decision: Decision) -> Result<(), StoreError> {
        let Settled { login, effect, .. } = settled;
        if *effect == Effect::Ignore {
            return Ok(());
        }
        let is_proven = effect.opens_a_session() || *effect == Effect::EMAIL_TAKEN;
        if decision.is_right_code() && is_proven && was_sent_a_code(login) {
            let of = phone_use(login);
            if of.standing == Standing::Unproven {
                self.limits.record_code_returned(of).await?;
            }
        }
        Ok(())
    }

    /// Ends a login because its person gave up. One that is over stays as it is. `None`: nobody knows this token.
    pub async fn cancel(&self, token: &LoginToken) -> Result<Option<LoginStatus>, StoreError> {
        let Some(status) = self.find_status(token).await? else {
            return Ok(None);
        };
        if status.is_over() {
            return Ok(Some(status));
        }
        self.decide(status.login.id, Decision::Cancelled, Source::Elsewhere).await?;
        self.find_status(token).await
    }

    /// Tells the watchers of a login to read again.
    pub(super) fn publish(&self, id: LoginId) {
        self.events.publish(Topic::Login(id));
    }
}

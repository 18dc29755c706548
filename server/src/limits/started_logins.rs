//! Limits on what a right password can start: logins, and the app hints that they send.
//!
//! A right password consumes no attempt, so without these limits one account could start logins without end, each with a
//! row and a call to the provider. They are checked after the password: clients that do not know it see no difference.

use std::ops::Range;

use chrono::{DateTime, Utc};

use super::{Claim, Grant, LimitError, Limits, PhoneUse, PushPlace, phone_use::Named, pushes::PushClaims};
use crate::{
    model::{ApprovalId, Budget, BudgetKey, DeviceId, UserId},
    storage::{StoreError, Taken, Taking, UsedUp},
};

/// What starting a login takes of the rate limits, in the transaction that stores it.
pub struct LoginClaims {
    /// Without these there is no login.
    started: Vec<Claim>,
    /// Without these there is no push.
    push: Option<PushClaims>,
}

impl LoginClaims {
    /// What holds a place among the phone's open pushes; `None`: there is no push.
    #[must_use]
    pub fn place(&self) -> Option<&BudgetKey> {
        self.push.as_ref().map(PushClaims::place)
    }

    /// What is reserved, and what must not be exhausted.
    #[must_use]
    pub fn takings(&self) -> (Vec<Taking>, Vec<Taking>) {
        let reserved = self.started.iter().chain(self.push.iter().flat_map(PushClaims::reserved));
        let required = self.push.iter().flat_map(PushClaims::required);
        let taking = |claim: &Claim| claim.taking.clone();
        (reserved.map(taking).collect(), required.map(taking).collect())
    }
}

impl Limits {
    /// What a login takes that starts `now` and asks this phone until then. `user`: whose it is, and the known device that it comes
    /// from; `None` for a signup, or where [`Limits::take_started_login`] has taken it.
    ///
    /// Nothing is reserved yet, and of what is reserved for the start nothing is released later: each start costs a row and a call.
    #[must_use]
    pub fn login_claims(
        &self,
        user: Option<(UserId, Option<DeviceId>)>,
        to: PhoneUse<'_>,
        may_push: bool,
        lasting: Range<DateTime<Utc>>,
    ) -> LoginClaims {
        let started = user.map(|(user, device)| self.claims_of_start(user, to.network, device));
        let push = if may_push { self.push_claims(to, lasting.start, lasting.end) } else { None };
        LoginClaims { started: started.unwrap_or_default(), push }
    }

    /// Finds one of these that this instance has seen exhausted, and that still is.
    pub async fn find_exhausted(
        &self,
        claims: &LoginClaims,
        now: DateTime<Utc>,
    ) -> Result<Option<UsedUp>, StoreError> {
        let (reserved, required) = claims.takings();
        self.remembered.find(&self.store, &[reserved, required].concat(), now).await
    }

    /// Has a login do without what is exhausted: it tries the next place for its push, or has no push. An error: it does not start.
    pub fn give_way(&self, claims: &mut LoginClaims, exhausted: &UsedUp) -> Result<(), LimitError> {
        self.remembered.remember(exhausted.clone());
        match &mut claims.push {
            Some(push) if !claims.started.iter().any(|claim| claim.taking.key == exhausted.key) => {
                if !push.try_next_place(&exhausted.key) {
                    let all: Vec<_> = push.reserved().chain(push.required()).cloned().collect();
                    self.report(&all, exhausted);
                    claims.push = None;
                }
                Ok(())
            }
            _ => Err(self.refuse(&claims.started, exhausted)),
        }
    }

    /// The push of a login that was stored with these reservations, where it has one.
    #[must_use]
    pub fn push_slot(
        &self,
        claims: &LoginClaims,
        reserved: Vec<Taken>,
        now: DateTime<Utc>,
    ) -> Option<PushPlace> {
        self.remembered.remember_last(&reserved, now);
        let is_of_start = |taken: &Taken| claims.started.iter().any(|claim| claim.taking.key == *taken.key());
        let of_push = reserved.into_iter().filter(|taken| !is_of_start(taken)).collect();
        claims.place().map(|key| PushPlace { key: key.clone(), grant: Grant(of_push) })
    }

    /// Reserves one started login of a user, before anything else is known of it.
    ///
    /// `network` is `None` where the client's address is unknown; such clients share one limit for each user.
    pub async fn take_started_login(
        &self,
        user: UserId,
        network: Option<&str>,
        device: Option<DeviceId>,
    ) -> Result<(), LimitError> {
        self.take(&self.claims_of_start(user, network, device)).await.map(drop)
    }

    fn claims_of_start(&self, user: UserId, network: Option<&str>, device: Option<DeviceId>) -> Vec<Claim> {
        let (settings, user) = (&self.settings.logins, user.to_string());
        match device {
            Some(device) => vec![Claim::new(
                "started_logins_per_device",
                &[&device.to_string(), &user],
                Budget::strict(settings.started_logins_per_device),
            )],
            None => Claim::in_tiers(
                "started_logins_per_user_and_network",
                &[&user],
                network.and_then(|network| network.parse().ok()),
                settings.started_logins_per_user_and_network,
                Budget::strict,
            ),
        }
    }

    /// Reserves one app hint. The caller releases it if the provider sent something else or nothing.
    ///
    /// A hint costs no message, but it notifies a person: without a limit it is a way to pester them.
    pub async fn take_app_hint(&self, login: ApprovalId, to: PhoneUse<'_>) -> Result<Grant, LimitError> {
        let settings = &self.settings.logins;
        let mut claims = to.claims(
            Named("app_hints_per_phone", settings.app_hints_per_phone),
            Named("app_hints_per_unverified_phone", settings.app_hints_per_unverified_phone),
            Budget::strict,
        );
        let per_login = Budget::strict(settings.app_hints_per_login);
        claims.push(Claim::new("app_hints_per_login", &[&login.to_string()], per_login));
        self.take(&claims).await
    }
}

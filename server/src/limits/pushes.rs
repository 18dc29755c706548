//! Pushes: how often a phone may be asked, how many may lie open on it at once, and when it has said no too often.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::{Claim, Grant, Limits, PhoneUse, Standing, phone_use::Named, settings::AFTER_DENIALS, takings};
use crate::{
    model::{Budget, BudgetKey},
    random,
    storage::Taking,
};

/// The right to send one push.
#[derive(Debug)]
pub struct PushPlace {
    /// What holds its place among the phone's open pushes, until the phone has answered or the push expires: what becomes
    /// of the login meanwhile does not take the push off the phone.
    pub key: BudgetKey,
    /// To be given back where the push certainly was not sent.
    pub grant: Grant,
}

/// What a push takes of the rate limits.
pub(super) struct PushClaims {
    rate: Vec<Claim>,
    /// Must not be exhausted; a denial takes of them.
    denials: Vec<Claim>,
    /// The place on the phone that is tried.
    place: Claim,
    /// The places that may be tried after it.
    further: Vec<i32>,
    /// The phone, as E.164.
    phone: String,
    /// For how long a place is held.
    lasting: Duration,
}

impl PushClaims {
    /// The place that is tried.
    pub(super) fn place(&self) -> &BudgetKey {
        &self.place.taking.key
    }

    /// What is reserved.
    pub(super) fn reserved(&self) -> impl Iterator<Item = &Claim> {
        self.rate.iter().chain([&self.place])
    }

    /// What must not be exhausted.
    pub(super) fn required(&self) -> &[Claim] {
        &self.denials
    }

    /// Tries another place, where it was the place that is exhausted. False: there is no push.
    pub(super) fn try_next_place(&mut self, exhausted: &BudgetKey) -> bool {
        if self.place() != exhausted || self.further.is_empty() {
            return false;
        }
        // Any of them: logins that start at once would all wait for the same one.
        let next = self.further.swap_remove(random::below(self.further.len()));
        self.place = place(&self.phone, next, self.lasting);
        true
    }
}

/// One of the places for open pushes on a phone.
fn place(phone: &str, slot: i32, lasting: Duration) -> Claim {
    Claim::new("open_pushes_per_phone", &[phone, &slot.to_string()], Budget::hold(lasting))
}

impl Limits {
    /// What a push to this phone takes, which begins `now` and expires `until` then; `None`: there is no place for such as these.
    pub(super) fn push_claims(
        &self,
        to: PhoneUse<'_>,
        now: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Option<PushClaims> {
        let rate = to.claims(
            Named("pushes_per_phone", self.settings.pushes_per_phone),
            Named("pushes_per_unproven_phone", self.settings.pushes_per_unproven_phone),
            Budget::strict,
        );
        // A place is released by when its time would have ended: so that has to be reckoned from one instant.
        let lasting = (until - now).to_std().unwrap_or(Duration::ZERO);
        let phone = to.phone.e164().to_owned();
        let mut further = self.slots(to.standing);
        // First the one that, as far as this instance knows, is free.
        let is_held =
            |slot: &i32| self.remembered.is_exhausted(&place(&phone, *slot, lasting).taking.key, now);
        let free = further.iter().position(|slot| !is_held(slot)).unwrap_or_default();
        let first = (!further.is_empty()).then(|| further.remove(free))?;
        let place = place(&phone, first, lasting);
        Some(PushClaims { rate, denials: self.denials(to), place, further, phone, lasting })
    }

    /// The push that held this place was answered: the next login tries it first again.
    pub fn forget_place(&self, place: &BudgetKey) {
        self.remembered.forget(place);
    }

    /// What it costs that the phone has denied a push of a login: to be charged where that is settled.
    #[must_use]
    pub fn cost_of_denial(&self, of: PhoneUse<'_>) -> Vec<Taking> {
        takings(&self.denials(of))
    }

    fn denials(&self, of: PhoneUse<'_>) -> Vec<Claim> {
        let (settings, phone) = (&self.settings, of.phone.e164());
        let growing = |rate| Budget::growing(rate, AFTER_DENIALS);
        let claim = |name, whose: &[&str], rate| Claim::new(name, whose, growing(rate));
        let (per_network, name) = (settings.denials_per_phone_and_network, "denials_per_phone_and_network");
        let standing = match of.standing {
            Standing::KnownDevice(id) => return vec![claim(name, &[&id.to_string(), phone], per_network)],
            Standing::Proven => "proven",
            Standing::Unproven => "unproven",
        };
        let mut claims = Claim::in_tiers(name, &[standing, phone], of.network(), per_network, growing);
        claims.push(claim("denials_per_phone", &[standing, phone], settings.denials_per_phone));
        claims
    }

    /// The places that somebody may have, the first choice first. A signup never gets the last one, which is for users;
    /// those that known devices have beside the others are for nobody else.
    fn slots(&self, standing: Standing) -> Vec<i32> {
        let (all, more) = (self.settings.open_pushes_per_phone, self.settings.open_pushes_for_devices);
        match standing {
            Standing::Unproven => (0..all - 1).collect(),
            Standing::Proven => (0..all).rev().collect(),
            Standing::KnownDevice(_) => (0..all + more).rev().collect(),
        }
    }
}

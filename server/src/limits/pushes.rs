//! Pushes: how often a phone may be asked, how many may lie open on it at once, and when it has said no too often.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::{
    Claim, Grant, LimitError, Limits, PhoneUse, Standing, phones::Named, settings::AFTER_DENIALS, takings,
};
use crate::{
    model::{Budget, BudgetKey},
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

impl Limits {
    /// Takes the right to push to this phone until then.
    pub async fn take_push(&self, to: PhoneUse<'_>, until: DateTime<Utc>) -> Result<PushPlace, LimitError> {
        let rate = to.claims(
            Named("pushes_per_phone", self.settings.pushes_per_phone),
            Named("pushes_per_unproven_phone", self.settings.pushes_per_unproven_phone),
            Budget::strict,
        );
        let mut first = self.denials(to);
        first.extend(rate.iter().cloned());
        self.check(&first).await?;
        // One instant for both: a place is given back by when its time would have ended.
        let now = self.clock.now();
        let lasting = (until - now).to_std().unwrap_or(Duration::ZERO);
        let mut places = self.slots(to.standing).into_iter().map(|slot| {
            let whose = [to.phone.e164(), &slot.to_string()];
            Claim::new("open_pushes_per_phone", &whose, Budget::hold(lasting))
        });
        // Of several places one is enough.
        loop {
            let Some(place) = places.next() else { return Err(LimitError::UsedUp { retry_after: lasting }) };
            let key = place.taking.key.clone();
            let claims = [&rate[..], &[place]].concat();
            match self.try_to_take(&claims, now).await? {
                Ok(grant) => return Ok(PushPlace { key, grant }),
                Err(used_up) if places.len() == 0 => return Err(self.refuse(&claims, &used_up)),
                Err(_) => {}
            }
        }
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

//! Of the codes sent to unproven phones, how many come back.
//!
//! Who pumps text messages to earn from them never types a code. Where too few come back, a calling code is sent no more of
//! them until the day's counts are better again: proven phones there are not concerned. A login counts once, however
//! many codes it asks for, and one network for a part only, so that no single one can close a calling code to others.

use std::time::Duration;

use chrono::TimeDelta;

use super::{Claim, LimitError, Limits, PhoneUse, count_used_up, network::UNKNOWN};
use crate::{
    model::{Budget, Rate},
    storage::{CodeReturns, StoreError},
};

/// How far back is counted.
const WINDOW: TimeDelta = TimeDelta::hours(24);
/// What is counted is forgotten by the hour.
const HOUR: TimeDelta = TimeDelta::hours(1);
/// So many networks at least make up what is asked about.
const NETWORKS: u32 = 5;

/// What happened to a login's code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Counted {
    Sent,
    Returned,
}

impl Limits {
    /// Whether enough of the codes sent to unproven phones of this calling code have come back.
    pub(super) async fn check_returns(&self, calling_code: &str) -> Result<(), LimitError> {
        let now = self.clock.now();
        let hours = self.store.code_returns_since(calling_code, now - WINDOW).await?;
        self.tell(calling_code, &hours);
        let Some(last) = self.last_to_forget(&hours) else { return Ok(()) };
        count_used_up("returned_codes");
        // An hour is looked at until a whole day has passed since its end.
        let retry_after = (last.hour + HOUR + WINDOW - now).to_std().unwrap_or(Duration::ZERO);
        Err(LimitError::UsedUp { retry_after })
    }

    /// The hour that has to be forgotten, with all before it, until enough have come back; none where enough have.
    fn last_to_forget<'a>(&self, hours: &'a [CodeReturns]) -> Option<&'a CodeReturns> {
        let forgotten = (0..hours.len()).find(|forgotten| self.are_enough(&hours[*forgotten..]));
        let forgotten = forgotten.unwrap_or(hours.len());
        forgotten.checked_sub(1).map(|last| &hours[last])
    }

    fn are_enough(&self, hours: &[CodeReturns]) -> bool {
        let (sent, confirmed) = sums(hours);
        sent < i64::from(self.settings.returned_codes_sample)
            || confirmed * 100 >= sent * i64::from(self.settings.returned_codes)
    }

    /// Says so in the log and in a metric when sending stops, and when it goes on.
    fn tell(&self, calling_code: &str, hours: &[CodeReturns]) {
        let is_stopped = !self.are_enough(hours);
        let has_changed = if is_stopped {
            self.stopped.insert(calling_code.to_owned())
        } else {
            self.stopped.remove(calling_code).is_some()
        };
        if !has_changed {
            return;
        }
        let (sent, confirmed) = sums(hours);
        let gauge =
            metrics::gauge!("countersign_new_phones_stopped", "calling_code" => calling_code.to_owned());
        if is_stopped {
            gauge.set(1);
            let message = "too few codes come back: none is sent to new phones of this calling code";
            tracing::warn!(calling_code, sent, confirmed, "{message}");
        } else {
            gauge.set(0);
            tracing::info!(calling_code, sent, confirmed, "codes are sent to new phones again");
        }
    }

    /// A code was sent. Of unproven phones it is asked whether the first of a login comes back.
    pub async fn record_code_sent(
        &self,
        to: PhoneUse<'_>,
        network: Option<&str>,
        is_first: bool,
    ) -> Result<(), StoreError> {
        let proven = if to.is_proven() { "true" } else { "false" };
        let labels = [("calling_code", to.calling_code().to_owned()), ("proven", proven.to_owned())];
        metrics::counter!("countersign_codes_sent_total", &labels).increment(1);
        if to.is_proven() || !is_first { Ok(()) } else { self.count(Counted::Sent, to, network).await }
    }

    /// Somebody has typed what was sent to a phone that was unproven until then.
    pub async fn record_code_returned(
        &self,
        to: PhoneUse<'_>,
        network: Option<&str>,
    ) -> Result<(), StoreError> {
        let calling_code = to.calling_code().to_owned();
        metrics::counter!("countersign_codes_returned_total", "calling_code" => calling_code).increment(1);
        self.count(Counted::Returned, to, network).await
    }

    /// Counts one, unless as many of this network have been counted.
    async fn count(&self, what: Counted, of: PhoneUse<'_>, network: Option<&str>) -> Result<(), StoreError> {
        let (name, sent, confirmed) = match what {
            Counted::Sent => ("counted_as_sent", 1, 0),
            Counted::Returned => ("counted_as_returned", 0, 1),
        };
        let count = (self.settings.returned_codes_sample / NETWORKS).max(1);
        let rate = Rate { count, per: Duration::from_hours(24) };
        let whose = [of.calling_code(), network.unwrap_or(UNKNOWN)];
        let now = self.clock.now();
        // Whoever is not counted is not refused anything either. What is taken is kept: the budget is the count.
        match self.try_to_take(&[Claim::new(name, &whose, Budget::strict(rate))], now).await? {
            Ok(_grant) => self.store.count_code_returns(of.calling_code(), sent, confirmed, now).await,
            Err(_used_up) => Ok(()),
        }
    }
}

fn sums(hours: &[CodeReturns]) -> (i64, i64) {
    let sum = |count: fn(&CodeReturns) -> i32| hours.iter().map(|hour| i64::from(count(hour))).sum();
    (sum(|hour| hour.sent), sum(|hour| hour.confirmed))
}

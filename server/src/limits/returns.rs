//! Of the codes sent to unverified phones, how many come back: the SMS conversion.
//!
//! Pumping, which earns from text messages, never types a code. Where the conversion is low, the unverified share of that
//! calling code falls to a tenth until the day's counts are better again. Networks whose own codes come back are exempt, and
//! so are verified phones. A login counts once, however many codes it asks for, and one network for a part only, so that no
//! single network lowers the share of the others.

use chrono::TimeDelta;

use super::{Claim, Limits, PhoneUse, network::outermost};
use crate::{
    model::{Budget, Rate},
    storage::{CodeReturns, StoreError},
};

/// How far back is counted.
const WINDOW: TimeDelta = TimeDelta::hours(24);
/// So many networks at least make up the sample.
const NETWORKS: u32 = 5;

/// What happened to a login's code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Counted {
    Sent,
    Returned,
}

/// Whether the codes of a calling code come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Conversion {
    /// Enough do, or too few were sent to say.
    Enough,
    /// Too few do.
    Low,
}

impl Limits {
    /// The conversion that counts for this phone: its calling code's or, where that is low, its network's own.
    pub(super) async fn conversion(&self, of: PhoneUse<'_>) -> Result<Conversion, StoreError> {
        let (calling_code, since) = (of.calling_code(), self.clock.now() - WINDOW);
        let hours = self.store.code_returns_since(calling_code, since).await?;
        let (sent, confirmed) = sums(&hours);
        let is_low =
            sent >= i64::from(self.settings.returned_codes_sample) && !self.are_enough(sent, confirmed);
        self.report_conversion(calling_code, is_low, (sent, confirmed));
        if !is_low {
            return Ok(Conversion::Enough);
        }
        let network = outermost(of.network());
        let hours = self.store.network_code_returns_since(calling_code, &network, since).await?;
        let (sent, confirmed) = sums(&hours);
        let converts = confirmed > 0 && self.are_enough(sent, confirmed);
        Ok(if converts { Conversion::Enough } else { Conversion::Low })
    }

    fn are_enough(&self, sent: i64, confirmed: i64) -> bool {
        confirmed * 100 >= sent * i64::from(self.settings.returned_codes)
    }

    /// Logs and counts when the share of a calling code falls, and when it rises again.
    fn report_conversion(&self, calling_code: &str, is_low: bool, (sent, confirmed): (i64, i64)) {
        let has_changed = if is_low {
            self.low_conversion.insert(calling_code.to_owned())
        } else {
            self.low_conversion.remove(calling_code).is_some()
        };
        if !has_changed {
            return;
        }
        let gauge =
            metrics::gauge!("countersign_sms_conversion_low", "calling_code" => calling_code.to_owned());
        if is_low {
            gauge.set(1);
            let message = "too few codes come back; the share of unverified phones falls to a tenth";
            tracing::warn!(calling_code, sent, confirmed, "{message}");
        } else {
            gauge.set(0);
            tracing::info!(
                calling_code,
                sent,
                confirmed,
                "codes come back; unverified phones have their share"
            );
        }
    }

    /// A code was sent. Of unverified phones it is asked whether the first of a login comes back.
    pub async fn record_code_sent(&self, to: PhoneUse<'_>, is_first: bool) -> Result<(), StoreError> {
        let proven = if to.is_proven() { "true" } else { "false" };
        let labels = [("calling_code", to.calling_code().to_owned()), ("proven", proven.to_owned())];
        metrics::counter!("countersign_codes_sent_total", &labels).increment(1);
        if to.is_proven() || !is_first { Ok(()) } else { self.count(Counted::Sent, to).await }
    }

    /// Somebody has typed what was sent to a phone that was unverified until then.
    pub async fn record_code_returned(&self, to: PhoneUse<'_>) -> Result<(), StoreError> {
        let calling_code = to.calling_code().to_owned();
        metrics::counter!("countersign_codes_returned_total", "calling_code" => calling_code).increment(1);
        self.count(Counted::Returned, to).await
    }

    /// Counts one for its network and, unless as many of this network have been counted, for its calling code.
    async fn count(&self, what: Counted, of: PhoneUse<'_>) -> Result<(), StoreError> {
        let (name, sent, confirmed) = match what {
            Counted::Sent => ("counted_as_sent", 1, 0),
            Counted::Returned => ("counted_as_returned", 0, 1),
        };
        let (calling_code, network, now) = (of.calling_code(), of.network(), self.clock.now());
        let of_network = outermost(network);
        self.store.count_network_code_returns(calling_code, &of_network, (sent, confirmed), now).await?;
        let count = (self.settings.returned_codes_sample / NETWORKS).max(1);
        let rate = Rate { count, per: std::time::Duration::from_hours(24) };
        let claims = Claim::in_tiers(name, &[calling_code], network, rate, Budget::strict);
        // A network that is not counted is not refused anything either. What is taken is kept: it is the count.
        match self.try_to_take(&claims, now).await? {
            Ok(_grant) => self.store.count_code_returns(calling_code, sent, confirmed, now).await,
            Err(_exhausted) => Ok(()),
        }
    }
}

fn sums(hours: &[CodeReturns]) -> (i64, i64) {
    let sum = |count: fn(&CodeReturns) -> i32| hours.iter().map(|hour| i64::from(count(hour))).sum();
    (sum(|hour| hour.sent), sum(|hour| hour.confirmed))
}

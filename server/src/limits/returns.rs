//! Of the codes sent to unproven phones, how many come back.
//!
//! Who pumps text messages to earn from them never types a code. Where too few come back, a calling code is sent no more of
//! them until the day's counts are better again: proven phones there are not concerned.

use std::time::Duration;

use chrono::{DurationRound, TimeDelta};

use super::{LimitError, Limits, PhoneUse, count_used_up};
use crate::{
    model::Phone,
    storage::{CodeReturns, StoreError},
};

/// How far back is counted.
const WINDOW: TimeDelta = TimeDelta::hours(24);

impl Limits {
    /// Whether enough of the codes sent to unproven phones of this calling code have come back.
    pub(super) async fn check_returns(&self, calling_code: &str) -> Result<(), LimitError> {
        let now = self.clock.now();
        let returns = self.store.code_returns_since(calling_code, now - WINDOW).await?;
        let is_stopped = !self.are_enough(returns);
        self.tell(calling_code, is_stopped, returns);
        if !is_stopped {
            return Ok(());
        }
        count_used_up("returned_codes");
        // Counts are forgotten by the hour.
        let hour = TimeDelta::hours(1);
        let next_hour = now.duration_trunc(hour).unwrap_or(now) + hour;
        let retry_after = (next_hour - now).to_std().unwrap_or(Duration::from_hours(1));
        Err(LimitError::UsedUp { retry_after })
    }

    /// Says so in the log and in a metric when sending stops, and when it goes on.
    fn tell(&self, calling_code: &str, is_stopped: bool, CodeReturns { sent, confirmed }: CodeReturns) {
        let has_changed = if is_stopped {
            self.stopped.insert(calling_code.to_owned())
        } else {
            self.stopped.remove(calling_code).is_some()
        };
        if !has_changed {
            return;
        }
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

    fn are_enough(&self, CodeReturns { sent, confirmed }: CodeReturns) -> bool {
        sent < i64::from(self.settings.returned_codes_sample)
            || confirmed * 100 >= sent * i64::from(self.settings.returned_codes)
    }

    /// A code was sent. Only of phones that nobody has proven is it asked whether it comes back.
    pub async fn record_code_sent(&self, to: PhoneUse<'_>) -> Result<(), StoreError> {
        let (calling_code, proven) = (to.calling_code(), if to.is_proven() { "true" } else { "false" });
        let labels = [("calling_code", calling_code.to_owned()), ("proven", proven.to_owned())];
        metrics::counter!("countersign_codes_sent_total", &labels).increment(1);
        if to.is_proven() {
            return Ok(());
        }
        self.store.count_code_returns(calling_code, 1, 0, self.clock.now()).await
    }

    /// Somebody has typed what was sent there.
    pub async fn record_code_returned(&self, phone: &Phone) -> Result<(), StoreError> {
        let calling_code = phone.country_code().digits();
        metrics::counter!("countersign_codes_returned_total", "calling_code" => calling_code.to_owned())
            .increment(1);
        self.store.count_code_returns(calling_code, 0, 1, self.clock.now()).await
    }
}

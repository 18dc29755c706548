//! Of the codes sent to unproven phones, how many come back.
//!
//! Who pumps text messages to earn from them never types a code. Where too few come back, a calling code is sent no more of
//! them until the day's counts are better again: proven phones there are not concerned.

use std::time::Duration;

use chrono::{DurationRound, TimeDelta};

use super::{LimitError, Limits};
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
        if self.are_enough(returns) {
            return Ok(());
        }
        let CodeReturns { sent, confirmed } = returns;
        tracing::warn!(
            calling_code,
            sent,
            confirmed,
            "too few codes come back: none is sent to new phones of this calling code"
        );
        // Counts are forgotten by the hour.
        let hour = TimeDelta::hours(1);
        let next_hour = now.duration_trunc(hour).unwrap_or(now) + hour;
        let retry_after = (next_hour - now).to_std().unwrap_or(Duration::from_hours(1));
        Err(LimitError::UsedUp { retry_after })
    }

    fn are_enough(&self, CodeReturns { sent, confirmed }: CodeReturns) -> bool {
        sent < i64::from(self.settings.returned_codes_sample)
            || confirmed * 100 >= sent * i64::from(self.settings.returned_codes)
    }

    /// A code was sent to a phone that nobody has proven.
    pub async fn record_code_sent(&self, phone: &Phone) -> Result<(), StoreError> {
        let calling_code = phone.country_code().digits();
        self.store.count_code_returns(calling_code, 1, 0, self.clock.now()).await
    }

    /// Somebody has typed what was sent there.
    pub async fn record_code_returned(&self, phone: &Phone) -> Result<(), StoreError> {
        let calling_code = phone.country_code().digits();
        self.store.count_code_returns(calling_code, 0, 1, self.clock.now()).await
    }
}

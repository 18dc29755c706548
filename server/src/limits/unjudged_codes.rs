//! The pause after a code that the provider did not judge.
//!
//! Such a code takes no try, so without a pause one login can call a failing provider without end. The pause belongs to
//! the login and the network that typed the code: guesses from another network do not delay the owner of the login.

use std::time::Duration;

use super::{Claim, LimitError, Limits, network::outermost, settings::AFTER_UNJUDGED_CODES};
use crate::{
    model::{ApprovalId, Budget},
    storage::StoreError,
};

impl Limits {
    /// Checks that no pause is due for codes of this login from this network. Writes nothing.
    pub async fn check_unjudged_codes(
        &self,
        login: ApprovalId,
        network: Option<&str>,
    ) -> Result<(), LimitError> {
        self.check(&[self.unjudged_code(login, network)]).await
    }

    /// Records a code that the provider did not judge. Returns the pause that follows; `None` if none does.
    pub async fn record_unjudged_code(
        &self,
        login: ApprovalId,
        network: Option<&str>,
    ) -> Result<Option<Duration>, StoreError> {
        let now = self.clock.now();
        let until = match self.try_to_take(&[self.unjudged_code(login, network)], now).await? {
            Ok(grant) => grant.0.iter().filter_map(|taken| taken.used_up(now)).map(|it| it.until).max(),
            // A call at the same moment was recorded first; of both, one lengthens the pause.
            Err(used_up) => Some(used_up.until),
        };
        Ok(until.and_then(|until| (until - now).to_std().ok()))
    }

    fn unjudged_code(&self, login: ApprovalId, network: Option<&str>) -> Claim {
        let rate = self.settings.logins.unjudged_codes_per_login_and_network;
        Claim::new(
            "unjudged_codes_per_login_and_network",
            &[&login.to_string(), &outermost(network.and_then(|network| network.parse().ok()))],
            Budget::growing(rate, AFTER_UNJUDGED_CODES),
        )
    }
}

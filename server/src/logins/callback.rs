//! What the provider reports by itself.
//!
//! Authy switches a callback off after three HTTP errors in a row, so an authentic one is accepted whatever becomes of
//! it. That loses nothing: an open push is asked about until it is answered.

use super::Logins;
use crate::{
    model::Decision,
    provider::{Callback, CallbackReport},
    storage::StoreError,
};

/// What to answer to a callback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hearing {
    /// It is theirs.
    Accepted,
    /// It is not theirs, or can be read in two ways.
    Refused,
}

impl Logins {
    /// Hears a callback. When it is accepted, its effect is stored; or storage is away, and the provider is asked later.
    pub async fn hear(&self, callback: &Callback<'_>) -> Hearing {
        let report = match self.provider.read_callback(callback) {
            Ok(report) => report,
            Err(error) => {
                tracing::warn!(%error, "a callback was refused");
                return Hearing::Refused;
            }
        };
        if let Err(error) = self.act_on(report).await {
            tracing::error!(%error, "a callback could not be stored; the provider will be asked instead");
        }
        Hearing::Accepted
    }

    async fn act_on(&self, report: CallbackReport) -> Result<(), StoreError> {
        let CallbackReport::Answered { id: push, user, login_id, verdict } = report else {
            return Ok(());
        };
        let found = self.store.find_login_of_push(self.provider.name(), &push, login_id, &user).await?;
        if let Some(login) = found {
            self.decide(login, Decision::Verdict(verdict), Some(push)).await?;
        } else {
            tracing::info!("a callback speaks of no login of ours");
        }
        Ok(())
    }
}

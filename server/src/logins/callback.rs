//! What the provider reports by itself.
//!
//! Authy switches a callback off after three HTTP errors in a row, so an authentic one is accepted whatever becomes of
//! it. That loses nothing: what cannot be stored just now is kept and tried again, and an open push is asked about until
//! it is answered.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{sync::mpsc, time::Instant};

use super::{AWAY, Logins};
use crate::{
    model::{Decision, LoginId},
    provider::{Callback, CallbackReport},
    storage::StoreError,
};

/// How long a callback waits for its effect to be stored, before it is answered and its effect follows.
const PATIENCE: Duration = Duration::from_secs(2);
/// How many reports are kept while the database is away; the provider is asked about the rest.
const KEPT: usize = 10_000;
/// For how long a report is tried again.
const TRIED_FOR: Duration = Duration::from_mins(10);

/// What to answer to a callback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hearing {
    /// It is theirs.
    Accepted,
    /// It is not theirs, or can be read in two ways.
    Refused,
}

/// Reports whose effect could not be stored yet.
#[derive(Clone)]
pub(super) struct Unstored {
    kept: mpsc::Sender<Heard>,
    /// Taken by the one task that tries them again.
    waiting: Arc<Mutex<Option<mpsc::Receiver<Heard>>>>,
}

struct Heard {
    report: CallbackReport,
    at: Instant,
}

impl Default for Unstored {
    fn default() -> Self {
        let (kept, waiting) = mpsc::channel(KEPT);
        Self { kept, waiting: Arc::new(Mutex::new(Some(waiting))) }
    }
}

impl Logins {
    /// Hears a callback. When it is accepted, its effect is stored; or storage is away, and the effect follows.
    pub async fn hear(&self, callback: &Callback<'_>) -> Hearing {
        let report = match self.provider.read_callback(callback) {
            Ok(report) => report,
            Err(error) => {
                tracing::warn!(%error, "a callback was refused");
                return Hearing::Refused;
            }
        };
        match tokio::time::timeout(PATIENCE, self.act_on(&report)).await {
            Ok(Ok(_)) => return Hearing::Accepted,
            Ok(Err(error)) => tracing::warn!(%error, "a callback could not be stored and is tried again"),
            Err(_) => tracing::warn!("a callback was not stored in time and is tried again"),
        }
        if self.unstored.kept.try_send(Heard { report, at: Instant::now() }).is_err() {
            tracing::error!("a callback was given up; the provider will be asked instead");
        }
        Hearing::Accepted
    }

    /// Stores what could not be stored when it was heard, in the same order, until it is dropped.
    pub(super) async fn keep_storing(self) {
        let waiting = self.unstored.waiting.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut waiting) = waiting else { return };
        while let Some(Heard { report, at }) = waiting.recv().await {
            // Acting on a report twice does nothing twice.
            loop {
                match self.act_on(&report).await {
                    Ok(login) => {
                        // The first attempt may have changed it after all, when nobody waited for it any longer.
                        login.inspect(|login| self.publish(*login));
                        break;
                    }
                    Err(error) if at.elapsed() > TRIED_FOR => {
                        tracing::error!(%error, "a callback was given up; the provider will be asked instead");
                        break;
                    }
                    Err(_) => tokio::time::sleep(AWAY).await,
                }
            }
        }
    }

    /// Settles the login that a report speaks of, and says which it is; none where it is none of ours.
    async fn act_on(&self, report: &CallbackReport) -> Result<Option<LoginId>, StoreError> {
        let CallbackReport::Answered { id: push, user, login_id, verdict } = report else {
            return Ok(None);
        };
        let found = self.store.find_login_of_push(self.provider.name(), push, *login_id, user).await?;
        if let Some(login) = found {
            self.decide(login, Decision::Verdict(*verdict), Some(push.clone())).await?;
        } else {
            tracing::info!("a callback speaks of no login of ours");
        }
        Ok(found)
    }
}

//! Delivered sessions: from the first delivery on, a login token is known for two minutes more.

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use crate::{
    model::UndeliveredSession,
    storage::{Store, StoreError, change_lightly, columns::At, schema::approvals},
};

impl Store {
    /// Records that the session of a login was delivered: the login token is known until then, and no longer. Returns false
    /// where a delivery was recorded before; of several at once, the first counts.
    ///
    /// A power cut may take it back on SQLite. The login token is then known until the login's own end, as if nothing had been
    /// delivered.
    pub async fn record_session_delivered(
        &self,
        session: UndeliveredSession,
        readable_until: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let undelivered = approvals::table
            .find(session.login.to_string())
            .filter(approvals::readable_until.eq(Some(At(session.readable_until))));
        let update = diesel::update(undelivered).set(approvals::readable_until.eq(Some(At(readable_until))));
        Ok(change_lightly!(self, update) == 1)
    }
}

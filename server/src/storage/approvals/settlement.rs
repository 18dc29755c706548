//! What settling an approval needs to know besides the decision.

use chrono::{DateTime, Utc};

use crate::{
    model::{AfterDenial, DeviceId, PushHandle, SessionId, UsedCode, UserId},
    storage::limit_changes::Taking,
};

/// What settling needs to know besides the decision.
#[derive(Debug)]
pub struct Settlement {
    /// Now.
    pub at: DateTime<Utc>,
    /// The push that the verdict is about, to be stored if it is not yet.
    pub push: Option<PushHandle>,
    /// The right code, if it counts once over all approvals of its person.
    pub used_code: Option<UsedCode>,
    /// Which logins a code may still approve after a denial.
    pub after_denial: AfterDenial,
    /// The rate limits that a denial takes from.
    pub denial_charges: Vec<Taking>,
    /// The id of the user, if a signup becomes one.
    pub user_id: UserId,
    /// The id of the session, if one is opened.
    pub session_id: SessionId,
    /// When that session ends.
    pub session_expires_at: DateTime<Utc>,
    /// The id of the device, if it was not known before.
    pub device_id: DeviceId,
    /// When the device is forgotten.
    pub device_expires_at: DateTime<Utc>,
    /// Sessions that were not used since then have ended: they confirm nothing.
    pub idle_since: DateTime<Utc>,
    /// Until when an operation that is confirmed may be carried out.
    pub usable_until: DateTime<Utc>,
}

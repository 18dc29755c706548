//! The session that a login opens: its tokens, derived again each time.

use chrono::{DateTime, Utc};

use crate::{
    approvals::ApprovalStatus,
    model::{DeliveryMethod, DeviceToken, LoginToken, SessionToken, UndeliveredSession, User},
};

/// A session that the holder of the login token may have.
#[derive(Clone, Debug)]
pub struct OpenSession {
    /// Its token: the same each time.
    pub token: SessionToken,
    /// The token of its browser, as a known device: the same each time.
    pub device_token: DeviceToken,
    /// When it ends at the latest.
    pub expires_at: DateTime<Utc>,
    /// Its user.
    pub user: User,
    /// How it is delivered.
    pub delivery: DeliveryMethod,
    /// What has to be recorded when it is delivered; `None` if that is recorded.
    pub undelivered: Option<UndeliveredSession>,
}

impl OpenSession {
    /// Derives the session of an approved login from its token. `None` if it opened none.
    #[must_use]
    pub fn derive(status: &ApprovalStatus, token: &LoginToken) -> Option<Self> {
        let opened = status.opened.as_ref()?;
        Some(Self {
            token: token.derive_session_token(&opened.grant.salt),
            device_token: token.derive_device_token(&opened.grant.salt),
            expires_at: opened.session.expires_at,
            user: opened.user.clone(),
            delivery: opened.grant.delivery,
            undelivered: status.approval.undelivered_session(),
        })
    }
}

//! Limits on what a right password can start: logins, and the app hints that they send.
//!
//! A right password consumes no attempt, so without these limits one account could start logins without end, each with a
//! row and a call to the provider. They are checked after the password: clients that do not know it see no difference.

use super::{Claim, Grant, LimitError, Limits, PhoneUse, phones::Named};
use crate::model::{Budget, DeviceId, LoginId, Rate, UserId};

/// The rates of these limits.
#[derive(Clone, Copy, Debug)]
pub struct LoginLimitSettings {
    /// Logins of one user that one network starts, known devices aside; IPv6 in tiers.
    pub started_logins_per_user_and_network: Rate,
    /// Logins that one known device starts, instead of the limit above.
    pub started_logins_per_device: Rate,
    /// Codes of one login that the provider did not judge, from one network; past that, growing pauses.
    pub unjudged_codes_per_login_and_network: Rate,
    /// App hints for one login.
    pub app_hints_per_login: Rate,
    /// App hints to one phone, for its users' logins; as many for each known device.
    pub app_hints_per_phone: Rate,
    /// App hints to one phone, for all signups that name it from one network; three times as many for all networks.
    pub app_hints_per_unverified_phone: Rate,
}

impl Limits {
    /// Reserves one started login of a user. Nothing is released later: each one has cost a row and a call.
    ///
    /// `network` is `None` where the client's address is unknown; such clients share one limit for each user.
    pub async fn take_started_login(
        &self,
        user: UserId,
        network: Option<&str>,
        device: Option<DeviceId>,
    ) -> Result<(), LimitError> {
        let (settings, user) = (&self.settings.logins, user.to_string());
        let claims = match device {
            Some(device) => vec![Claim::new(
                "started_logins_per_device",
                &[&device.to_string(), &user],
                Budget::strict(settings.started_logins_per_device),
            )],
            None => Claim::in_tiers(
                "started_logins_per_user_and_network",
                &[&user],
                network.and_then(|network| network.parse().ok()),
                settings.started_logins_per_user_and_network,
                Budget::strict,
            ),
        };
        self.take(&claims).await.map(drop)
    }

    /// Reserves one app hint. The caller releases it if the provider sent something else or nothing.
    ///
    /// A hint costs no message, but it notifies a person: without a limit it is a way to pester them.
    pub async fn take_app_hint(&self, login: LoginId, to: PhoneUse<'_>) -> Result<Grant, LimitError> {
        let settings = &self.settings.logins;
        let mut claims = to.claims(
            Named("app_hints_per_phone", settings.app_hints_per_phone),
            Named("app_hints_per_unverified_phone", settings.app_hints_per_unverified_phone),
            Budget::strict,
        );
        let per_login = Budget::strict(settings.app_hints_per_login);
        claims.push(Claim::new("app_hints_per_login", &[&login.to_string()], per_login));
        self.take(&claims).await
    }
}

//! Wrong passwords: taken before the hash, given back where the password was right.

use std::net::IpAddr;

use super::{
    Claim, Grant, LimitError, Limits,
    network::{UNKNOWN, customer, network},
    settings::AFTER_WRONG_PASSWORDS,
};
use crate::model::{Budget, DeviceId};

impl Limits {
    /// Takes one password for this email. A known device has a budget of its own, which no stranger can use up, and
    /// takes of no other.
    ///
    /// `email` is normalised where it is an email at all; whether anybody has it makes no difference.
    pub async fn take_password_try(
        &self,
        email: &str,
        from: Option<IpAddr>,
        device: Option<DeviceId>,
    ) -> Result<Grant, LimitError> {
        let settings = &self.settings;
        let growing = |name, whose: &[&str], rate| {
            Claim::new(name, whose, Budget::growing(rate, AFTER_WRONG_PASSWORDS))
        };
        let (network, customer) =
            from.map_or((UNKNOWN.to_owned(), UNKNOWN.to_owned()), |from| (network(from), customer(from)));
        let claims = match device {
            Some(device) => vec![growing(
                "wrong_passwords_per_device",
                &[&device.to_string(), email],
                settings.wrong_passwords_per_device,
            )],
            None => vec![
                growing(
                    "wrong_passwords_per_email_and_network",
                    &[email, &network],
                    settings.wrong_passwords_per_email_and_network,
                ),
                growing("wrong_passwords_per_address", &[&customer], settings.wrong_passwords_per_address),
                growing("wrong_passwords_per_email", &[email], settings.wrong_passwords_per_email),
            ],
        };
        self.take(&claims).await
    }
}

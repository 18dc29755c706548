//! Wrong passwords: taken before the hash, given back where the password was right.

use std::net::IpAddr;

use super::{
    Claim, Grant, LimitError, Limits,
    settings::AFTER_WRONG_PASSWORDS,
};
use crate::{
    model::{Budget, DeviceId, Rate},
    network::Network,
};

/// A /64 may guess a quarter of what an address of IPv4 may: a home line (/56) has as much as that.
const LAN_PART: u32 = 4;

impl Limits {
    /// Takes one password for this email. A known device has a rate limit of its own, which no stranger can exhaust, and
    /// takes of no other.
    ///
    /// `email` is normalised where it is an email at all; whether anybody has it makes no difference.
    pub async fn take_password_try(
        &self,
        email: &str,
        from: Option<IpAddr>,
        device: Option<DeviceId>,
    ) -> Result<Grant, LimitError> {
        if let Some(device) = device {
            let (name, rate) = ("wrong_passwords_per_device", self.settings.wrong_passwords_per_device);
            return self.take(&[Claim::new(name, &[&device.to_string(), email], growing(rate))]).await;
        }
        let mut claims = self.password_claims_by_network(email, from);
        let of_all = growing(self.settings.wrong_passwords_per_email);
        claims.push(Claim::new("wrong_passwords_per_email", &[email], of_all));
        self.take(&claims).await
    }

    fn password_claims_by_network(&self, email: &str, from: Option<IpAddr>) -> Vec<Claim> {
        let settings = &self.settings;
        let per_address = settings.wrong_passwords_per_address;
        let per_customer = match from.map(|from| from.to_canonical()) {
            Some(IpAddr::V6(_)) => Rate { count: (per_address.count / LAN_PART).max(1), ..per_address },
            _ => per_address,
        };
        let mut claims = Claim::in_tiers(
            "wrong_passwords_per_email_and_network",
            &[email],
            from.map(Network::of),
            settings.wrong_passwords_per_email_and_network,
            growing,
        );
        let customer = from.map(Network::of_customer);
        claims.extend(Claim::in_tiers("wrong_passwords_per_address", &[], customer, per_customer, growing));
        claims
    }
}

const fn growing(rate: Rate) -> Budget {
    Budget::growing(rate, AFTER_WRONG_PASSWORDS)
}

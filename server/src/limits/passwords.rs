//! Wrong passwords: taken before the hash, given back where the password was right.
//!
//! Networks that have not guessed for an email within a day share a limit of their own, which those that have cannot exhaust:
//! strangers who guess without end do not keep the owner out of a new browser. That a network has guessed is a rate limit
//! itself, one row that ends.

use std::net::IpAddr;

use super::{
    Claim, Grant, LimitError, Limits,
    network::{allocation, outermost},
    settings::{AFTER_WRONG_PASSWORDS, AFTER_WRONG_PASSWORDS_FOR_EMAIL, FIRST_TRIES},
};
use crate::{
    model::{Budget, DeviceId, Rate, SessionId},
    network::Network,
};

/// A /64 may guess a quarter of what an address of IPv4 may: a home line (/56) has as much as that.
const LAN_PART: u32 = 4;
/// How many in a hundred of the first tries of all networks those of one provider have: an IPv6 /32 alone has 65,536 networks.
const ALLOCATION_SHARE: u32 = 10;

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
        let by_network = self.password_claims_by_network(email, from);
        let for_new = self.password_claims_of_new_network(email, from);
        let claims = [&by_network[..], &for_new].concat();
        match self.try_to_take(&claims, self.clock.now()).await? {
            Ok(grant) => Ok(grant),
            Err(exhausted) if for_new.iter().any(|claim| claim.taking.key == exhausted.key) => {
                let rate = self.settings.wrong_passwords_per_email;
                let limit = Budget::growing(rate, AFTER_WRONG_PASSWORDS_FOR_EMAIL);
                let of_all = Claim::new("wrong_passwords_per_email", &[email], limit);
                self.take(&[&by_network[..], &[of_all]].concat()).await
            }
            Err(exhausted) => Err(self.refuse(&claims, &exhausted)),
        }
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

    /// What a network takes of that has not guessed for this email: one of its first tries, one of its provider's share, and one of
    /// all such networks.
    fn password_claims_of_new_network(&self, email: &str, from: Option<IpAddr>) -> [Claim; 3] {
        let network = from.map(Network::of);
        let of_all = self.settings.wrong_passwords_per_email_from_new_networks;
        let strict = |name, whose: &[&str], rate| Claim::new(name, whose, Budget::strict(rate));
        [
            strict("first_passwords_per_email_and_network", &[email, &outermost(network)], FIRST_TRIES),
            strict(
                "first_passwords_per_email_and_allocation",
                &[email, &allocation(network)],
                of_all.percent(ALLOCATION_SHARE),
            ),
            strict("wrong_passwords_per_email_from_new_networks", &[email], of_all),
        ]
    }
}

impl Limits {
    /// Takes one password that confirms an operation in this session. The last one that is not released ends the session.
    pub async fn take_confirmation_password(&self, session: SessionId) -> Result<Grant, LimitError> {
        let limit = Budget::strict(self.settings.wrong_passwords_per_session);
        self.take(&[Claim::new("wrong_passwords_per_session", &[&session.to_string()], limit)]).await
    }
}

const fn growing(rate: Rate) -> Budget {
    Budget::growing(rate, AFTER_WRONG_PASSWORDS)
}

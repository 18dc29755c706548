//! Where a client comes from, as rate limits count it.

use std::net::IpAddr;

use super::Claim;
use crate::{
    model::{Budget, Rate},
    network::Network,
};

/// Clients whose address nobody knows share one network.
const UNKNOWN: &str = "unknown";

/// The network that an address lies in, as a login stores it: of IPv4 a /24, of IPv6 a /64.
#[must_use]
pub fn network(address: IpAddr) -> String {
    Network::of(address).to_string()
}

/// The name in keys of the largest network that may still be one customer's: an IPv4 /24, an IPv6 /48.
pub(super) fn outermost(network: Option<Network>) -> String {
    network.map_or_else(|| UNKNOWN.to_owned(), |network| network.outermost().to_string())
}

impl Claim {
    /// One claim in each tier of a network: `rate` in the smallest, more of it in those around. `budget` makes a limit of it.
    pub(super) fn in_tiers(
        name: &'static str,
        whose: &[&str],
        network: Option<Network>,
        rate: Rate,
        budget: impl Fn(Rate) -> Budget,
    ) -> Vec<Self> {
        let claim = |network: &str, factor| {
            Self::new(name, &[whose, &[network]].concat(), budget(rate.times(factor)))
        };
        match network {
            Some(network) => {
                network.tiers().map(|tier| claim(&tier.network.to_string(), tier.factor)).collect()
            }
            None => vec![claim(UNKNOWN, 1)],
        }
    }
}

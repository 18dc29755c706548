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

/// The name in keys of everything that one provider may have at once: an IPv4 /16, an IPv6 /32.
pub(super) fn allocation(network: Option<Network>) -> String {
    network.map_or_else(|| UNKNOWN.to_owned(), |network| network.allocation().to_string())
}

/// Which clients take turns in a queue: networks (IPv4 /24, IPv6 /48), and within one its customers (an IPv4 address, an IPv6
/// /56). Clients without a known address are one customer.
#[must_use]
pub fn queue_path(from: Option<IpAddr>) -> [String; 2] {
    let Some(from) = from else { return [UNKNOWN; 2].map(str::to_owned) };
    let customer = Network::of_customer(from);
    let home_line = customer.tiers().nth(1).map_or(customer, |tier| tier.network);
    [customer.outermost(), home_line].map(|network| network.to_string())
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

#[cfg(test)]
mod tests {
    use super::queue_path;

    #[test]
    fn clients_take_turns_by_network_and_then_by_customer() {
        let path = |address: &str| queue_path(Some(address.parse().unwrap()));
        assert_eq!(path("203.0.113.77"), ["203.0.113.0/24", "203.0.113.77/32"]);
        assert_eq!(path("::ffff:203.0.113.77"), path("203.0.113.77"));
        assert_eq!(path("2001:db8:1:2ff::7"), ["2001:db8:1::/48", "2001:db8:1:200::/56"]);
        assert_eq!(queue_path(None), ["unknown", "unknown"]);
    }
}

//! The networks that a client's address lies in, for everything that counts by network.
//!
//! An IPv6 customer can use every address of their networks at once, and how large those are depends on the provider. So each
//! address counts in three tiers, the larger ones with a larger limit: one home line (/56) is worth four /64, and one mobile
//! carrier or site (/48) thirty-two. An IPv4 address has one tier.

use std::{fmt, net::IpAddr, str::FromStr};

use ipnet::{AddrParseError, IpNet};

/// IPv4 addresses that are assigned together.
const IPV4_NETWORK: u8 = 24;
/// The smallest IPv6 network, one LAN or one handset (RFC 6177): within it, an address costs nothing.
const IPV6_LAN: u8 = 64;
/// The IPv6 networks around it and their factors: a home line (RIPE-690 recommends /56), then a site or a mobile carrier's.
const AROUND_LAN: [(u8, u32); 2] = [(56, 4), (48, 32)];

/// What one organisation is given at once: an IPv4 /16, and the IPv6 network of a provider (RIPE-738).
const ALLOCATION: (u8, u8) = (16, 32);

/// A range of addresses, as in `203.0.113.0/24`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Network(IpNet);

/// A network in which an address counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tier {
    /// The network.
    pub network: Network,
    /// How many times the limit of the smallest tier this one has; 1 at least.
    pub factor: u32,
}

impl Network {
    /// The network that one customer has at least: an IPv4 address, an IPv6 /64.
    #[must_use]
    pub fn of_customer(address: IpAddr) -> Self {
        Self::around(address, 32, IPV6_LAN)
    }

    /// The network that an address lies in: an IPv4 /24, an IPv6 /64.
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        Self::around(address, IPV4_NETWORK, IPV6_LAN)
    }

    /// The largest network that may still be one customer's: an IPv4 /24, an IPv6 /48.
    #[must_use]
    pub fn outermost(self) -> Self {
        Self::around(self.0.addr(), IPV4_NETWORK, AROUND_LAN[AROUND_LAN.len() - 1].0)
    }

    /// The network that one provider or hoster may have at once, with all the networks in it: an IPv4 /16, an IPv6 /32.
    #[must_use]
    pub fn allocation(self) -> Self {
        Self::around(self.0.addr(), ALLOCATION.0, ALLOCATION.1)
    }

    /// The tiers in which this network counts, the smallest first: itself, and for IPv6 its /56 and its /48.
    pub fn tiers(self) -> impl Iterator<Item = Tier> {
        let around = AROUND_LAN.into_iter().filter(move |_| matches!(self.0, IpNet::V6(_)));
        let around = around.map(move |(bits, factor)| Tier {
            network: Self::around(self.0.addr(), IPV4_NETWORK, bits),
            factor,
        });
        std::iter::once(Tier { network: self, factor: 1 }).chain(around)
    }

    fn around(address: IpAddr, ipv4_bits: u8, ipv6_bits: u8) -> Self {
        let address = address.to_canonical();
        let bits = if address.is_ipv4() { ipv4_bits } else { ipv6_bits };
        let network = IpNet::new(address, bits).unwrap_or_else(|_| IpNet::from(address));
        Self(network.trunc())
    }
}

impl fmt::Display for Network {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl FromStr for Network {
    type Err = AddrParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(network: Network) -> Vec<(String, u32)> {
        network.tiers().map(|tier| (tier.network.to_string(), tier.factor)).collect()
    }

    #[test]
    fn an_address_lies_in_its_network_however_it_is_written() {
        for (address, network, customer, outermost) in [
            ("203.0.113.77", "203.0.113.0/24", "203.0.113.77/32", "203.0.113.0/24"),
            ("::ffff:203.0.113.77", "203.0.113.0/24", "203.0.113.77/32", "203.0.113.0/24"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64", "2001:db8:1:2::/64", "2001:db8:1::/48"),
            ("::1", "::/64", "::/64", "::/48"),
        ] {
            let address = address.parse().unwrap();
            assert_eq!(Network::of(address).to_string(), network);
            assert_eq!(Network::of_customer(address).to_string(), customer);
            assert_eq!(Network::of(address).outermost().to_string(), outermost);
            assert_eq!(Network::of_customer(address).outermost().to_string(), outermost);
        }
    }

    #[test]
    fn an_ipv6_address_counts_in_three_tiers_and_an_ipv4_address_in_one() {
        let address = "2001:db8:1:2ff::7".parse().unwrap();
        let expected = [("2001:db8:1:2ff::/64", 1), ("2001:db8:1:200::/56", 4), ("2001:db8:1::/48", 32)];
        for network in [Network::of(address), Network::of_customer(address)] {
            assert_eq!(texts(network), expected.map(|(text, factor)| (text.to_owned(), factor)));
        }
        let address = "203.0.113.77".parse().unwrap();
        assert_eq!(texts(Network::of(address)), [("203.0.113.0/24".to_owned(), 1)]);
        assert_eq!(texts(Network::of_customer(address)), [("203.0.113.77/32".to_owned(), 1)]);
    }

    #[test]
    fn a_stored_network_has_the_same_tiers() {
        for address in ["203.0.113.77", "2001:db8:1:2::3"] {
            let network = Network::of(address.parse().unwrap());
            let stored: Network = network.to_string().parse().unwrap();
            assert_eq!(texts(stored), texts(network));
        }
        assert!("unknown".parse::<Network>().is_err());
    }

    #[test]
    fn networks_of_one_provider_lie_in_one_allocation() {
        let allocation = |address: &str| Network::of(address.parse().unwrap()).allocation().to_string();
        assert_eq!(allocation("203.0.113.77"), "203.0.0.0/16");
        assert_eq!(allocation("2001:db8:1:2::3"), "2001:db8::/32");
    }
}

//! Where a client comes from, as far as rate limits care.

use std::net::IpAddr;

use crate::network::Network;

/// Clients whose address nobody knows share one.
pub(super) const UNKNOWN: &str = "unknown";

/// The network that an address lies in: of IPv4 a /24, of IPv6 a /64.
#[must_use]
pub fn network(address: IpAddr) -> String {
    Network::of(address).to_string()
}

/// One customer of a provider: an address of IPv4, a /64 of IPv6.
pub(super) fn customer(address: IpAddr) -> String {
    Network::of_customer(address).to_string()
}

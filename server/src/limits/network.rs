//! Where a client comes from, as far as budgets care.

use std::net::IpAddr;

use ipnet::IpNet;

/// Clients whose address nobody knows share one.
pub(super) const UNKNOWN: &str = "unknown";
/// Bits of IPv6 that one customer of a provider has at least (RFC 6177): within them, an address costs nothing.
const CUSTOMER_OF_IPV6: u8 = 64;
/// Bits of IPv6 that a home line has, and that one customer of a provider can have for the asking.
const HOME_LINE_OF_IPV6: u8 = 56;
const LARGEST_CUSTOMER_OF_IPV6: u8 = 48;
/// Bits of IPv4 that are handed out together.
const NETWORK_OF_IPV4: u8 = 24;

/// The network that an address lies in: of IPv4 a /24, of IPv6 a /64.
#[must_use]
pub fn network(address: IpAddr) -> String {
    within(address, NETWORK_OF_IPV4)
}

/// One customer of a provider: an address of IPv4, a /64 of IPv6.
pub(super) fn customer(address: IpAddr) -> String {
    within(address, 32)
}

/// Who takes turns with whom in a queue: networks (IPv4 /24, IPv6 /48), and within one its customers (an address of IPv4, a /56
/// of IPv6). Clients without a known address are one customer.
#[must_use]
pub fn queue_path(from: Option<IpAddr>) -> [String; 2] {
    from.map_or_else(
        || [UNKNOWN; 2].map(str::to_owned),
        |from| {
            [
                within_bits(from, NETWORK_OF_IPV4, LARGEST_CUSTOMER_OF_IPV6),
                within_bits(from, 32, HOME_LINE_OF_IPV6),
            ]
        },
    )
}

fn within(address: IpAddr, bits_of_ipv4: u8) -> String {
    within_bits(address, bits_of_ipv4, CUSTOMER_OF_IPV6)
}

fn within_bits(address: IpAddr, bits_of_ipv4: u8, bits_of_ipv6: u8) -> String {
    let address = address.to_canonical();
    let bits = if address.is_ipv4() { bits_of_ipv4 } else { bits_of_ipv6 };
    IpNet::new(address, bits).map_or_else(|_| address.to_string(), |network| network.trunc().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_lies_in_its_network_however_it_is_written() {
        for (address, expected_network, expected_customer) in [
            ("203.0.113.77", "203.0.113.0/24", "203.0.113.77/32"),
            ("::ffff:203.0.113.77", "203.0.113.0/24", "203.0.113.77/32"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64", "2001:db8:1:2::/64"),
            ("::1", "::/64", "::/64"),
        ] {
            let address = address.parse().unwrap();
            assert_eq!(
                (network(address), customer(address)),
                (expected_network.into(), expected_customer.into())
            );
        }
    }
}

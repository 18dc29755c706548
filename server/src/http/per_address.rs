//! How many of something each network address holds at once.
//!
//! The invariant: an address that holds nothing has no entry, so that addresses which come and go leave nothing behind.

use std::{
    net::{IpAddr, Ipv6Addr},
    sync::Arc,
};

use dashmap::{DashMap, Entry};

/// Counts what is held, by address.
pub struct PerAddress {
    limit: usize,
    held: DashMap<IpAddr, usize>,
}

impl PerAddress {
    /// `limit`: how many one address may hold at once, one at the least.
    #[must_use]
    pub fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { limit, held: DashMap::new() })
    }

    /// One more for this address, until it is dropped; `None`: it holds as many as it may.
    pub(super) fn take(self: &Arc<Self>, address: IpAddr) -> Option<Held> {
        let network = network(address);
        let mut held = self.held.entry(network).or_insert(0);
        if *held >= self.limit {
            return None;
        }
        *held += 1;
        Some(Held { counts: self.clone(), network })
    }
}

/// One of those that an address holds.
pub(super) struct Held {
    counts: Arc<PerAddress>,
    network: IpAddr,
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Entry::Occupied(mut held) = self.counts.held.entry(self.network) {
            *held.get_mut() -= 1;
            if *held.get() == 0 {
                held.remove();
            }
        }
    }
}

/// What one customer of a provider has: an address of IPv4, 64 bits of IPv6 (RFC 6177).
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::PerAddress;

    #[test]
    fn an_address_holds_as_many_as_it_may_and_others_are_not_counted_with_it() {
        let counts = PerAddress::new(2);
        let address = |text: &str| text.parse().unwrap();
        let first = counts.take(address("192.0.2.1"));
        let second = counts.take(address("::ffff:192.0.2.1"));
        assert!(first.is_some() && second.is_some() && counts.take(address("192.0.2.1")).is_none());
        assert!(counts.take(address("192.0.2.2")).is_some());
        drop(first);
        assert!(counts.take(address("192.0.2.1")).is_some());
    }

    #[test]
    fn addresses_of_one_network_of_ipv6_count_together() {
        let counts = PerAddress::new(1);
        let held = counts.take("2001:db8::1".parse().unwrap());
        assert!(counts.take("2001:db8::ffff:2".parse().unwrap()).is_none());
        assert!(counts.take("2001:db8:0:1::1".parse().unwrap()).is_some());
        drop(held);
    }

    #[test]
    fn who_holds_nothing_leaves_nothing_behind() {
        let counts = PerAddress::new(1);
        drop(counts.take("192.0.2.1".parse().unwrap()));
        assert!(counts.held.is_empty());
    }
}

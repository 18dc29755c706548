//! How many of something each network address holds at once.
//!
//! An IPv6 address counts in three tiers ([`Network::tiers`]), so that one home line cannot hold 256 times the limit.
//! The invariant: a network that holds nothing has no entry, so that addresses which come and go leave nothing behind.

use std::{net::IpAddr, sync::Arc};

use dashmap::{DashMap, Entry};

use crate::network::Network;

/// Counts what is held, by network.
pub struct PerAddress {
    limit: usize,
    held: DashMap<Network, usize>,
}

impl PerAddress {
    /// `limit`: how many one address (IPv6 /64) may hold at once, one at the least.
    #[must_use]
    pub fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { limit, held: DashMap::new() })
    }

    /// One more for this address, until it is dropped; `None`: a network of it holds as many as it may.
    pub(super) fn take(self: &Arc<Self>, address: IpAddr) -> Option<Held> {
        self.take_many(address, 1)
    }

    /// So many more for this address until they are dropped, all or none.
    pub(super) fn take_many(self: &Arc<Self>, address: IpAddr, amount: usize) -> Option<Held> {
        // Dropped on the way out where a later tier is full: what the earlier ones counted is released.
        let mut held = Held { counts: self.clone(), networks: Vec::with_capacity(3), amount };
        for tier in Network::of_customer(address).tiers() {
            let limit = self.limit.saturating_mul(usize::try_from(tier.factor).unwrap_or(usize::MAX));
            let entry = self.held.entry(tier.network);
            let count = match &entry {
                Entry::Occupied(count) => *count.get(),
                Entry::Vacant(_) => 0,
            };
            let count = count.checked_add(amount).filter(|count| *count <= limit)?;
            entry.insert(count);
            held.networks.push(tier.network);
        }
        Some(held)
    }
}

/// One of those that an address holds.
pub(super) struct Held {
    counts: Arc<PerAddress>,
    networks: Vec<Network>,
    amount: usize,
}

impl Drop for Held {
    fn drop(&mut self) {
        for network in &self.networks {
            if let Entry::Occupied(mut held) = self.counts.held.entry(*network) {
                *held.get_mut() -= self.amount;
                if *held.get() == 0 {
                    held.remove();
                }
            }
        }
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
    fn a_home_line_holds_four_times_the_limit_and_a_site_thirty_two_times() {
        let counts = PerAddress::new(2);
        // Every /64 of a /48, in turn.
        let address = |lan: usize| format!("2001:db8:1:{lan:x}::1").parse().unwrap();
        let line: Vec<_> = (0..256).filter_map(|lan| counts.take(address(lan))).collect();
        assert_eq!(line.len(), 8);
        let site: Vec<_> = (256..65_536).filter_map(|lan| counts.take(address(lan))).collect();
        assert_eq!(line.len() + site.len(), 64);
        assert!(counts.take("2001:db8:2::1".parse().unwrap()).is_some());
        drop((line, site));
        assert!(counts.held.is_empty());
    }

    #[test]
    fn who_holds_nothing_leaves_nothing_behind() {
        let counts = PerAddress::new(1);
        drop(counts.take("192.0.2.1".parse().unwrap()));
        assert!(counts.take_many("192.0.2.2".parse().unwrap(), 2).is_none());
        assert!(counts.held.is_empty());
    }
}

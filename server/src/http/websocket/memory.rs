//! Limits the memory that operations keep: those of one socket, and those of all sockets of one address.
//!
//! The invariant: what an operation needs is reserved before it begins, and released when nothing of it is left, so a
//! mutation that runs on after its client has gone still counts.

use std::{net::IpAddr, sync::Arc};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::http::per_address::{Held, PerAddress};

/// The memory that the operations of one socket may keep.
pub(super) struct SocketMemory {
    free: Arc<Semaphore>,
    /// Unknown where the listener did not say where the connection comes from.
    address: Option<(Arc<PerAddress>, IpAddr)>,
}

/// Bytes that are reserved until this is dropped.
pub(super) struct Reserved {
    _socket: OwnedSemaphorePermit,
    _address: Option<Held>,
}

impl SocketMemory {
    /// `limit`: bytes of one socket. `of_addresses` counts the bytes of each address.
    pub(super) fn new(limit: usize, of_addresses: Arc<PerAddress>, address: Option<IpAddr>) -> Self {
        let free = Arc::new(Semaphore::new(limit.min(Semaphore::MAX_PERMITS)));
        Self { free, address: address.map(|address| (of_addresses, address)) }
    }

    /// Reserves so many bytes; `None`: the socket or its address keeps too much.
    pub(super) fn reserve(&self, bytes: usize) -> Option<Reserved> {
        let permits = u32::try_from(bytes).ok()?;
        let socket = self.free.clone().try_acquire_many_owned(permits).ok()?;
        let address = match &self.address {
            Some((of_addresses, address)) => Some(of_addresses.take_many(*address, bytes)?),
            None => None,
        };
        Some(Reserved { _socket: socket, _address: address })
    }
}

#[cfg(test)]
mod tests {
    use super::{PerAddress, SocketMemory};

    #[test]
    fn a_socket_and_its_address_both_limit_what_is_reserved() {
        let of_addresses = PerAddress::new(150);
        let socket = |address: &str| SocketMemory::new(100, of_addresses.clone(), address.parse().ok());
        let (one, other, elsewhere) = (socket("192.0.2.1"), socket("192.0.2.1"), socket("192.0.2.2"));
        let reserved = one.reserve(100);
        assert!(reserved.is_some() && one.reserve(1).is_none());
        assert!(other.reserve(51).is_none());
        assert!(other.reserve(50).is_some() && elsewhere.reserve(100).is_some());
        drop(reserved);
        assert!(one.reserve(100).is_some() && one.reserve(101).is_none());
    }
}

//! How much of the service one network may use at once, and how often.
//!
//! Counted in memory, by each instance for itself: it is asked before anything else is, so it must cost next to nothing. The
//! invariant: a network that has used nothing for a while has no entry, and the number of entries is bounded.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_graphql::{Response, ServerError};
use dashmap::DashMap;
use futures_util::{
    FutureExt as _, Stream, StreamExt as _,
    future::BoxFuture,
    stream::{self, BoxStream},
};
use tokio::{
    sync::{AcquireError, OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout},
};

use super::{answer, client_address::ClientAddress, settings::AdmissionSettings};
use crate::network::{Network, Tier};

/// How many networks have an entry; further ones share one.
const MAX_NETWORKS: usize = 65_536;
/// The address whose entry they share. No client has it.
const OTHERS: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
/// How often idle networks are forgotten.
const SWEEP_INTERVAL: Duration = Duration::from_secs(10);
/// How often, while there is no room for another.
const FULL_SWEEP_INTERVAL: Duration = Duration::from_secs(1);
/// How long an operation waits until fewer of its network run.
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// Operations that hash or ask the provider hold no statement most of the time: so many more of them may run.
const COSTLY_FACTOR: usize = 8;

/// What an operation needs of its network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Demand {
    /// Whether it counts against the operations that an address may send.
    pub(super) is_limited: bool,
    pub(super) work: Work,
}

impl Demand {
    /// The same, of an operation whose session must be found first: that is a statement as well.
    pub(super) fn with_session(self) -> Self {
        Self { work: self.work.max(Work::Statements), ..self }
    }
}

/// What an operation does once it runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Work {
    /// Nothing that others wait for.
    #[default]
    Free,
    /// Statements, one after the other.
    Statements,
    /// It also hashes or asks the provider, and runs statements before and after.
    Costly,
}

/// Counts what each network sends and what it has running.
pub struct Admission {
    settings: AdmissionSettings,
    networks: DashMap<Network, Usage>,
    swept_at: Mutex<Instant>,
}

/// What a network has used and has running.
struct Usage {
    /// When nothing of its rate limit is used any more.
    free_at: Instant,
    statements: Arc<Semaphore>,
    costly: Arc<Semaphore>,
}

/// One operation of a network that runs, until this is dropped.
pub(super) struct Permit {
    /// One in each tier of its network.
    held: Vec<OwnedSemaphorePermit>,
}

/// A network has sent or has running as much as it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooMuch {
    pub(super) retry_after: Duration,
}

impl TooMuch {
    /// Whole seconds, rounded up.
    pub(super) fn retry_after_seconds(self) -> u64 {
        self.retry_after.as_secs() + u64::from(self.retry_after.subsec_nanos() > 0)
    }

    pub(super) fn into_error(self) -> ServerError {
        let mut error =
            answer::error("RATE_LIMITED", "Too many operations from this address: wait a moment.");
        let seconds = self.retry_after_seconds();
        error.extensions.get_or_insert_default().set("retryAfterSeconds", seconds);
        error
    }
}

impl Admission {
    /// Counts nothing yet.
    #[must_use]
    pub fn new(settings: AdmissionSettings) -> Arc<Self> {
        Arc::new(Self { settings, networks: DashMap::new(), swept_at: Mutex::new(Instant::now()) })
    }

    /// Counts an operation of a client, unless its network has sent as many as it may.
    pub(super) fn count(&self, client: Option<ClientAddress>, demand: Demand) -> Result<(), TooMuch> {
        match client {
            Some(client) if demand.is_limited => self.count_at(client.0, Instant::now()),
            _ => Ok(()),
        }
    }

    /// Counts an operation, and waits for its turn.
    pub(super) async fn admit(
        &self,
        client: Option<ClientAddress>,
        demand: Demand,
    ) -> Result<Permit, TooMuch> {
        self.count(client, demand)?;
        self.permit(client, demand.work).await
    }

    fn count_at(&self, address: IpAddr, now: Instant) -> Result<(), TooMuch> {
        let rate = self.settings.operations;
        let tiers = Network::of_customer(address).tiers();
        let mut taken: Vec<(Tier, Duration)> = Vec::with_capacity(3);
        for tier in tiers {
            let interval = rate.per / rate.count.saturating_mul(tier.factor).max(1);
            let counted = self.with_usage(tier, now, |usage| {
                let free_at = usage.free_at.max(now) + interval;
                match (free_at - now).checked_sub(rate.per) {
                    Some(retry_after) if !retry_after.is_zero() => Err(TooMuch { retry_after }),
                    _ => {
                        usage.free_at = free_at;
                        Ok(())
                    }
                }
            });
            if let Err(too_much) = counted {
                // The smaller tiers have not used what a larger one refuses.
                for (tier, interval) in taken {
                    self.with_usage(tier, now, |usage| usage.free_at -= interval);
                }
                return Err(too_much);
            }
            taken.push((tier, interval));
        }
        Ok(())
    }

    /// Waits until fewer operations of the client's network run, for some seconds at most.
    pub(super) async fn permit(&self, client: Option<ClientAddress>, work: Work) -> Result<Permit, TooMuch> {
        let mut permit = Permit { held: Vec::new() };
        let Some(ClientAddress(address)) = client.filter(|_| work != Work::Free) else { return Ok(permit) };
        let acquired = async {
            // The smallest first, always: no two operations wait for each other.
            for tier in Network::of_customer(address).tiers() {
                let semaphore = self.with_usage(tier, Instant::now(), |usage| match work {
                    Work::Costly => usage.costly.clone(),
                    Work::Free | Work::Statements => usage.statements.clone(),
                });
                permit.held.push(semaphore.acquire_owned().await?);
            }
            Ok::<_, AcquireError>(permit)
        };
        match timeout(LONGEST_WAIT, acquired).await {
            Ok(Ok(permit)) => Ok(permit),
            // No semaphore is ever closed.
            Ok(Err(_)) | Err(_) => Err(TooMuch { retry_after: Duration::from_secs(1) }),
        }
    }

    /// Has the results of an operation wait for a permit, and hold it until the first of them is there.
    pub(super) fn gate(
        self: &Arc<Self>,
        (client, work): (Option<ClientAddress>, Work),
        results: BoxStream<'static, Response>,
    ) -> BoxStream<'static, Response> {
        if work == Work::Free || client.is_none() {
            return results;
        }
        let admission = self.clone();
        let gated: BoxFuture<'static, BoxStream<'static, Response>> = async move {
            match admission.permit(client, work).await {
                Ok(permit) => until_first(results, permit).boxed(),
                Err(too_much) => stream::iter([Response::from_errors(vec![too_much.into_error()])]).boxed(),
            }
        }
        .boxed();
        gated.flatten_stream().boxed()
    }

    fn with_usage<T>(&self, tier: Tier, now: Instant, use_it: impl FnOnce(&mut Usage) -> T) -> T {
        if let Some(mut usage) = self.networks.get_mut(&tier.network) {
            return use_it(&mut usage);
        }
        let key = if self.has_room(now) { tier.network } else { Network::of_customer(OTHERS) };
        let statements = self.settings.statements * usize::try_from(tier.factor).unwrap_or(1);
        let mut usage = self.networks.entry(key).or_insert_with(|| Usage {
            free_at: now,
            statements: Arc::new(Semaphore::new(statements)),
            costly: Arc::new(Semaphore::new(statements * COSTLY_FACTOR)),
        });
        use_it(&mut usage)
    }

    /// Forgets idle networks from time to time. Whether another one may have an entry.
    fn has_room(&self, now: Instant) -> bool {
        let is_full = self.networks.len() >= MAX_NETWORKS;
        let interval = if is_full { FULL_SWEEP_INTERVAL } else { SWEEP_INTERVAL };
        let is_due = {
            let mut swept_at = self.swept_at.lock().unwrap_or_else(PoisonError::into_inner);
            let is_due = now.saturating_duration_since(*swept_at) >= interval;
            if is_due {
                *swept_at = now;
            }
            is_due
        };
        if is_due {
            self.networks.retain(|_, usage| !usage.is_idle(now));
        }
        !is_full || self.networks.len() < MAX_NETWORKS
    }
}

impl Usage {
    fn is_idle(&self, now: Instant) -> bool {
        // A permit, or an operation that waits for one, shares its semaphore.
        let is_in_use = |semaphore| Arc::strong_count(semaphore) > 1;
        self.free_at <= now && !is_in_use(&self.statements) && !is_in_use(&self.costly)
    }
}

fn until_first(
    results: BoxStream<'static, Response>,
    permit: Permit,
) -> impl Stream<Item = Response> + Send + 'static {
    let mut permit = Some(permit);
    results.inspect(move |_| drop(permit.take()))
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::http::settings::OperationRate;

    fn admission(count: u32, statements: usize) -> Arc<Admission> {
        let operations = OperationRate { count, per: Duration::from_mins(1) };
        Admission::new(AdmissionSettings { operations, statements })
    }

    fn address(number: u32) -> IpAddr {
        Ipv4Addr::from(0x0a00_0000 + number).into()
    }

    #[test]
    fn so_many_at_once_and_as_many_again_evenly() {
        let admission = admission(60, 1);
        let begin = Instant::now();
        let after = |seconds| begin + Duration::from_secs(seconds);
        let passed = |now| (0..1_000).filter(|_| admission.count_at(address(1), now).is_ok()).count();
        assert_eq!(passed(begin), 60);
        let refused = admission.count_at(address(1), begin).unwrap_err();
        assert_eq!((refused.retry_after_seconds(), refused.retry_after), (1, Duration::from_secs(1)));
        assert_eq!(passed(after(1)), 1);
        assert_eq!(passed(after(11)), 10);
        assert_eq!(passed(after(1_000)), 60);
        assert_eq!(admission.count_at(address(2), begin), Ok(()));
    }

    #[test]
    fn addresses_of_ipv6_count_in_three_tiers() {
        let admission = admission(1, 1);
        let now = Instant::now();
        let count = |address: String| admission.count_at(address.parse().unwrap(), now).is_ok();
        assert!(count("2001:db8::1".to_owned()) && !count("2001:db8::2".to_owned()));
        // A /56 has four times as much as its /64s, a /48 thirty-two times as much.
        let home_line = (1..256).filter(|lan| count(format!("2001:db8:0:{lan:x}::1"))).count();
        assert_eq!(home_line, 3);
        let site = (1..256).filter(|line| count(format!("2001:db8:0:{line:x}00::1"))).count();
        assert_eq!(site, 28);
    }

    #[test]
    fn idle_networks_are_forgotten_and_further_ones_share_an_entry() {
        let admission = admission(2, 1);
        let begin = Instant::now();
        for number in 0..u32::try_from(MAX_NETWORKS).unwrap() + 1_000 {
            let _ = admission.count_at(address(number), begin);
        }
        assert_eq!(admission.networks.len(), MAX_NETWORKS + 1);
        assert!(admission.count_at(address(1_000_000), begin).is_err());
        let later = begin + Duration::from_mins(2);
        assert!(admission.count_at(address(1_000_000), later).is_ok());
        assert_eq!(admission.networks.len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn statements_of_one_network_wait_for_each_other_and_others_do_not() {
        let admission = admission(1, 1);
        let client = |number| Some(ClientAddress(address(number)));
        let first = admission.permit(client(1), Work::Statements).await.unwrap();
        let second = admission.permit(client(1), Work::Statements);
        let other = admission.permit(client(2), Work::Statements).await;
        let costly = admission.permit(client(1), Work::Costly).await;
        let free = admission.permit(client(1), Work::Free).await;
        assert!(other.is_ok() && costly.is_ok() && free.is_ok());
        assert!(second.await.is_err());
        let second = admission.permit(client(1), Work::Statements);
        drop(first);
        assert!(second.await.is_ok());
    }

    #[tokio::test]
    async fn a_network_with_something_running_is_not_forgotten() {
        let admission = admission(1, 1);
        let client = Some(ClientAddress(address(1)));
        let held = admission.permit(client, Work::Statements).await.unwrap();
        let later = Instant::now() + Duration::from_hours(1);
        assert!(admission.has_room(later) && admission.networks.len() == 1);
        drop(held);
        assert!(admission.has_room(later + SWEEP_INTERVAL) && admission.networks.is_empty());
    }
}

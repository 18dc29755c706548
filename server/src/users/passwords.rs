//! Password hashes: argon2id on a bounded pool of threads of its own.
//!
//! A storm of logins fills this pool's queue and nothing else: the runtime's threads never hash, and these threads yield the
//! processor to whatever else the process has to do. Past the queue's end the answer is "busy", at once; networks take turns in
//! it ([`fair_queue`]), so that one network's storm is not another's.

mod counts;
mod fair_queue;
mod hashing;
mod pool;

use std::{num::NonZeroUsize, sync::Arc, thread, time::Duration};

use argon2::{Algorithm, Argon2, Params, Version, password_hash::phc};
use clap::{Args, builder::RangedU64ValueParser, value_parser};
use tokio::sync::oneshot;
use zeroize::Zeroizing;

pub(super) use self::fair_queue::Client;
use self::{
    counts::{Counts, Work},
    pool::{Pool, Turn},
};
use crate::{
    model::{FamiliarWords, InvalidPassword, Password, PasswordHash},
    random,
};

/// What one hash takes on a modest core; only for the estimate in "try again in N seconds".
const HASH_TIME: Duration = Duration::from_millis(50);

/// The lowest priority among threads (`setpriority(2)`): who waits for a hash waits tens of milliseconds anyway, who waits for
/// anything else does not.
#[cfg(target_os = "linux")]
const NICE: i32 = 19;

/// The settings of passwords and their hashes.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Passwords")]
pub struct PasswordSettings {
    /// Threads that hash passwords [default: one for each core].
    #[arg(long, env = "HASH_THREADS")]
    pub hash_threads: Option<NonZeroUsize>,
    /// Passwords that may wait for a thread. Past it, clients receive BUSY.
    #[arg(long, env = "HASH_QUEUE", default_value_t = 128, value_parser = RangedU64ValueParser::<usize>::new().range(..=1_000_000))]
    pub hash_queue: usize,
    /// Memory of one password hash (argon2id), in KiB. Hashes made with other parameters are renewed at the next login.
    #[arg(long, env = "HASH_MEMORY_KIB", default_value_t = 19_456, value_parser = value_parser!(u32).range(8..=4_194_304))]
    pub hash_memory_kib: u32,
    /// Passes of one password hash (argon2id).
    #[arg(long, env = "HASH_PASSES", default_value_t = 2, value_parser = value_parser!(u32).range(1..=100))]
    pub hash_passes: u32,
    /// The name by which people know this service. New passwords made of it are rejected.
    #[arg(long, env = "SERVICE_NAME", default_value = "Countersign")]
    pub service_name: String,
}

impl PasswordSettings {
    /// Returns how many threads hash.
    #[must_use]
    pub fn threads(&self) -> usize {
        let cores = || thread::available_parallelism().map_or(1, NonZeroUsize::get);
        self.hash_threads.map_or_else(cores, NonZeroUsize::get)
    }
}

/// Why a password was not hashed.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// The queue is full.
    #[error("too many passwords are waiting")]
    Busy {
        /// When there should be room again.
        retry_after: Duration,
    },
    /// Argon2 would not: wrong parameters, a broken hash in the database.
    #[error("argon2 failed: {0}")]
    Argon2(String),
    /// The threads could not be started, or one is gone.
    #[error("the threads that hash passwords are gone")]
    Threads,
}

/// The hashing threads. Clones share them.
#[derive(Clone)]
pub struct Passwords {
    pool: Arc<Pool>,
    argon2: Argon2<'static>,
    retry_after: Duration,
    /// A hash of no password, with today's parameters.
    nobody: PasswordHash,
    counts: Counts,
    service_name: Arc<str>,
}

impl Passwords {
    /// Starts the threads.
    pub fn new(settings: PasswordSettings) -> Result<Self, PasswordError> {
        let params = Params::new(settings.hash_memory_kib, settings.hash_passes, 1, None);
        let params = params.map_err(argon2_failed)?;
        let threads = settings.threads();
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        // On a thread that ends: a thread that hashes keeps the memory.
        let hashed = thread::scope(|scope| scope.spawn(|| hash(&argon2, &random::bytes::<32>())).join());
        let nobody = hashed.map_err(|_| PasswordError::Threads)??;
        let pool =
            Pool::start(threads, settings.hash_queue, yield_to_others).map_err(|_| PasswordError::Threads)?;
        let rounds = u32::try_from(settings.hash_queue / threads).unwrap_or(u32::MAX);
        Ok(Self {
            pool: Arc::new(pool),
            argon2,
            retry_after: HASH_TIME.saturating_mul(rounds).max(Duration::from_secs(1)),
            nobody,
            counts: Counts::of(threads),
            service_name: settings.service_name.into(),
        })
    }

    /// Reads a password for a new account. Whether it is soon guessed takes milliseconds to judge, so that is done here.
    /// `familiar` is what others know of its owner; the service's name is added.
    pub(super) async fn parse(
        &self,
        text: &str,
        mut familiar: FamiliarWords,
        client: &Client,
    ) -> Result<Result<Password, InvalidPassword>, PasswordError> {
        let text = Zeroizing::new(text.to_owned());
        familiar.add(&self.service_name);
        self.run(Work::Judge, client, move || Password::parse(&text, &familiar)).await
    }

    /// Hashes a password with a fresh salt.
    pub(super) async fn hash(
        &self,
        password: Password,
        client: &Client,
    ) -> Result<PasswordHash, PasswordError> {
        let argon2 = self.argon2.clone();
        self.run(Work::Hash, client, move || hash(&argon2, password.as_bytes())).await?
    }

    /// Whether the password is the one of this hash. Without a password (it was too long to be one) the work is the same, and the answer
    /// no.
    pub(super) async fn verify(
        &self,
        password: Option<Password>,
        hash: &PasswordHash,
        client: &Client,
    ) -> Result<bool, PasswordError> {
        let has_password = password.is_some();
        let hash = hash.clone();
        let kept = self.argon2.params().block_count();
        let matches = move || {
            let bytes = password.as_ref().map_or(&b""[..], Password::as_bytes);
            let hash = phc::PasswordHash::new(hash.as_str()).map_err(argon2_failed)?;
            tracing::trace!(parameters = %hash.params, "a password is compared");
            hashing::is_of(bytes, &hash, kept)
        };
        Ok(self.run(Work::Compare, client, matches).await?? && has_password)
    }

    /// A hash of no password, with these parameters: what a password is compared with for an unknown email. Without parameters, with
    /// today's.
    pub(super) fn decoy(&self, parameters: Option<&str>) -> PasswordHash {
        let nobodys = self.nobody.as_str();
        let salt_and_hash = &nobodys[self.nobody.parameters().len()..];
        parameters
            .map(|parameters| PasswordHash::new(format!("{parameters}{salt_and_hash}")))
            .filter(|decoy| phc::PasswordHash::new(decoy.as_str()).is_ok())
            .unwrap_or_else(|| self.nobody.clone())
    }

    /// Whether a hash was made with other parameters than those of today.
    #[must_use]
    pub fn is_outdated(&self, hash: &PasswordHash) -> bool {
        let parameters = |hash: &PasswordHash| {
            let hash = phc::PasswordHash::new(hash.as_str()).ok()?;
            Some((hash.algorithm.to_string(), hash.version, hash.params.to_string()))
        };
        parameters(hash) != parameters(&self.nobody)
    }

    async fn run<T: Send + 'static>(
        &self,
        kind: Work,
        client: &Client,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, PasswordError> {
        let (counts, retry_after) = (self.counts.clone(), self.retry_after);
        let waiting = counts.wait();
        let (answer, answered) = oneshot::channel();
        let whole = tracing::debug_span!("hash");
        let queued = tracing::debug_span!(parent: &whole, "hash.queue");
        let job = move |turn| {
            drop(queued);
            if turn == Turn::Never {
                counts.refuse();
                let _ = answer.send(Err(PasswordError::Busy { retry_after }));
                return;
            }
            // Nobody waits any longer: leave the thread to somebody who does.
            if !answer.is_closed() {
                tracing::trace!("work on a password begins");
                let working = (waiting.begin(kind), tracing::debug_span!(parent: &whole, "hash.work"));
                let result = work();
                // Before the answer: who hears of it finds it counted, and may end what this belongs to.
                drop((working, whole));
                let _ = answer.send(Ok(result));
            }
        };
        self.pool.submit(client, Box::new(job));
        answered.await.map_err(|_| PasswordError::Threads)?
    }
}

/// Gives the calling thread the lowest priority.
#[cfg(target_os = "linux")]
fn yield_to_others() {
    if let Err(error) = rustix::process::setpriority_process(None, NICE) {
        tracing::warn!(%error, "the threads that hash passwords compete with all others");
    }
}

/// Elsewhere a priority is the whole process's.
#[cfg(not(target_os = "linux"))]
fn yield_to_others() {}

fn hash(argon2: &Argon2<'_>, password: &[u8]) -> Result<PasswordHash, PasswordError> {
    let hash = hashing::hash(argon2, password, &random::bytes::<16>())?;
    Ok(PasswordHash::new(hash.to_string()))
}

fn argon2_failed(error: impl std::fmt::Display) -> PasswordError {
    PasswordError::Argon2(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(
        threads: usize,
        hash_queue: usize,
        hash_memory_kib: u32,
        hash_passes: u32,
    ) -> PasswordSettings {
        PasswordSettings {
            hash_threads: NonZeroUsize::new(threads),
            hash_queue,
            hash_memory_kib,
            hash_passes,
            service_name: "Acme".to_owned(),
        }
    }

    fn passwords(threads: usize, queue: usize, passes: u32) -> Passwords {
        Passwords::new(settings(threads, queue, 64, passes)).unwrap()
    }

    /// Any client: these tests are not about whose turn it is.
    fn client() -> Client {
        Client::stranger(None)
    }

    fn password(text: &str) -> Password {
        Password::offered(text).unwrap()
    }

    #[tokio::test]
    async fn a_password_is_right_against_its_own_hash_only() {
        let passwords = passwords(1, 1, 1);
        let hash = passwords.hash(password("correct horse"), &client()).await.unwrap();
        assert!(hash.as_str().starts_with("$argon2id$v=19$m=64,t=1,p=1$"));
        assert!(passwords.verify(Some(password("correct horse")), &hash, &client()).await.unwrap());
        assert!(!passwords.verify(Some(password("correct horsf")), &hash, &client()).await.unwrap());
        assert!(!passwords.verify(None, &hash, &client()).await.unwrap());
    }

    #[tokio::test]
    async fn a_decoy_has_the_parameters_that_are_asked_for_and_no_password() {
        let passwords = passwords(1, 1, 1);
        let of_today = "$argon2id$v=19$m=64,t=1,p=1";
        let older = "$argon2id$v=19$m=32,t=3,p=1";
        for (asked, expected) in [(None, of_today), (Some(older), older), (Some("no parameters"), of_today)] {
            let decoy = passwords.decoy(asked);
            assert_eq!(decoy.parameters(), expected);
            assert_eq!(decoy.as_str().len(), expected.len() + 67);
            assert!(!passwords.verify(Some(password("")), &decoy, &client()).await.unwrap());
        }
    }

    #[tokio::test]
    async fn only_the_threads_that_hash_keep_memory_and_no_more_than_today_takes() {
        let memory = |memory_kib| Passwords::new(settings(1, 1, memory_kib, 2)).unwrap();
        let (old, new) = (memory(256), memory(64));
        assert_eq!(hashing::kept_blocks(), 0);
        let hash = old.hash(password("correct horse"), &client()).await.unwrap();
        assert!(new.verify(Some(password("correct horse")), &hash, &client()).await.unwrap());
        assert_eq!(new.run(Work::Judge, &client(), hashing::kept_blocks).await.unwrap(), 64);
        assert_eq!(old.run(Work::Judge, &client(), hashing::kept_blocks).await.unwrap(), 256);
        assert_eq!(hashing::kept_blocks(), 0);
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn the_threads_that_hash_yield_to_all_others() {
        let priority = || rustix::process::getpriority_process(None).unwrap();
        let own = priority();
        let passwords = passwords(1, 0, 1);
        assert_eq!(passwords.run(Work::Hash, &client(), priority).await.unwrap(), NICE);
        assert_eq!(priority(), own);
    }

    #[tokio::test]
    async fn a_hash_with_other_parameters_is_outdated_and_still_right() {
        let (old, new) = (passwords(1, 1, 1), passwords(1, 1, 2));
        let hash = old.hash(password("correct horse"), &client()).await.unwrap();
        assert!(!old.is_outdated(&hash));
        assert!(new.is_outdated(&hash));
        assert!(new.verify(Some(password("correct horse")), &hash, &client()).await.unwrap());
    }

    #[tokio::test]
    async fn past_the_end_of_the_queue_the_answer_is_busy_at_once() {
        let passwords = passwords(1, 1, 1);
        let (release, held) = std::sync::mpsc::channel::<()>();
        let client = client();
        let running = passwords.run(Work::Compare, &client, move || held.recv().is_ok());
        let waiting = passwords.run(Work::Compare, &client, || true);
        tokio::pin!(running, waiting);
        assert!(futures_util::poll!(&mut running).is_pending());
        assert!(futures_util::poll!(&mut waiting).is_pending());
        assert!(matches!(
            passwords.run(Work::Compare, &client, || true).await,
            Err(PasswordError::Busy { .. })
        ));
        release.send(()).unwrap();
        assert!(running.await.unwrap() && waiting.await.unwrap());
        assert!(passwords.run(Work::Compare, &client, || true).await.unwrap());
    }

    #[tokio::test]
    async fn another_network_displaces_the_newest_of_the_one_that_waits() {
        let passwords = passwords(1, 2, 1);
        let (release, held) = std::sync::mpsc::channel::<()>();
        let (attacker, owner) = (client(), Client::stranger(Some(std::net::IpAddr::from([192, 0, 2, 5]))));
        let running = passwords.run(Work::Compare, &attacker, move || held.recv().is_ok());
        let first = passwords.run(Work::Compare, &attacker, || true);
        let second = passwords.run(Work::Compare, &attacker, || true);
        let newcomer = passwords.run(Work::Compare, &owner, || true);
        tokio::pin!(running, first, second, newcomer);
        assert!(futures_util::poll!(&mut running).is_pending());
        assert!(futures_util::poll!(&mut first).is_pending());
        assert!(futures_util::poll!(&mut second).is_pending());
        assert!(futures_util::poll!(&mut newcomer).is_pending());
        assert!(matches!(second.await, Err(PasswordError::Busy { .. })));
        release.send(()).unwrap();
        assert!(running.await.unwrap() && first.await.unwrap() && newcomer.await.unwrap());
    }

    #[tokio::test]
    async fn a_job_that_panics_leaves_its_thread_to_the_next() {
        let passwords = passwords(1, 1, 1);
        let client = client();
        let panicking = passwords.run(Work::Judge, &client, || panic!("as a test of the pool"));
        let next = passwords.run(Work::Judge, &client, || true);
        let (panicked, next): (Result<(), _>, _) = tokio::join!(panicking, next);
        assert!(matches!(panicked, Err(PasswordError::Threads)));
        assert!(next.unwrap());
    }
}

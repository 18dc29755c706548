//! The sandbox: an emulator of Authy with real HTTP, real signatures and phones to tap on, for `countersign
//! dev` and for tests. Not a mock inside the server: it imports nothing of the server, not even its signature
//! code, so that the two cannot share a mistake. A package of its own, so that the compiler holds that rule.
//! Invariant: what Authy's published libraries accept from Authy, they accept from here.

mod approval;
mod authy;
mod callbacks;
mod calls;
mod clock;
mod codes;
mod device;
mod emulator;
mod faults;
mod ledger;
mod parameters;
mod phone;
mod phone_number;
mod random;
mod refusal;
mod signature;
mod state;
#[cfg(test)]
mod tests;
mod totp;

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use self::clock::{Clock, SystemClock};

use self::authy::endpoint;
use self::callbacks::{Callbacks, is_callback_url};
use self::calls::Calls;
use self::emulator::Emulator;
use self::faults::FaultBoard;
use self::ledger::Ledger;
use self::random::Random;

/// How long half-sent requests may hold up the shutdown.
const GRACE: Duration = Duration::from_secs(2);

/// How a sandbox is set up. Its `Debug` does not show the key.
#[derive(Clone)]
pub struct SandboxConfig {
    /// The key that Authy's API takes and that callbacks are signed with.
    pub api_key: String,
    /// Where to call back, exactly as the receiver believes to be called; nowhere until `PUT /phone/callback`
    /// where it is missing.
    pub callback_url: Option<String>,
    /// Where the phones are kept over a restart; in memory alone where it is missing.
    pub state_file: Option<PathBuf>,
    /// The phone API answers to every host name, not to loopback's alone.
    pub exposed: bool,
}

/// Why a sandbox does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SandboxError {
    /// An empty key would let everybody in.
    #[error("the sandbox needs an API key")]
    NoApiKey,
    /// The callback URL is not one of http or https.
    #[error("the sandbox's callback URL is not a URL of http or https")]
    CallbackUrl,
    /// The state file is there and cannot be read.
    #[error("the sandbox's state file {} cannot be read", file.display())]
    StateUnreadable {
        /// The file.
        file: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The state file is not one that a sandbox wrote. What it holds is not shown.
    #[error(
        "the sandbox's state file {} makes no sense at line {line},
        column {column}; move it away to begin anew",
        file.display()
    )]
    StateNonsense {
        /// The file.
        file: PathBuf,
        /// Where reading stopped, from 1.
        line: usize,
        /// Where reading stopped, from 1.
        column: usize,
    },
    /// The client that calls back could not be made.
    #[error("the sandbox's HTTP client could not be made")]
    Client(#[from] reqwest::Error),
    /// The system has no random source.
    #[error("the system's random source cannot be read")]
    Random(#[from] getrandom::Error),
}

/// A sandbox that is set up and does not listen yet.
pub struct Sandbox(Emulator);

impl Sandbox {
    /// Sets a sandbox up, with the phones of its state file. The process must have a TLS provider installed
    /// (rustls).
    pub fn open(config: SandboxConfig, clock: Arc<dyn Clock>) -> Result<Self, SandboxError> {
        if config.api_key.is_empty() {
            return Err(SandboxError::NoApiKey);
        }
        if config.callback_url.as_deref().is_some_and(|url| !is_callback_url(url)) {
            return Err(SandboxError::CallbackUrl);
        }
        Ok(Self(Emulator {
            api_key: config.api_key,
            exposed: config.exposed,
            clock,
            random: Random::from_system()?,
            ledger: Ledger::open(config.state_file)?,
            calls: Calls::new(&endpoint::NAMES),
            faults: FaultBoard::new(),
            callbacks: Callbacks::new(config.callback_url)?,
            onetouch_by_default: AtomicBool::new(true),
            tasks: TaskTracker::new(),
            shutdown: CancellationToken::new(),
        }))
    }

    /// Answers until the shutdown, and then writes what is left to write. Requests that hang on purpose end
    /// with it.
    pub async fn serve(self, listener: TcpListener, shutdown: CancellationToken) -> io::Result<()> {
        let shutdown = shutdown.child_token();
        let _when_dropped = shutdown.clone().drop_guard();
        let emulator = Arc::new(Emulator { shutdown: shutdown.clone(), ..self.0 });
        let writer_stop = CancellationToken::new();
        let writer_guard = writer_stop.clone().drop_guard();
        emulator.tasks.spawn({
            let emulator = Arc::clone(&emulator);
            async move { emulator.ledger.keep(writer_stop).await }
        });
        let router = Router::new().merge(authy::router()).merge(phone::router(&emulator));
        let service = axum::serve(listener, router.with_state(Arc::clone(&emulator)));
        let result = tokio::select! {
            result = service.with_graceful_shutdown(shutdown.clone().cancelled_owned()).into_future() => result,
            () = grace(&shutdown) => Ok(()),
        };
        shutdown.cancel();
        drop(writer_guard);
        emulator.tasks.close();
        emulator.tasks.wait().await;
        result
    }
}

async fn grace(shutdown: &CancellationToken) {
    shutdown.cancelled().await;
    tokio::time::sleep(GRACE).await;
}

impl fmt::Debug for SandboxConfig {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("SandboxConfig")
            .field("callback_url", &self.callback_url)
            .field("state_file", &self.state_file)
            .field("exposed", &self.exposed)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Sandbox {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Sandbox").finish_non_exhaustive()
    }
}

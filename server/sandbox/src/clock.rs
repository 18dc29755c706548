//! The sandbox's time: what the codes, the expiry of approval requests and the nonces of callbacks are made
//! from. Delays that a fault asks for are real time and do not come from here. Its own trait, so that the
//! emulator imports nothing of the server it is tried against.

use std::time::Duration;

use chrono::{DateTime, Utc};

/// Where the sandbox reads the time, and through which `PUT /phone/clock` moves it.
pub trait Clock: Send + Sync {
    /// The present instant.
    fn now(&self) -> DateTime<Utc>;

    /// Moves the clock forward. False when this clock cannot be moved.
    fn advance(&self, by: Duration) -> bool;
}

/// The time of the machine, which nobody moves.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the sandbox imports nothing of the server, its clock included"
    )]
    fn now(&self) -> DateTime<Utc> {
        Utc::now()
    }

    fn advance(&self, _by: Duration) -> bool {
        false
    }
}

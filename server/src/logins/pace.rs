//! How fast the provider is asked about pushes: at most ten requests a second, half as fast after each 429.

use std::{sync::Mutex, sync::PoisonError, time::Duration};

use tokio::time::Instant;

/// From one request to the next, at the fastest.
const FASTEST: Duration = Duration::from_millis(100);
/// From one request to the next, at the slowest.
const SLOWEST: Duration = Duration::from_secs(30);

/// Hands out the times at which requests may be made.
#[derive(Debug)]
pub(super) struct Pace {
    turn: Mutex<Turn>,
}

#[derive(Debug)]
struct Turn {
    next: Option<Instant>,
    interval: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self { turn: Mutex::new(Turn { next: None, interval: FASTEST }) }
    }
}

impl Pace {
    /// Returns when it is the caller's turn.
    pub(super) async fn turn(&self) {
        let at = {
            let mut turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
            let at = turn.next.map_or_else(Instant::now, |next| next.max(Instant::now()));
            turn.next = Some(at + turn.interval);
            at
        };
        tokio::time::sleep_until(at).await;
    }

    /// The provider asked for a pause.
    pub(super) fn slow_down(&self) {
        let mut turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        turn.interval = (turn.interval * 2).min(SLOWEST);
    }

    /// The provider answered: a tenth faster again.
    pub(super) fn speed_up(&self) {
        let mut turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        turn.interval = (turn.interval * 9 / 10).max(FASTEST);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn turns_are_a_tenth_of_a_second_apart_and_twice_that_after_a_429() {
        let (pace, start) = (Pace::default(), Instant::now());
        for _ in 0..11 {
            pace.turn().await;
        }
        assert_eq!(start.elapsed().as_millis(), 1_000);
        pace.slow_down();
        pace.turn().await;
        pace.turn().await;
        assert_eq!(start.elapsed().as_millis(), 1_300);
        for _ in 0..20 {
            pace.speed_up();
        }
        pace.turn().await;
        pace.turn().await;
        assert_eq!(start.elapsed().as_millis(), 1_600);
    }
}

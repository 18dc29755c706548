//! Warnings that any client can cause: at most one an hour, so that they neither fill the log nor are used up for good by the first.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

const INTERVAL: Duration = Duration::from_hours(1);

/// A warning's last time.
pub(super) struct Occasional(Mutex<Option<Instant>>);

impl Occasional {
    pub(super) const fn new() -> Self {
        Self(Mutex::new(None))
    }

    /// Returns whether the warning is due, and notes that it is given.
    pub(super) fn is_due(&self) -> bool {
        self.is_due_at(Instant::now())
    }

    fn is_due_at(&self, now: Instant) -> bool {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = last.is_none_or(|last| now.duration_since(last) >= INTERVAL);
        if is_due {
            *last = Some(now);
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warning_is_due_once_an_hour() {
        let (warning, start) = (Occasional::new(), Instant::now());
        let due: Vec<_> =
            (0..130).map(|minute| warning.is_due_at(start + Duration::from_mins(minute))).collect();
        let at: Vec<_> = (0..130).filter(|minute| due[*minute]).collect();
        assert_eq!(at, [0, 60, 120]);
    }
}

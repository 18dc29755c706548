//! The one place that reads the operating system's random source. It makes no secrets: only the client's jitter and
//! the demo's made-up people depend on it.

/// A number from the operating system's random source; `None` where there is none to be had.
#[must_use]
pub fn number() -> Option<u64> {
    let mut bytes = [0; 8];
    #[expect(clippy::disallowed_methods, reason = "this is the client's one home of randomness")]
    getrandom::fill(&mut bytes).ok()?;
    Some(u64::from_le_bytes(bytes))
}

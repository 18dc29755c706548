//! The map.
use std::process::ExitCode;
/// Runs.
#[must_use]
pub fn main() -> ExitCode { ExitCode::SUCCESS }

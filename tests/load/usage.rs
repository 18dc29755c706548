//! What a process uses, as Linux tells it.

use std::{fs, time::Duration};

use anyhow::Context;
#[cfg(target_os = "linux")]
use nix::{time::ClockId, unistd::Pid};

/// The memory that a process holds: its resident set, in bytes.
pub(crate) fn memory_bytes(process: u32) -> anyhow::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kilobytes * 1024)
}

/// The processor time that a process has had, that of threads which are gone included, to the nanosecond.
#[cfg(target_os = "linux")]
pub(crate) fn processor_time(process: u32) -> anyhow::Result<Duration> {
    let clock = ClockId::pid_cpu_clock_id(Pid::from_raw(i32::try_from(process)?))?;
    Ok(clock.now()?.into())
}

/// Elsewhere nothing is measured.
#[cfg(not(target_os = "linux"))]
pub(crate) fn processor_time(_process: u32) -> anyhow::Result<Duration> {
    anyhow::bail!("this program measures on Linux only")
}

//! What a process uses, as Linux tells it.

use std::{fs, time::Duration};

use anyhow::Context;

/// The memory that a process holds: its resident set, in bytes.
pub(crate) fn memory_bytes(process: u32) -> anyhow::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kilobytes * 1024)
}

/// The processor time that the living threads of a process have had. To the nanosecond, where the kernel counts so.
pub(crate) fn processor_time(process: u32) -> anyhow::Result<Duration> {
    let mut nanoseconds = 0;
    for thread in fs::read_dir(format!("/proc/{process}/task"))? {
        // A thread may end while this reads.
        let Ok(times) = fs::read_to_string(thread?.path().join("schedstat")) else { continue };
        nanoseconds += times.split_whitespace().next().context("no schedstat")?.parse::<u64>()?;
    }
    Ok(Duration::from_nanos(nanoseconds))
}

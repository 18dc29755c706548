//! What the operating system knows of this process, under the names that Prometheus' own libraries give it.

use std::{fs, time::SystemTime};

use metrics::{Counter, Gauge, counter, gauge};
use rustix::{
    process::{Resource, getrlimit},
    time::{ClockId, clock_gettime},
};

/// Where Linux tells of the process that asks. Elsewhere there is none, and what stands in it is not told.
const FILES: &str = "/proc/self/fd";
const STATUS: &str = "/proc/self/status";

/// This process, to be looked at whenever it is asked about.
#[derive(Clone)]
pub(super) struct Process {
    processor_seconds: Counter,
    resident_bytes: Gauge,
    open_files: Gauge,
    most_open_files: Gauge,
}

impl Process {
    /// Begins, and says when that was, and what runs here.
    pub(super) fn start() -> Self {
        gauge!("countersign_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
        #[expect(
            clippy::disallowed_methods,
            reason = "when a process began is no business of the service's clock"
        )]
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        gauge!("process_start_time_seconds").set(now.as_secs_f64());
        Self {
            processor_seconds: counter!("process_cpu_seconds_total"),
            resident_bytes: gauge!("process_resident_memory_bytes"),
            open_files: gauge!("process_open_fds"),
            most_open_files: gauge!("process_max_fds"),
        }
    }

    /// Looks.
    pub(super) fn look(&self) {
        let spent = clock_gettime(ClockId::ProcessCPUTime).tv_sec;
        self.processor_seconds.absolute(u64::try_from(spent).unwrap_or_default());
        if let Some(kilobytes) = fs::read_to_string(STATUS).ok().as_deref().and_then(resident_kilobytes) {
            self.resident_bytes.set(f64::from(kilobytes) * 1024.0);
        }
        if let Ok(files) = fs::read_dir(FILES) {
            let open = u32::try_from(files.count()).unwrap_or(u32::MAX);
            self.open_files.set(f64::from(open));
        }
        if let Some(most) = getrlimit(Resource::Nofile).current {
            self.most_open_files.set(f64::from(u32::try_from(most).unwrap_or(u32::MAX)));
        }
    }
}

fn resident_kilobytes(status: &str) -> Option<u32> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::resident_kilobytes;

    #[test]
    fn memory_is_read_from_what_linux_tells() {
        assert_eq!(
            resident_kilobytes("Name:\tcountersign\nVmRSS:\t   10240 kB\nThreads:\t9\n"),
            Some(10_240)
        );
        assert_eq!(resident_kilobytes("Name:\tVmRSS\n"), None);
        assert_eq!(resident_kilobytes("VmRSS:\tmuch kB\n"), None);
    }
}

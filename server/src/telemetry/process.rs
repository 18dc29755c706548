//! What the operating system knows of this process, under the names that Prometheus' own libraries give it.

use std::{fs, path::Path, time::SystemTime};

use metrics::{counter, gauge};
use rustix::{
    process::{Resource, getrlimit},
    time::{ClockId, clock_gettime},
};

/// What the names of these begin with. None begins at nought: what is not known is not 0.
pub(super) const PREFIX: &str = "process_";
/// Where Linux tells of the process that asks. Elsewhere there is none, and what stands in it is not told.
const FOLDER: &str = "/proc/self";

/// Says when this process began, and what runs here.
pub(super) fn begin() {
    gauge!("countersign_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    #[expect(
        clippy::disallowed_methods,
        reason = "when a process began is no business of the service's clock"
    )]
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    gauge!("process_start_time_seconds").set(now.as_secs_f64());
}

/// Looks, whenever somebody asks.
pub(super) fn look() {
    look_in(Path::new(FOLDER));
}

fn look_in(folder: &Path) {
    let spent = clock_gettime(ClockId::ProcessCPUTime).tv_sec;
    counter!("process_cpu_seconds_total").absolute(u64::try_from(spent).unwrap_or_default());
    let status = fs::read_to_string(folder.join("status"));
    if let Some(kilobytes) = status.ok().as_deref().and_then(resident_kilobytes) {
        gauge!("process_resident_memory_bytes").set(f64::from(kilobytes) * 1024.0);
    }
    if let Ok(files) = fs::read_dir(folder.join("fd")) {
        let open = u32::try_from(files.count()).unwrap_or(u32::MAX);
        gauge!("process_open_fds").set(f64::from(open));
    }
    if let Some(most) = getrlimit(Resource::Nofile).current {
        gauge!("process_max_fds").set(f64::from(u32::try_from(most).unwrap_or(u32::MAX)));
    }
}

fn resident_kilobytes(status: &str) -> Option<u32> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use metrics_exporter_prometheus::PrometheusBuilder;

    use super::*;

    #[test]
    fn what_the_system_does_not_tell_is_left_out() {
        let told = |folder: &Path| {
            let recorder = PrometheusBuilder::new().build_recorder();
            metrics::with_local_recorder(&recorder, || look_in(folder));
            let text = recorder.handle().render();
            ["process_cpu_seconds_total", "process_resident_memory_bytes", "process_open_fds"]
                .map(|name| text.lines().any(|line| line.starts_with(&format!("{name} "))))
        };
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(told(folder.path()), [true, false, false]);
        fs::write(folder.path().join("status"), "VmRSS:\t8 kB\n").unwrap();
        fs::create_dir(folder.path().join("fd")).unwrap();
        assert_eq!(told(folder.path()), [true, true, true]);
    }

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

//! Where a run took place, as far as it says something about the numbers, and nothing that names the machine.

use std::{fs, thread};

/// A machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Machine {
    /// The model that the processor gives itself.
    pub processor: Option<String>,
    /// How many processors there are.
    pub processors: Option<usize>,
    /// How many of them this program may use.
    pub usable: Option<usize>,
    /// How much memory there is, in bytes.
    pub memory: Option<u64>,
    /// The kernel and its release.
    pub kernel: Option<String>,
    /// Whether a hypervisor is below, where the processor says so.
    pub is_virtual: Option<bool>,
}

impl Machine {
    /// This machine.
    #[must_use]
    pub(crate) fn read() -> Self {
        let read = |path: &str| fs::read_to_string(path).ok();
        let kernel = ["/proc/sys/kernel/ostype", "/proc/sys/kernel/osrelease"].map(read);
        Self {
            usable: thread::available_parallelism().ok().map(Into::into),
            memory: read("/proc/meminfo").and_then(|text| memory(&text)),
            kernel: match kernel {
                [Some(name), Some(release)] => Some(format!("{} {}", name.trim(), release.trim())),
                _ => None,
            },
            ..Self::of_processors(&read("/proc/cpuinfo").unwrap_or_default())
        }
    }

    fn of_processors(text: &str) -> Self {
        let values = |wanted: &str| -> Vec<String> {
            let pairs = text.lines().filter_map(|line| line.split_once(':'));
            let wanted = pairs.filter(|(name, _)| name.trim() == wanted);
            wanted.map(|(_, value)| value.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
        };
        let count = values("processor").len();
        Self {
            processor: values("model name").into_iter().find(|name| !name.is_empty()),
            processors: (count > 0).then_some(count),
            usable: None,
            memory: None,
            kernel: None,
            is_virtual: values("flags")
                .first()
                .map(|flags| flags.split(' ').any(|flag| flag == "hypervisor")),
        }
    }

    /// What is known of it, by name.
    pub(super) fn lines(&self) -> Vec<(&'static str, String)> {
        let processors = self.processors.map(|count| match self.usable {
            Some(usable) if usable < count => format!("{count}, {usable} of them usable"),
            _ => count.to_string(),
        });
        let memory = self.memory.map(gibibytes);
        let is_virtual = self.is_virtual.map(|is_virtual| if is_virtual { "yes" } else { "no" }.to_owned());
        [
            ("processor", self.processor.clone()),
            ("processors", processors),
            ("memory", memory),
            ("kernel", self.kernel.clone()),
            ("virtual machine", is_virtual),
        ]
        .into_iter()
        .map(|(name, value)| (name, value.unwrap_or_else(|| "not known".to_owned())))
        .collect()
    }
}

fn memory(text: &str) -> Option<u64> {
    let total = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    total.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// In tenths, without a detour over floating point.
fn gibibytes(bytes: u64) -> String {
    let tenths = u128::from(bytes) * 10 / (1 << 30);
    format!("{}.{} GiB", tenths / 10, tenths % 10)
}

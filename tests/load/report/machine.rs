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
    /// The kernel and its version.
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
                [Some(name), Some(release)] => Some(format!("{} {}", name.trim(), version(&release))),
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

/// The numbers of a release; what follows them is its builder's, who may have named a machine.
fn version(release: &str) -> &str {
    let release = release.trim();
    let end = release.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(release.len());
    &release[..end]
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

#[cfg(test)]
mod tests {
    use super::*;

    const PROCESSORS: &str = "processor\t: 0\nmodel name\t: Some  Processor 9000\nflags\t\t: fpu hypervisor sse\n\n\
                              processor\t: 1\nmodel name\t: Some  Processor 9000\nflags\t\t: fpu hypervisor sse\n";

    #[test]
    fn processors_are_counted_and_named() {
        let machine = Machine::of_processors(PROCESSORS);
        assert_eq!(machine.processor.as_deref(), Some("Some Processor 9000"));
        assert_eq!((machine.processors, machine.is_virtual), (Some(2), Some(true)));
        let bare = Machine::of_processors(&PROCESSORS.replace("hypervisor", "vmx"));
        assert_eq!(bare.is_virtual, Some(false));
    }

    #[test]
    fn what_is_not_told_is_not_known() {
        let machine = Machine::of_processors("Hardware : a board\n");
        assert!(machine.lines().iter().all(|(_, value)| value == "not known"), "{machine:?}");
    }

    #[test]
    fn fewer_usable_processors_are_told() {
        let machine = Machine { usable: Some(1), ..Machine::of_processors(PROCESSORS) };
        assert!(machine.lines().contains(&("processors", "2, 1 of them usable".to_owned())));
    }

    #[test]
    fn memory_is_told_in_gibibytes() {
        let bytes = memory("MemFree: 1 kB\nMemTotal:       24641536 kB\n").unwrap();
        assert_eq!((bytes, gibibytes(bytes).as_str()), (25_232_932_864, "23.5 GiB"));
        assert_eq!(memory("MemTotal: many kB\n"), None);
    }

    #[test]
    fn only_the_numbers_of_a_release_are_told() {
        assert_eq!(version("6.12.9-lab-of-ada\n"), "6.12.9");
        assert_eq!(version("6.12.9"), "6.12.9");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_machine_is_read() {
        let machine = Machine::read();
        assert!(machine.processors.unwrap() >= machine.usable.unwrap());
        assert!(machine.memory.unwrap() > 1 << 27);
        let lines = machine.lines();
        assert!(
            lines.iter().any(|(name, value)| *name == "kernel" && value.starts_with("Linux ")),
            "{lines:?}"
        );
    }
}

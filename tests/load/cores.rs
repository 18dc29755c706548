//! Which cores the server has, and which everybody else: who drives a server must not take its time.

use std::{fmt, io};

#[cfg(target_os = "linux")]
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// The cores that this program may use, divided.
#[derive(Clone, Debug)]
pub(crate) struct Cores {
    /// The server's, and those of whatever it is compared with.
    pub(crate) server: Vec<usize>,
    /// Everybody else's. The same, where there is but one.
    pub(crate) others: Vec<usize>,
}

impl Cores {
    /// Half of them for the server, the odd one for those who drive it.
    pub(crate) fn divide() -> io::Result<Self> {
        let all = usable()?;
        let (server, others) = all.split_at(all.len() / 2);
        if server.is_empty() {
            return Ok(Self { server: others.to_vec(), others: others.to_vec() });
        }
        Ok(Self { server: server.to_vec(), others: others.to_vec() })
    }
}

/// The numbers of the cores that this program may use.
#[cfg(target_os = "linux")]
fn usable() -> io::Result<Vec<usize>> {
    let allowed = sched_getaffinity(None)?;
    Ok((0..CpuSet::MAX_CPU).filter(|core| allowed.is_set(*core)).collect())
}

/// Moves the calling thread to these cores, and whatever it starts from now on.
#[cfg(target_os = "linux")]
pub(crate) fn pin(cores: &[usize]) -> io::Result<()> {
    let mut chosen = CpuSet::new();
    for core in cores {
        chosen.set(*core);
    }
    Ok(sched_setaffinity(None, &chosen)?)
}

/// Elsewhere nobody is told which core something runs on.
#[cfg(not(target_os = "linux"))]
fn usable() -> io::Result<Vec<usize>> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "this program measures on Linux only"))
}

/// Elsewhere nobody can be moved.
#[cfg(not(target_os = "linux"))]
pub(crate) fn pin(_cores: &[usize]) -> io::Result<()> {
    Ok(())
}

impl fmt::Display for Cores {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "the server's {}; the load's, the sandbox's and the database's {}",
            listed(&self.server),
            listed(&self.others)
        )
    }
}

/// With commas, for people and for [`of_list`].
pub(crate) fn listed(cores: &[usize]) -> String {
    cores.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

/// What [`listed`] wrote.
pub(crate) fn of_list(list: &str) -> Result<Vec<usize>, std::num::ParseIntError> {
    list.split(',').map(str::parse).collect()
}

//! The limit of open files: each connection is one, and the usual limit of a shell is 1,024.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::doctor::OpenFiles;

/// Files that a service has open beside connections to clients and to its database: calls to the provider, logs, NATS, SQLite.
const RESERVED: u64 = 256;

/// Raises the limit as far as this process may. Returns how many connections leave enough files for the database and the provider,
/// and warns if those are fewer than asked for.
pub(super) fn allow(connections: usize, database_connections: usize) -> usize {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let needed = needed(connections, database_connections);
    // None: there is no limit.
    let allowed = maximum.map_or(needed, |maximum| maximum.min(needed));
    if current.is_some_and(|current| current < allowed) {
        let raised = setrlimit(Resource::Nofile, Rlimit { current: Some(allowed), maximum });
        if let Err(error) = raised {
            tracing::warn!(%error, "the limit of open files cannot be raised");
        }
    }
    let granted = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let affordable = affordable(granted, connections, database_connections);
    if affordable < connections {
        tracing::warn!(
            granted,
            needed,
            connections = affordable,
            "MAX_CONNECTIONS exceeds the limit of open files; accepting fewer connections"
        );
    }
    affordable
}

/// What would be missing for so many connections, after the limit was raised as far as this process may.
pub(super) fn shortage(connections: usize, database_connections: usize) -> Option<OpenFiles> {
    let needed = needed(connections, database_connections);
    let granted = getrlimit(Resource::Nofile).maximum?;
    (granted < needed).then_some(OpenFiles { granted, needed })
}

fn needed(connections: usize, database_connections: usize) -> u64 {
    [connections, database_connections]
        .into_iter()
        .map(|count| u64::try_from(count).unwrap_or(u64::MAX))
        .fold(RESERVED, u64::saturating_add)
}

/// How many connections fit beside the reserved files, at least one.
fn affordable(granted: u64, connections: usize, database_connections: usize) -> usize {
    let left = granted.saturating_sub(needed(0, database_connections)).max(1);
    usize::try_from(left).unwrap_or(usize::MAX).min(connections)
}

#[cfg(test)]
mod tests {
    use super::{RESERVED, affordable, needed};

    #[test]
    fn connections_leave_files_for_the_database_and_the_provider() {
        assert_eq!(needed(20_000, 16), 20_016 + RESERVED);
        assert_eq!(affordable(needed(20_000, 16), 20_000, 16), 20_000);
        assert_eq!(affordable(1_024, 20_000, 16), 1_024 - 16 - 256);
        assert_eq!(affordable(64, 20_000, 16), 1);
        assert_eq!(affordable(u64::MAX, 20_000, 16), 20_000);
    }
}

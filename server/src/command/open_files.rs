//! The limit of open files: each connection is one, and the usual limit of a shell is 1,024.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::doctor::OpenFiles;

/// What a service has open beside its connections: databases, the provider, logs.
const BESIDE: u64 = 256;

/// Raises the limit as far as this process may, and warns where that is not enough for so many connections.
pub(super) fn allow(connections: usize) {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let needed = needed(connections);
    // None: there is no limit.
    let allowed = maximum.map_or(needed, |maximum| maximum.min(needed));
    if current.is_some_and(|current| current < allowed) {
        let raised = setrlimit(Resource::Nofile, Rlimit { current: Some(allowed), maximum });
        if let Err(error) = raised {
            tracing::warn!(%error, "the limit of open files cannot be raised");
        }
    }
    let granted = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    if granted < needed {
        tracing::warn!(granted, needed, "MAX_CONNECTIONS is more than the limit of open files allows");
    }
}

/// What would be missing for so many connections, after the limit was raised as far as this process may.
pub(super) fn shortage(connections: usize) -> Option<OpenFiles> {
    let needed = needed(connections);
    let granted = getrlimit(Resource::Nofile).maximum?;
    (granted < needed).then_some(OpenFiles { granted, needed })
}

fn needed(connections: usize) -> u64 {
    u64::try_from(connections).unwrap_or(u64::MAX).saturating_add(BESIDE)
}

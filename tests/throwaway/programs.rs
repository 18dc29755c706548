//! Where the programs are, which ports are free, and names that nobody else has.

use std::{
    collections::BTreeSet,
    fs,
    hash::{BuildHasher, Hasher, RandomState},
    net::TcpListener,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

/// Folders that are not always on the path, though programs of servers are put there. A star stands for any text.
const PLACES: [&str; 8] = [
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/postgresql*/bin",
    "/usr/local/opt/postgresql*/bin",
    "/opt/homebrew/bin",
    "/usr/local/bin",
    "/usr/local/sbin",
    "/usr/sbin",
];

/// The folder that holds all of these programs: on the path first, then the usual places, the newest version first.
pub(crate) fn folder_of(programs: &[&str]) -> Option<PathBuf> {
    #[expect(clippy::disallowed_methods, reason = "it is where programs are, not a setting of the server")]
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(PLACES.iter().flat_map(|place| expand(place)))
        .find(|folder| programs.iter().all(|program| folder.join(program).is_file()))
}

/// The folders that a pattern with at most one star stands for, the highest number first.
fn expand(pattern: &str) -> Vec<PathBuf> {
    let Some((before, after)) = pattern.split_once('*') else { return vec![PathBuf::from(pattern)] };
    let (parent, prefix) = before.rsplit_once('/').unwrap_or(("", before));
    let entries = fs::read_dir(parent).into_iter().flatten().filter_map(Result::ok);
    let mut found: Vec<_> = entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| name.starts_with(prefix))
        .collect();
    found.sort_by_key(|name| std::cmp::Reverse(number_in(name)));
    found.iter().map(|name| Path::new(parent).join(format!("{name}{after}"))).collect()
}

/// The first number in a name: the version.
fn number_in(name: &str) -> u32 {
    let digits = name.chars().skip_while(|character| !character.is_ascii_digit());
    digits.take_while(char::is_ascii_digit).collect::<String>().parse().unwrap_or_default()
}

/// A number that nobody else draws: the standard library seeds each map with one. No secret.
pub(crate) fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// A port of 127.0.0.1 that is free now and stays so over a restart: it is below those that outgoing connections are
/// given, and nobody else in this process is told of it, whether or not anybody listens there yet.
#[must_use]
pub fn free_port() -> u16 {
    static TAKEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    loop {
        let port = 10_000 + u16::try_from(random() % 22_000).unwrap();
        let is_new = TAKEN.lock().unwrap_or_else(PoisonError::into_inner).insert(port);
        if is_new && TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_port_is_given_twice() {
        let ports: Vec<u16> = (0..2_000).map(|_| free_port()).collect();
        assert_eq!(ports.iter().collect::<BTreeSet<_>>().len(), ports.len());
    }

    #[test]
    fn the_newest_version_is_the_highest_number() {
        assert_eq!(["9", "postgresql@16", "17.2", "none"].map(number_in), [9, 16, 17, 0]);
    }
}

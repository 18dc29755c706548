//! The file of an SQLite database: how it is named, who may read it, and which other process uses it.

use std::{
    fs::{self, OpenOptions},
    os::{fd::IntoRawFd as _, unix::fs::OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use rustix::{
    fs::statvfs,
    process::{Flock, FlockOffsetType, FlockType, fcntl_getlk},
};

/// The byte of the `-shm` file on which every process that has the database open holds a lock (`UNIX_SHM_DMS` in SQLite's `os_unix.c`).
const LOCKED_WHILE_OPEN: u64 = 128;

/// Whether a path after `sqlite:` names a file, and the same one for everybody who reads it. The error says what is wrong.
///
/// `sqlite://` is refused: the next word is a host for some tools, the first part of a path for others, and after `sqlite:///` the path is
/// absolute for some and relative for others. Parameters and SQLite's own URIs (`file:…`) are refused, since nothing here heeds them.
pub(in crate::storage) fn check_path(path: &str) -> Result<(), &'static str> {
    if path.is_empty() {
        Err("must name a file after `sqlite:`")
    } else if path == ":memory:" {
        Err("must name a file: each connection would have a database in memory of its own")
    } else if path.starts_with("//") {
        Err(
            "must be `sqlite:PATH`, such as `sqlite:countersign.db` or `sqlite:/var/lib/countersign.db`: tools read `sqlite://` in \
             different ways",
        )
    } else if path.starts_with("file:") {
        Err("must be `sqlite:PATH`, and no URI of SQLite's own")
    } else if path.contains('?') {
        Err("must have no parameters after the file: there are none for SQLite")
    } else {
        Ok(())
    }
}

/// Makes the file where there is none, so that only its owner may read it. SQLite gives the files beside it the same permissions.
pub(super) fn make_private(path: &Path) {
    // Where it cannot be made, SQLite says so when it is opened.
    if let Ok(made) = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        // Left open: with a handle that is closed, the process loses its locks, those of SQLite included.
        let _ = made.into_raw_fd();
    }
}

/// The id of another process that has the database open, if there is one. Nothing where the path is no SQLite file.
///
/// To be asked before this process opens the database: closing the handle that asks would take its locks.
#[must_use]
pub fn process_using(path: &Path) -> Option<i32> {
    // SQLite follows links, and makes its files beside what they lead to.
    let mut shared = path.canonicalize().ok()?.into_os_string();
    shared.push("-shm");
    let file = fs::File::open(shared).ok()?;
    let mut wanted = Flock::from(FlockType::WriteLock);
    wanted.offset_type = FlockOffsetType::Set;
    wanted.start = LOCKED_WHILE_OPEN;
    wanted.length = 1;
    let held = fcntl_getlk(&file, &wanted).ok()??;
    held.pid.map(|pid| pid.as_raw_nonzero().get())
}

pub(super) fn folder_of(path: &str) -> PathBuf {
    match Path::new(path).parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// Whether the disk of a folder has so many bytes left; true where nobody can tell.
pub(super) fn has_room(folder: &Path, bytes: u64) -> bool {
    statvfs(folder).map_or(true, |disk| disk.f_bavail.saturating_mul(disk.f_frsize) >= bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_names_one_file_for_everybody_is_a_path() {
        for path in ["countersign.db", "/var/lib/countersign.db", "./a b.db", "a%20b.db", "a#b.db"] {
            assert_eq!(check_path(path), Ok(()), "{path}");
        }
        for path in
            ["", ":memory:", "//a.db", "///a.db", "////a.db", "file:a.db", "a.db?mode=ro", "a.db?mode=memory"]
        {
            assert!(check_path(path).is_err(), "{path}");
        }
    }

    #[test]
    fn a_disk_with_less_than_is_needed_has_no_room() {
        let folder = tempfile::TempDir::new().unwrap();
        assert!(has_room(folder.path(), 1) && !has_room(folder.path(), u64::MAX));
        assert!(has_room(Path::new("/nowhere"), u64::MAX), "nobody can tell");
    }
}

//! The file of SQLite: where it lies, who may read it, and whether there is room for more.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use rustix::fs::{Access, access, statvfs};

use super::Finding;

const CHECK: &str = "database";
/// A day of logins at a busy place, and what a migration copies.
const LITTLE_ROOM: u64 = 256 * 1024 * 1024;
const READABLE_BY_OTHERS: u32 = 0o004;
const PASSABLE_BY_OTHERS: u32 = 0o001;

/// What is to be told where there is no file.
pub(super) fn missing(path: &Path) -> Option<Finding> {
    let folder = folder(path);
    if !folder.is_dir() {
        let message = format!("the folder {} does not exist", folder.display());
        return Some(Finding::failure(CHECK, message, "make it, or correct DATABASE_URL"));
    }
    if !path.exists() {
        let message = match fs::read_link(path) {
            Ok(target) => {
                format!("{} leads to {}, and there is no such file", path.display(), target.display())
            }
            Err(_) => format!("there is no file {}", path.display()),
        };
        return Some(Finding::failure(CHECK, message, "run: countersign migrate"));
    }
    None
}

/// `summary`: what is to be told where nothing is wrong.
pub(super) fn check(path: &Path, journal_mode: &str, summary: &str) -> Vec<Finding> {
    let folder = folder_of_file(path);
    let mut findings = Vec::new();
    for (place, what) in [(folder.as_path(), "folder"), (path, "file")] {
        if access(place, Access::WRITE_OK).is_err() {
            let message = format!("this user may not write the {what} {}", place.display());
            let advice = format!("run: chown THE-USER-OF-THE-SERVICE {}", place.display());
            findings.push(Finding::failure(CHECK, message, &advice));
        }
    }
    if is_readable_by_others(path) {
        let message = format!("every user of this machine may read {}", path.display());
        findings.push(Finding::warning(CHECK, message, &format!("run: chmod o-rwx {}", path.display())));
    }
    let room = statvfs(folder.as_path()).map(|room| room.f_bavail.saturating_mul(room.f_frsize)).ok();
    if let Some(room) = room.filter(|room| *room < LITTLE_ROOM) {
        let message = format!("there are only {} MiB left in {}", room / (1024 * 1024), folder.display());
        findings.push(Finding::warning(CHECK, message, "make room, or move it"));
    }
    if findings.is_empty() {
        let room = room.map_or_else(String::new, |room| format!(", {} GiB free", room >> 30));
        // A file that no service has opened yet is switched by the first.
        findings.push(Finding::ok(CHECK, format!("{summary}, journal {journal_mode}{room}")));
    }
    findings
}

/// Where SQLite makes other files beside this one: beside what a link leads to.
fn folder_of_file(path: &Path) -> PathBuf {
    if path.is_symlink()
        && let Ok(target) = path.canonicalize()
    {
        return folder(&target);
    }
    folder(path)
}

fn folder(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// Whether the file may be read by anybody, and every folder on the way to it be passed.
fn is_readable_by_others(path: &Path) -> bool {
    let allows =
        |path: &Path, bit| fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & bit != 0);
    let Ok(whole) = path.canonicalize() else { return false };
    allows(&whole, READABLE_BY_OTHERS)
        && whole.ancestors().skip(1).all(|folder| allows(folder, PASSABLE_BY_OTHERS))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use tempfile::TempDir;

    use super::*;

    #[test]
    fn the_folder_of_a_link_is_that_of_the_file() {
        let place = TempDir::new().unwrap();
        let place = place.path().canonicalize().unwrap();
        let (file, link, second) =
            (place.join("far/file.db"), place.join("link.db"), place.join("second.db"));
        fs::create_dir(place.join("far")).unwrap();
        fs::write(&file, "").unwrap();
        symlink("far/file.db", &link).unwrap();
        symlink("link.db", &second).unwrap();
        for path in [&file, &link, &second] {
            assert_eq!(folder_of_file(path), place.join("far"), "{}", path.display());
        }
        assert_eq!(folder_of_file(Path::new("file.db")), Path::new("."));
    }
}

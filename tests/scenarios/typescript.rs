//! The client in TypeScript: its own tests, as `npm test` runs them, against a service of this story.
//!
//! The operations and the schema are the very files that the Rust client is compiled from, so a change to either that only
//! one of the two can live with fails here.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
};

use harness::{Database, World, require};
use serde_json::{Map, Value};
use tokio::process::Command;

/// The client, where what its lock file names is installed.
fn installed() -> Result<PathBuf, String> {
    let client = Path::new(env!("CARGO_MANIFEST_DIR")).join("../client-example/typescript");
    let wanted = packages(&client.join("package-lock.json")).unwrap();
    let found = packages(&client.join("node_modules/.package-lock.json")).unwrap_or_default();
    let is_there = wanted.iter().filter(|(path, _)| !path.is_empty()).all(|(path, package)| {
        let is_optional = package["optional"] == true;
        found.get(path).map_or(is_optional, |found| found["integrity"] == package["integrity"])
    });
    if is_there {
        Ok(client)
    } else {
        Err("its packages are not installed: run `npm ci` in client-example/typescript".to_owned())
    }
}

/// What a lock file of npm lists, by the folder of each.
fn packages(lock: &Path) -> Option<Map<String, Value>> {
    let mut lock: Value = serde_json::from_slice(&fs::read(lock).ok()?).ok()?;
    serde_json::from_value(lock["packages"].take()).ok()
}

/// Asks npm how it is called; a machine without it has no answer.
async fn npm() -> Result<(), String> {
    let asked =
        Command::new("npm").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().await;
    match asked {
        Ok(status) if status.success() => Ok(()),
        _ => Err("there is no npm".to_owned()),
    }
}

/// How many tests passed, as node's runner counts them in its closing lines: `# pass 40`, or `ℹ pass 40`.
fn passed(output: &str) -> Option<u32> {
    output.lines().rev().find_map(|line| line.split_once(" pass ")?.1.parse().ok())
}

#[tokio::test]
async fn the_client_in_typescript_passes_its_own_tests() {
    let found = npm().await.and_then(|()| installed());
    let Some(client) = require("node", found) else { return };
    let world = World::new(Database::Sqlite).await;
    let ended = Command::new("npm")
        .arg("test")
        .current_dir(client)
        .env("COUNTERSIGN_URL", world.service_address())
        .env("COUNTERSIGN_PHONE_URL", world.sandbox_address())
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .unwrap();
    let (output, log) = (String::from_utf8_lossy(&ended.stdout), String::from_utf8_lossy(&ended.stderr));
    assert!(ended.status.success(), "{output}{log}");
    let passed = passed(&output).unwrap_or_else(|| panic!("it ended without a count: {output}{log}"));
    assert!(passed >= 52, "only {passed} tests");
}

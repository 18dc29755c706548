//! Authy's published client libraries, unchanged, against the sandbox: what they take for Authy, is Authy enough.
//!
//! `tests/published-clients/install` puts them into the target folder; what each is asked is in the files beside it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
};

use harness::{Database, World, require};
use tokio::process::Command;

/// Where `install` has put what a list names: `published-clients`, in the target folder that this test was built in.
/// The list stands beside it once all of it is there.
fn installed(list: &str) -> Result<PathBuf, String> {
    let wanted = fs::read(source(list)).unwrap();
    let own = std::env::current_exe().unwrap();
    let mut folders = own.ancestors().map(|folder| folder.join("published-clients"));
    let is_here = |folder: &PathBuf| {
        fs::read(folder.join(format!("installed-{list}"))).is_ok_and(|installed| installed == wanted)
    };
    folders
        .find(is_here)
        .ok_or_else(|| "Authy's clients are not installed: run tests/published-clients/install".to_owned())
}

/// A file that the repository has about the published clients.
fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("published-clients").join(name)
}

/// Asks an interpreter how it is called; a machine without it has no answer.
async fn interpreter(name: &str) -> Result<(), String> {
    let asked =
        Command::new(name).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().await;
    match asked {
        Ok(status) if status.success() => Ok(()),
        _ => Err(format!("there is no {name}")),
    }
}

/// Runs the checks of one library, and returns how many passed.
async fn checks_passed(mut interpreter: Command, file: &str) -> u32 {
    let world = World::builder(Database::Sqlite).split().start().await;
    let ended = interpreter
        .arg(source(file))
        .env("SANDBOX_URL", world.sandbox_address())
        .env("SANDBOX_KEY", world.api_key())
        .env("NO_PROXY", "127.0.0.1")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .unwrap();
    let (output, log) = (String::from_utf8(ended.stdout).unwrap(), String::from_utf8(ended.stderr).unwrap());
    assert!(ended.status.success(), "{output}{log}");
    let last = output.lines().last().unwrap_or_default();
    let passed = last.strip_suffix(" checks passed").and_then(|number| number.parse().ok());
    passed.unwrap_or_else(|| panic!("it ended without a count: {output}{log}"))
}

/// Runs the checks of a library of Node's, where there is one.
async fn node(file: &str) -> Option<u32> {
    let found = interpreter("node").await.and_then(|()| installed("package.json"));
    let folder = require("node", found)?;
    let mut node = Command::new("node");
    // The libraries are not beside the file that requires them.
    node.env("NODE_PATH", folder.join("node_modules"));
    Some(checks_passed(node, file).await)
}

/// Runs the checks of a library of Python's, where there is one.
async fn python(file: &str) -> Option<u32> {
    let found = interpreter("python3").await.and_then(|()| installed("requirements.txt"));
    let folder = require("python", found)?;
    Some(checks_passed(Command::new(folder.join("venv/bin/python")), file).await)
}

#[tokio::test]
async fn the_node_library_authy_takes_the_sandbox_for_authy() {
    if let Some(passed) = node("check_node_authy.js").await {
        assert!(passed >= 26, "only {passed} checks");
    }
}

#[tokio::test]
async fn the_node_library_authy_client_takes_the_sandbox_for_authy() {
    if let Some(passed) = node("check_node_authy_client.js").await {
        assert!(passed >= 29, "only {passed} checks");
    }
}

#[tokio::test]
async fn the_python_library_authy_takes_the_sandbox_for_authy() {
    if let Some(passed) = python("check_python_authy.py").await {
        assert!(passed >= 28, "only {passed} checks");
    }
}

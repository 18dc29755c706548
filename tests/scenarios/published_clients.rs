//! Published programs, unchanged. Authy's client libraries against the sandbox: what they take for Authy, is Authy enough.
//! The audits of `graphql-http` and the client `graphql-ws` against the service: what they take for GraphQL, frontends do.
//! `@graphql-eslint` and the reference implementation of GraphQL against the schema: whether it is clean, and what it breaks.
//! And what docs/FRONTEND.md says of Apollo, urql, fetch and Python, run as it stands there.
//!
//! `tests/published-clients/install` puts them into the target folder; what each is asked is in the files beside it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
};

use harness::{Database, World, report, require};
use tokio::process::Command;

/// Where `install` has put what a list names: `published-clients`, in the target folder that this test was built in.
/// The list stands beside it once all of it is there.
pub(crate) fn installed(list: &str) -> Result<PathBuf, String> {
    let wanted = fs::read(source(list)).unwrap();
    let own = std::env::current_exe().unwrap();
    let mut folders = own.ancestors().map(|folder| folder.join("published-clients"));
    let is_here = |folder: &PathBuf| {
        fs::read(folder.join(format!("installed-{list}"))).is_ok_and(|installed| installed == wanted)
    };
    folders.find(is_here).ok_or_else(|| {
        "the published clients are not installed: run tests/published-clients/install".to_owned()
    })
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

/// Runs the checks of one library against a world, and returns how many passed.
async fn checks_passed(mut interpreter: Command, file: &str, world: &World) -> u32 {
    interpreter
        .env("SERVICE_URL", world.service_address())
        .env("SANDBOX_URL", world.sandbox_address())
        .env("NO_PROXY", "127.0.0.1");
    checks_told(interpreter, file).await.0
}

/// Runs checks. Returns how many passed, and what they told before.
async fn checks_told(mut interpreter: Command, file: &str) -> (u32, String) {
    let ended = interpreter.arg(source(file)).stdin(Stdio::null()).kill_on_drop(true).output().await.unwrap();
    let (output, log) = (String::from_utf8(ended.stdout).unwrap(), String::from_utf8(ended.stderr).unwrap());
    assert!(ended.status.success(), "{output}{log}");
    let (told, last) = output.trim_end().rsplit_once('\n').unwrap_or(("", output.trim_end()));
    let passed = last.strip_suffix(" checks passed").and_then(|number| number.parse().ok());
    let passed = passed.unwrap_or_else(|| panic!("it ended without a count: {output}{log}"));
    (passed, told.to_owned())
}

/// Node with the libraries, where there is one.
async fn node() -> Option<Command> {
    let found = interpreter("node").await.and_then(|()| installed("package.json"));
    let folder = require("node", found)?;
    let mut node = Command::new("node");
    // The libraries are not beside the file that requires them.
    node.env("NODE_PATH", folder.join("node_modules"));
    Some(node)
}

/// Runs the checks of one of Authy's libraries.
async fn authy_checks_passed(mut interpreter: Command, file: &str) -> u32 {
    let world = World::builder(Database::Sqlite).split().start().await;
    interpreter.env("SANDBOX_KEY", world.api_key());
    checks_passed(interpreter, file, &world).await
}

/// Python with the libraries, where there is one.
async fn python() -> Option<Command> {
    let found = interpreter("python3").await.and_then(|()| installed("requirements.txt"));
    let folder = require("python", found)?;
    Some(Command::new(folder.join("venv/bin/python")))
}

#[tokio::test]
async fn the_node_library_authy_takes_the_sandbox_for_authy() {
    if let Some(node) = node().await {
        let passed = authy_checks_passed(node, "check_node_authy.js").await;
        assert!(passed >= 26, "only {passed} checks");
    }
}

#[tokio::test]
async fn the_node_library_authy_client_takes_the_sandbox_for_authy() {
    if let Some(node) = node().await {
        let passed = authy_checks_passed(node, "check_node_authy_client.js").await;
        assert!(passed >= 29, "only {passed} checks");
    }
}

#[tokio::test]
async fn the_python_library_authy_takes_the_sandbox_for_authy() {
    if let Some(python) = python().await {
        let passed = authy_checks_passed(python, "check_python_authy.py").await;
        assert!(passed >= 28, "only {passed} checks");
    }
}

#[tokio::test]
async fn the_audits_of_graphql_http_find_nothing() {
    if let Some(node) = node().await {
        let world = World::new(Database::Sqlite).await;
        let passed = checks_passed(node, "check_graphql_http.js", &world).await;
        assert!(passed >= 60, "only {passed} audits");
    }
}

#[tokio::test]
async fn apollos_link_for_persisted_queries_falls_back_to_queries() {
    if let Some(node) = node().await {
        let world = World::new(Database::Sqlite).await;
        let passed = checks_passed(node, "check_persisted_queries.js", &world).await;
        assert!(passed >= 18, "only {passed} checks");
    }
}

#[tokio::test]
async fn the_node_library_graphql_ws_watches_a_login_to_its_end() {
    if let Some(node) = node().await {
        let world = World::new(Database::Sqlite).await;
        let passed = checks_passed(node, "check_graphql_ws.js", &world).await;
        assert!(passed >= 15, "only {passed} checks");
    }
}

#[tokio::test]
async fn the_schema_is_clean_under_graphql_eslint() {
    if let Some(node) = node().await {
        let (passed, _) = checks_told(node, "check_graphql_eslint.js").await;
        assert!(passed >= 18, "only {passed} checks");
    }
}

#[tokio::test]
async fn the_changelog_names_what_breaks_in_the_schema_and_nothing_else() {
    if let Some(node) = node().await {
        let (passed, told) = checks_told(node, "check_breaking_changes.js").await;
        assert!(passed >= 10, "only {passed} checks");
        told.lines().for_each(report);
    }
}

#[tokio::test]
async fn the_snippets_in_javascript_of_the_frontend_document_do_what_it_says() {
    if let Some(node) = node().await {
        let world = World::new(Database::Sqlite).await;
        let passed = checks_passed(node, "check_frontend_snippets.js", &world).await;
        assert!(passed >= 29, "only {passed} checks");
    }
}

#[tokio::test]
async fn the_snippets_in_python_of_the_frontend_document_do_what_it_says() {
    if let Some(python) = python().await {
        let world = World::new(Database::Sqlite).await;
        let passed = checks_passed(python, "check_frontend_snippets.py", &world).await;
        assert!(passed >= 8, "only {passed} checks");
    }
}

//! The load program in its short form: each of its questions gets right answers. How fast they came is nobody's business here.

use std::fs;

use harness::{Database, run};
use tempfile::TempDir;

/// What it measures without PostgreSQL, by the headings of its page.
const ANYWHERE: [&str; 6] = [
    "Logins and password hashes",
    "A login besides its hash",
    "`me` on SQLite",
    "In a storm of logins",
    "Waiting",
    "Polling instead",
];
/// And what with it.
const WITH_POSTGRES: [&str; 2] = ["`me` on PostgreSQL", "Across two instances"];
const PLOTS: [&str; 2] = ["memory", "delivery"];

/// Runs it, in a folder of its own. Returns the page that it wrote.
async fn page_of(settings: &[(&str, &str)], folder: &TempDir) -> String {
    let finished = run("load", &["--short", "--write", "."], settings, folder.path()).await;
    assert_eq!(finished.code, Some(0), "{}", finished.log);
    fs::read_to_string(folder.path().join("BENCHMARKS.md")).unwrap()
}

#[tokio::test]
async fn the_load_program_finds_every_answer_right_and_writes_its_page() {
    let folder = TempDir::new().unwrap();
    let database = Database::postgres().await;
    let (settings, expected) = match &database {
        // It makes databases of its own beside this one.
        Some(Database::Postgres(database)) => {
            (vec![("TEST_POSTGRES_URL", database.url())], [&ANYWHERE[..], &WITH_POSTGRES].concat())
        }
        _ => (vec![], ANYWHERE.to_vec()),
    };
    let page = page_of(&settings, &folder).await;
    for title in expected {
        assert!(page.contains(&format!("\n## {title}\n")), "{title}: {page}");
    }
    assert!(!page.contains("NaN") && !page.contains("inf"), "{page}");
    for plot in PLOTS {
        for scheme in ["", "-dark"] {
            let plot = folder.path().join(format!("benchmarks/{plot}{scheme}.svg"));
            assert!(fs::read_to_string(&plot).unwrap().starts_with("<svg"), "{}", plot.display());
        }
    }
}

//! What was found, and how it is told: a line for each finding, or one JSON document.
//!
//! The invariant: whatever others have said, none of it commands a terminal.

use std::fmt::Write;

use serde::Serialize;

/// How a thing stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Status {
    /// As it should be.
    Ok,
    /// It works, or may work, and somebody should look at it.
    Warning,
    /// Something that the settings ask for does not work.
    Failure,
    /// It could not be looked at, because of something else that is told.
    Skipped,
}

/// One line of the report.
#[derive(Debug, Serialize)]
pub(super) struct Finding {
    check: &'static str,
    pub(super) status: Status,
    message: String,
    /// What to do about it.
    advice: Vec<String>,
}

/// Everything that was found, in the order in which it is told.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    version: &'static str,
    ok: usize,
    warnings: usize,
    failures: usize,
    skipped: usize,
    checks: Vec<Finding>,
}

impl Finding {
    pub(super) fn ok(check: &'static str, message: impl AsRef<str>) -> Self {
        Self::new(check, Status::Ok, message.as_ref(), "")
    }

    pub(super) fn warning(check: &'static str, message: impl AsRef<str>, advice: &str) -> Self {
        Self::new(check, Status::Warning, message.as_ref(), advice)
    }

    pub(super) fn failure(check: &'static str, message: impl AsRef<str>, advice: &str) -> Self {
        Self::new(check, Status::Failure, message.as_ref(), advice)
    }

    pub(super) fn skipped(check: &'static str, message: impl AsRef<str>) -> Self {
        Self::new(check, Status::Skipped, message.as_ref(), "")
    }

    #[cfg(test)]
    pub(super) fn message(&self) -> &str {
        &self.message
    }

    fn new(check: &'static str, status: Status, message: &str, advice: &str) -> Self {
        let advice = advice.lines().map(printable).collect();
        Self { check, status, message: printable(message), advice }
    }
}

impl Report {
    pub(super) fn new(checks: Vec<Finding>) -> Self {
        let count = |status| checks.iter().filter(|finding| finding.status == status).count();
        Self {
            version: env!("CARGO_PKG_VERSION"),
            ok: count(Status::Ok),
            warnings: count(Status::Warning),
            failures: count(Status::Failure),
            skipped: count(Status::Skipped),
            checks,
        }
    }

    pub(super) fn has_failed(&self) -> bool {
        self.failures > 0
    }

    /// For people.
    pub(super) fn to_text(&self, is_coloured: bool) -> String {
        let widest = self.checks.iter().map(|finding| finding.check.len()).max().unwrap_or_default();
        let mut text = String::new();
        for finding in &self.checks {
            let (word, colour) = match finding.status {
                Status::Ok => ("ok", 32),
                Status::Warning => ("WARN", 33),
                Status::Failure => ("FAIL", 31),
                Status::Skipped => ("-", 2),
            };
            let word = if is_coloured {
                format!("\u{1b}[{colour}m{word:<4}\u{1b}[0m")
            } else {
                format!("{word:<4}")
            };
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{word}  {:<widest$}  {}", finding.check, finding.message);
            for line in &finding.advice {
                let _ = writeln!(text, "      {line}");
            }
        }
        let _ = writeln!(text, "\n{}", self.sum());
        text
    }

    /// For programs.
    pub(super) fn to_json(&self) -> serde_json::Result<String> {
        serde_json::to_string_pretty(self).map(|document| document + "\n")
    }

    fn sum(&self) -> String {
        let count = |number: usize, one: &str, many: &str| match number {
            0 => None,
            1 => Some(format!("1 {one}")),
            _ => Some(format!("{number} {many}")),
        };
        let parts: Vec<_> = [
            count(self.failures, "failure", "failures"),
            count(self.warnings, "warning", "warnings"),
            count(self.skipped, "check left out", "checks left out"),
        ]
        .into_iter()
        .flatten()
        .collect();
        if parts.is_empty() { "all is well".to_owned() } else { parts.join(", ") }
    }
}

/// One line without anything that a terminal would take for a command.
fn printable(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { ' ' } else { character }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        Report::new(vec![
            Finding::ok("database", "answers"),
            Finding::failure("schema", "2 migrations are pending", "run: countersign migrate"),
            Finding::warning("public url", "says \u{1b}[2J\nmore", "one\ntwo"),
            Finding::skipped("clock", "nobody to ask"),
        ])
    }

    #[test]
    fn lines_are_aligned_and_advice_stands_below() {
        let expected = "ok    database    answers\n\
                        FAIL  schema      2 migrations are pending\n      run: countersign migrate\n\
                        WARN  public url  says  [2J more\n      one\n      two\n\
                        -     clock       nobody to ask\n\
                        \n1 failure, 1 warning, 1 check left out\n";
        assert_eq!(report().to_text(false), expected);
    }

    #[test]
    fn a_terminal_gets_colours_of_ours_and_nobody_elses() {
        let text = report().to_text(true);
        assert!(text.contains("\u{1b}[31mFAIL\u{1b}[0m") && !text.contains("\u{1b}[2J"), "{text:?}");
    }

    #[test]
    fn programs_read_the_same() {
        let document: serde_json::Value = serde_json::from_str(&report().to_json().unwrap()).unwrap();
        assert_eq!(document["checks"][1]["status"], "failure");
        assert_eq!(document["checks"][1]["advice"][0], "run: countersign migrate");
        assert_eq!((&document["failures"], &document["ok"]), (&1.into(), &1.into()));
    }
}

//! The report as docs/BENCHMARKS.md.

use std::fmt::Write as _;

use super::{
    Plot, Report, Section,
    table::{mark, verdict},
};

/// The page.
pub(super) fn of(report: &Report) -> String {
    let mut page = introduction(report);
    page += &format!(
        "\n## Summary\n\n{}\n\n| what | measured | asked | |\n| --- | --- | --- | --- |\n",
        verdict(report)
    );
    for section in &report.sections {
        let _ = writeln!(page, "| **[{}](#{})** | | | |", cell(&section.title), anchor(&section.title));
        page += &rows(section);
    }
    for section in &report.sections {
        page += &described(section);
    }
    page
}

fn introduction(report: &Report) -> String {
    format!(
        "# Benchmarks\n\n\
         What the load program measured on {}, against the release server that it spawns and drives from the same machine. It wrote\n\
         this page too: nothing here was typed by hand. Times say as much about the machine as about the service; ratios do not, for\n\
         both sides of each were taken in this one run, side by side.\n\n\
         ## The machine\n\n{}\n\
         ## The settings\n\n{}\n\
         ## Repeat it\n\n```sh\n{}\n```\n\n\
         prints the summary, and writes this page and its plots.\n",
        report.date,
        pairs(&report.machine.lines()),
        pairs(&report.settings),
        report.command.trim_end(),
    )
}

fn pairs<T: AsRef<str>>(pairs: &[(T, String)]) -> String {
    let lines = pairs.iter().map(|(name, value)| format!("| {} | {} |\n", cell(name.as_ref()), cell(value)));
    if pairs.is_empty() {
        "None but the defaults.\n".to_owned()
    } else {
        format!("| | |\n| --- | --- |\n{}", lines.collect::<String>())
    }
}

fn rows(section: &Section) -> String {
    let cells = section.rows.iter().map(|row| {
        let asked = row.asked.as_deref().map(cell).unwrap_or_default();
        [cell(&row.what), cell(&row.measured), asked, mark(row.holds).to_owned()]
    });
    cells.map(|cells| format!("| {} |\n", cells.join(" | "))).collect()
}

fn described(section: &Section) -> String {
    let mut text = format!("\n## {}\n", section.title.trim());
    if !section.about.trim().is_empty() {
        let _ = write!(text, "\n{}\n", section.about.trim());
    }
    if !section.rows.is_empty() {
        let _ = write!(text, "\n| what | measured | asked | |\n| --- | --- | --- | --- |\n{}", rows(section));
    }
    for plot in &section.plots {
        let _ = write!(text, "\n{}\n", picture(plot));
    }
    text
}

fn picture(plot: &Plot) -> String {
    let (name, title) = (&plot.name, attribute(&plot.title));
    format!(
        "<picture><source media=\"(prefers-color-scheme: dark)\" srcset=\"benchmarks/{name}-dark.svg\">\
         <img src=\"benchmarks/{name}.svg\" alt=\"{title}\"></picture>"
    )
}

/// Text that stays in its cell. What is marked as code is left as it is but for what would end the cell.
fn cell(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|");
    if line.contains('`') { line } else { line.replace('<', "&lt;") }
}

fn attribute(text: &str) -> String {
    text.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;").replace('>', "&gt;")
}

/// How GitHub names a heading.
fn anchor(title: &str) -> String {
    let kept = title.trim().to_lowercase().replace(' ', "-");
    kept.chars().filter(|c| c.is_alphanumeric() || matches!(c, '-' | '_')).collect()
}

//! The report as docs/BENCHMARKS.md.

use std::fmt::Write as _;

use super::{
    Plot, Report, Section,
    table::{mark, verdict},
};

const HEAD: &str = "| what | measured | asked | |\n| --- | --- | --- | --- |\n";

/// The page.
pub(super) fn of(report: &Report) -> String {
    let mut page = introduction(report);
    let _ = write!(page, "\n## Summary\n\n{}\n\n{HEAD}", verdict(report));
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
         What the load program measured on {}, against the release server that it spawns and drives from the same machine. It\n\
         wrote this page too: nothing here was typed by hand. Times say as much about the machine as about the service; ratios say far\n\
         less about the machine, for both sides of each were taken in this one run, side by side.\n\n\
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
    if pairs.is_empty() {
        return "None but the defaults.\n".to_owned();
    }
    pairs.iter().fold("| | |\n| --- | --- |\n".to_owned(), |mut text, (name, value)| {
        let _ = writeln!(text, "| {} | {} |", cell(name.as_ref()), cell(value));
        text
    })
}

fn rows(section: &Section) -> String {
    section.rows.iter().fold(String::new(), |mut text, row| {
        let asked = row.asked.as_deref().map(cell).unwrap_or_default();
        let (what, measured) = (cell(&row.what), cell(&row.measured));
        let _ = writeln!(text, "| {what} | {measured} | {asked} | {} |", mark(row.holds));
        text
    })
}

fn described(section: &Section) -> String {
    let mut text = format!("\n## {}\n", section.title.trim());
    if !section.about.trim().is_empty() {
        let _ = write!(text, "\n{}\n", section.about.trim());
    }
    if !section.rows.is_empty() {
        let _ = write!(text, "\n{HEAD}{}", rows(section));
    }
    for plot in &section.plots {
        let _ = write!(text, "\n{}\n", picture(plot));
    }
    text
}

fn picture(plot: &Plot) -> String {
    let Plot { name, title, .. } = plot;
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

/// How GitHub names a heading.
fn anchor(title: &str) -> String {
    let kept = title.trim().to_lowercase().replace(' ', "-");
    kept.chars().filter(|c| c.is_alphanumeric() || matches!(c, '-' | '_')).collect()
}

#[cfg(test)]
mod tests {
    use super::{super::examples, *};

    #[test]
    fn nothing_ends_a_cell_too_early() {
        let page = of(&examples::report(Vec::new()));
        assert_eq!(
            page.matches("\n| logins a \\| second | 92 | at least 100 | \u{2717} |\n").count(),
            2,
            "{page}"
        );
        assert!(page.contains("\n| a\\|b | 1 &lt; 2 |\n"), "{page}");
        assert_eq!(cell("one\ntwo"), "one two");
        assert_eq!(cell("`Vec<u8>`"), "`Vec<u8>`");
    }

    #[test]
    fn the_page_says_where_when_and_how() {
        let report = examples::report(Vec::new());
        let page = of(&report);
        for (name, value) in report.machine.lines() {
            assert!(page.contains(&format!("| {name} | {value} |")), "{page}");
        }
        for text in ["on 1 January 2026", "```sh\ncargo run\n```", "What was asked holds in 1 of 2 rows."] {
            assert!(page.contains(text), "{text}: {page}");
        }
    }

    #[test]
    fn the_summary_leads_to_each_section() {
        let page = of(&examples::report(Vec::new()));
        let link = "| **[Answering, while nobody logs in](#answering-while-nobody-logs-in)** | | | |";
        assert!(page.contains(link), "{page}");
        assert!(
            page.contains("\n## Answering, while nobody logs in\n\nAsked over and over.\n\n| what |"),
            "{page}"
        );
    }

    #[test]
    fn a_plot_is_shown_in_the_scheme_of_who_looks() {
        let page = of(&examples::report(vec![examples::plot()]));
        let picture = "<picture><source media=\"(prefers-color-scheme: dark)\" srcset=\"benchmarks/memory-dark.svg\">\
                       <img src=\"benchmarks/memory.svg\" alt=\"About memory\"></picture>";
        assert!(page.contains(picture), "{page}");
    }
}

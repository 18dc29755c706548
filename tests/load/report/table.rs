//! The report on a terminal.

use console::{Alignment, measure_text_width, pad_str};

use super::{Report, Row};

/// The columns in their order; what follows each but the last is padded.
type Cells = [String; 4];

/// The table, one line a row, and a last line that counts what was asked.
pub(super) fn of(report: &Report) -> String {
    let head = ["what", "measured", "asked", ""].map(str::to_owned);
    let sections: Vec<(_, Vec<_>)> = report
        .sections
        .iter()
        .map(|section| (on_one_line(&section.title), section.rows.iter().map(cells).collect()))
        .collect();
    let widths: [usize; 4] = std::array::from_fn(|column| {
        let rows = sections.iter().flat_map(|(_, rows)| rows).chain([&head]);
        rows.map(|cells| measure_text_width(&cells[column])).max().unwrap_or(0)
    });
    let mut lines = vec![line(&head, widths)];
    for (title, rows) in &sections {
        lines.extend([String::new(), title.clone()]);
        lines.extend(rows.iter().map(|cells| line(cells, widths)));
    }
    lines.extend([String::new(), verdict(report)]);
    lines.join("\n") + "\n"
}

/// Whether what was asked holds, in a sentence.
pub(super) fn verdict(report: &Report) -> String {
    let rows = report.sections.iter().flat_map(|section| &section.rows);
    let asked: Vec<_> = rows.filter_map(|row| row.holds).collect();
    if asked.is_empty() {
        return "Nothing was asked.".to_owned();
    }
    let held = asked.iter().filter(|holds| **holds).count();
    format!("What was asked holds in {held} of {} rows.", asked.len())
}

/// ✓, ✗ or nothing.
pub(super) fn mark(holds: Option<bool>) -> &'static str {
    match holds {
        Some(true) => "\u{2713}",
        Some(false) => "\u{2717}",
        None => "",
    }
}

fn cells(row: &Row) -> Cells {
    let asked = row.asked.as_deref().unwrap_or_default();
    [on_one_line(&row.what), on_one_line(&row.measured), on_one_line(asked), mark(row.holds).to_owned()]
}

fn line(cells: &Cells, widths: [usize; 4]) -> String {
    let padded = cells.iter().zip(widths).map(|(cell, width)| pad_str(cell, width, Alignment::Left, None));
    let line: Vec<_> = padded.collect();
    format!("  {}", line.join("  ")).trim_end().to_owned()
}

fn on_one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::{super::examples, *};

    #[test]
    fn columns_are_aligned_whatever_is_in_them() {
        let mut report = examples::report(Vec::new());
        report.sections[0].rows[1].what = "z\u{fc}gig \u{2264} 5 ms".to_owned();
        let table = report.table();
        let columns: Vec<_> = table
            .lines()
            .filter(|line| line.contains(" ms") || line.contains("measured"))
            .map(|line| ["measured", "0.21 ms", "1.4 ms"].iter().find_map(|cell| line.split_once(cell)))
            .map(|found| measure_text_width(found.unwrap().0))
            .collect();
        assert_eq!(columns.len(), 3, "{table}");
        assert!(columns.iter().all(|column| *column == columns[0]), "{table}");
    }

    #[test]
    fn the_table_says_all_and_what_does_not_hold() {
        let table = examples::report(Vec::new()).table();
        assert_eq!(
            table,
            "  what                measured  asked\n\
             \n\
             Answering, while nobody logs in\n\
             \x20 `me`, median        0.21 ms\n\
             \x20 `loginStatus`, p99  1.4 ms    < 5 ms        \u{2713}\n\
             \n\
             Hashing\n\
             \x20 logins a | second   92        at least 100  \u{2717}\n\
             \n\
             What was asked holds in 1 of 2 rows.\n"
        );
    }

    #[test]
    fn a_cell_stays_on_its_line() {
        let mut report = examples::report(Vec::new());
        report.sections[0].rows[0].measured = "0.21 ms\n(warm)".to_owned();
        assert!(report.table().contains("`me`, median        0.21 ms (warm)"), "{}", report.table());
    }

    #[test]
    fn the_verdict_counts_what_was_asked() {
        let mut report = examples::report(Vec::new());
        report.sections.remove(1);
        assert_eq!(verdict(&report), "What was asked holds in 1 of 1 rows.");
        report.sections.clear();
        assert_eq!(verdict(&report), "Nothing was asked.");
    }
}

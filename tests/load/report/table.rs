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
    match (asked.len(), asked.iter().filter(|holds| !**holds).count()) {
        (0, _) => "Nothing was asked.".to_owned(),
        (asked, 0) => format!("All of the {asked} asked for hold."),
        (asked, failed) => format!("{failed} of the {asked} asked for do not hold."),
    }
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

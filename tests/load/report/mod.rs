//! What the load program found out, as a table for a terminal and as a page with plots.

mod body;
#[cfg(test)]
mod examples;
mod machine;
mod marker;
mod page;
mod palette;
mod plot;
mod scale;
mod svg;
mod table;
mod thin;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use anyhow::{Context as _, ensure};

pub(crate) use machine::Machine;
pub(crate) use plot::{Axis, Kind, Plot, Series};

/// One line of the table.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    /// What was measured.
    pub what: String,
    /// What came out, with its unit.
    pub measured: String,
    /// What it should be, where somebody asked.
    pub asked: Option<String>,
    /// Whether it is.
    pub holds: Option<bool>,
}

/// A phase's results.
#[derive(Clone, Debug)]
pub(crate) struct Section {
    /// Its heading.
    pub title: String,
    /// What was done, as a paragraph of Markdown.
    pub about: String,
    /// What came out.
    pub rows: Vec<Row>,
    /// And how it went.
    pub plots: Vec<Plot>,
}

/// The whole report.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    /// The day of the run.
    pub date: String,
    /// Where it ran.
    pub machine: Machine,
    /// With what, by name.
    pub settings: Vec<(String, String)>,
    /// How to run it again.
    pub command: String,
    /// One a phase.
    pub sections: Vec<Section>,
}

impl Report {
    /// One table for a terminal: aligned columns, a section's title above its rows, a mark for what holds and what does not.
    #[must_use]
    pub(crate) fn table(&self) -> String {
        table::of(self)
    }

    /// Writes `BENCHMARKS.md` and its plots, `benchmarks/NAME.svg` and `benchmarks/NAME-dark.svg`, into the folder; plots of
    /// an earlier run that this one does not have are removed.
    pub(crate) fn write(&self, folder: &Path) -> anyhow::Result<()> {
        let pictures = self.pictures()?;
        let plots = folder.join("benchmarks");
        fs::create_dir_all(&plots).with_context(|| format!("cannot make {}", plots.display()))?;
        for (name, picture) in &pictures {
            write(&plots.join(name), picture)?;
        }
        write(&folder.join("BENCHMARKS.md"), &page::of(self))?;
        remove_others(&plots, &pictures.into_keys().collect())
    }

    /// Each picture by the name of its file.
    fn pictures(&self) -> anyhow::Result<BTreeMap<String, String>> {
        let mut pictures = BTreeMap::new();
        for plot in self.sections.iter().flat_map(|section| &section.plots) {
            let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            ensure!(
                !plot.name.is_empty() && plot.name.chars().all(is_plain),
                "{:?} is no name for a plot: small letters, digits and dashes",
                plot.name
            );
            for (suffix, palette) in [("", &palette::LIGHT), ("-dark", &palette::DARK)] {
                let file = format!("{}{suffix}.svg", plot.name);
                let picture = svg::of(plot, palette)?;
                ensure!(pictures.insert(file, picture).is_none(), "two plots are named {:?}", plot.name);
            }
        }
        Ok(pictures)
    }
}

fn write(file: &Path, text: &str) -> anyhow::Result<()> {
    fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
}

fn remove_others(folder: &Path, kept: &BTreeSet<String>) -> anyhow::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        if path.extension().is_some_and(|extension| extension == "svg") && !kept.contains(&name) {
            fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> BTreeSet<String> {
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    fn written(names: &[&str], folder: &Path) -> anyhow::Result<()> {
        let series = examples::series(Kind::Line, &[(0.0, 1.0), (1.0, 2.0)]);
        let plots = names.iter().map(|name| examples::plot(name, vec![series.clone()]));
        examples::report(plots.collect()).write(folder)
    }

    #[test]
    fn both_schemes_are_written_and_differ() {
        let folder = tempfile::tempdir().unwrap();
        written(&["memory"], folder.path()).unwrap();
        assert_eq!(names(folder.path()), ["BENCHMARKS.md", "benchmarks"].map(str::to_owned).into());
        let plots = folder.path().join("benchmarks");
        assert_eq!(names(&plots), ["memory-dark.svg", "memory.svg"].map(str::to_owned).into());
        let [light, dark] =
            ["memory.svg", "memory-dark.svg"].map(|name| fs::read_to_string(plots.join(name)).unwrap());
        assert!(light.contains("fill=\"#FFFFFF\"") && !dark.contains("fill=\"#FFFFFF\""));
        let page = fs::read_to_string(folder.path().join("BENCHMARKS.md")).unwrap();
        assert!(
            ["memory.svg", "memory-dark.svg"]
                .iter()
                .all(|name| page.contains(&format!("\"benchmarks/{name}\"")))
        );
    }

    #[test]
    fn plots_of_an_earlier_run_are_removed_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        written(&["memory", "latency"], folder.path()).unwrap();
        let plots = folder.path().join("benchmarks");
        fs::write(plots.join("notes.md"), "kept").unwrap();
        fs::write(folder.path().join("other.svg"), "kept").unwrap();
        written(&["memory"], folder.path()).unwrap();
        assert_eq!(names(&plots), ["memory-dark.svg", "memory.svg", "notes.md"].map(str::to_owned).into());
        assert!(folder.path().join("other.svg").exists());
    }

    #[test]
    fn names_that_would_be_lost_or_lead_elsewhere_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        for names in
            [&["memory", "memory"][..], &["memory", "memory-dark"], &["../memory"], &["Memory"], &[""]]
        {
            assert!(written(names, folder.path()).is_err(), "{names:?}");
        }
        assert_eq!(names(folder.path()), BTreeSet::new());
    }
}

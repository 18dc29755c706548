//! What the load program found out, as a table for a terminal and as a page with plots.

#[cfg(test)]
mod examples;
mod machine;
mod page;
mod plot;
mod table;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use anyhow::Context as _;

pub(crate) use machine::Machine;
pub(crate) use plot::{Plot, Series};

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
        let plots = self.sections.iter().flat_map(|section| &section.plots);
        let both = plots.flat_map(|plot| plot::SCHEMES.iter().map(move |scheme| (plot, scheme)));
        both.map(|(plot, scheme)| Ok((format!("{}{}.svg", plot.name, scheme.suffix), plot.svg(scheme)?)))
            .collect()
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

    fn written(names: &[&'static str], folder: &Path) {
        let plots = names.iter().map(|&name| Plot { name, ..examples::plot() });
        examples::report(plots.collect()).write(folder).unwrap();
    }

    #[test]
    fn both_schemes_are_written_and_differ() {
        let folder = tempfile::tempdir().unwrap();
        written(&["memory"], folder.path());
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
        written(&["memory", "latency"], folder.path());
        let plots = folder.path().join("benchmarks");
        fs::write(plots.join("notes.md"), "kept").unwrap();
        fs::write(folder.path().join("other.svg"), "kept").unwrap();
        written(&["memory"], folder.path());
        assert_eq!(names(&plots), ["memory-dark.svg", "memory.svg", "notes.md"].map(str::to_owned).into());
        assert!(folder.path().join("other.svg").exists());
    }
}

//! Within a folder, imports go one way too: this reads the source and fails on a cycle of the files and folders in one folder.
//!
//! `mod.rs` is left aside, for it declares all others. An import through it counts as one of the file that the item comes from:
//! `super::Store` is an edge to `sqlite` if `mod.rs` says `pub use sqlite::Store`. Tests may import what they need.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

/// The path of a module below the crate's root, and the words of an import.
type Words = Vec<String>;
/// The code of each module.
type Modules = BTreeMap<Words, String>;
/// Which entry of a folder imports which other one, with an example of where.
type Graph = BTreeMap<String, BTreeMap<String, String>>;

const ROOTS: [&str; 3] = ["super", "self", "crate"];

/// The modules of a folder of sources, without tests.
fn modules(root: &Path) -> Modules {
    let files = super::layers::sources(root).into_iter().filter_map(|file| {
        let relative = file.strip_prefix(root).unwrap().with_extension("");
        let mut module: Words = relative.iter().map(|part| part.to_str().unwrap().to_owned()).collect();
        if matches!(module.last().map(String::as_str), Some("mod" | "lib")) {
            module.pop();
        }
        let is_test = module.iter().any(|part| part == "tests");
        (!is_test && module != ["main"]).then(|| (module, without_tests(&fs::read_to_string(&file).unwrap())))
    });
    files.collect()
}

/// The code without comments and without the tests at its end.
fn without_tests(text: &str) -> String {
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
    code.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

fn is_of_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// The paths that a text beginning with one names: several if it is a group. Each has its last word twice if it is renamed: as it is
/// called here.
fn expand(text: &str, before: &[String], paths: &mut Vec<Words>) {
    let mut path = before.to_vec();
    let mut rest = text.trim_start();
    while !rest.starts_with('{') {
        let end = rest.find(|character| !is_of_word(character)).unwrap_or(rest.len());
        path.push(rest[..end].to_owned());
        let Some(next) = rest[end..].strip_prefix("::") else {
            let name = rest[end..].trim_start().strip_prefix("as ").map(str::trim_start);
            let name = name.map(|name| name.chars().take_while(|letter| is_of_word(*letter)).collect());
            let called = name.unwrap_or_else(|| path.last().unwrap().clone());
            path.push(called);
            return paths.push(path);
        };
        rest = next.trim_start();
    }
    let (mut depth, mut start) = (0, 1);
    for (position, character) in rest.char_indices() {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 1 => {}
            _ => continue,
        }
        if (character == ',' && depth == 1) || depth == 0 {
            if !rest[start..position].trim().is_empty() {
                expand(&rest[start..position], &path, paths);
            }
            start = position + 1;
        }
        if depth == 0 {
            return;
        }
    }
}

/// All paths in a module's code that begin with `super`, `self` or `crate`, and what they are called.
fn named(code: &str) -> Vec<Words> {
    let mut paths = Vec::new();
    for root in ROOTS {
        for (position, _) in code.match_indices(&format!("{root}::")) {
            if !code[..position].ends_with(|before| is_of_word(before) || before == ':') {
                expand(&code[position..], &[], &mut paths);
            }
        }
    }
    paths
}

/// What a module imports, by the name that it has there: its children find it as `super::name`.
fn imported(code: &str) -> BTreeMap<String, Words> {
    let mut paths = Vec::new();
    for (position, _) in code.match_indices("use ") {
        let line = code[..position].rsplit('\n').next().unwrap();
        if line.is_empty() || (line.starts_with("pub") && line.ends_with(' ')) {
            expand(code[position + 4..].split(';').next().unwrap(), &[], &mut paths);
        }
    }
    paths.into_iter().map(|path| (path.last().unwrap().clone(), path)).collect()
}

/// The module that holds what `path` names in `from`; `None` if it is not of this crate.
fn resolve(modules: &Modules, from: &[String], path: &[String]) -> Option<Words> {
    let mut words = path[..path.len() - 1].iter().peekable();
    let mut module = match words.peek()?.as_str() {
        "crate" => Vec::new(),
        _ => from.to_vec(),
    };
    words.next_if(|word| matches!(word.as_str(), "crate" | "self"));
    while words.next_if(|word| *word == "super").is_some() {
        module.pop()?;
    }
    let starts_outside =
        !ROOTS.contains(&path[0].as_str()) && !modules.contains_key(&[&module[..], &path[..1]].concat());
    if starts_outside {
        return None;
    }
    for word in words.filter(|word| *word != "self") {
        let child = [&module[..], std::slice::from_ref(word)].concat();
        if modules.contains_key(&child) {
            module = child;
        } else {
            let through = imported(&modules[&module]).remove(word).filter(|_| module != from);
            return through.and_then(|path| resolve(modules, &module, &path)).or(Some(module));
        }
    }
    Some(module)
}

/// The graph of each folder.
fn graphs(modules: &Modules) -> BTreeMap<Words, Graph> {
    let mut graphs: BTreeMap<Words, Graph> = BTreeMap::new();
    for (from, code) in modules {
        for path in named(code) {
            let Some(to) = resolve(modules, from, &path) else { continue };
            let common = from.iter().zip(&to).take_while(|(one, other)| one == other).count();
            if let (Some(one), Some(other)) = (from.get(common), to.get(common)) {
                let example = format!("{}: {}", from.join("/"), path[..path.len() - 1].join("::"));
                let graph = graphs.entry(from[..common].to_vec()).or_default();
                graph.entry(one.clone()).or_default().entry(other.clone()).or_insert(example);
            }
        }
    }
    graphs
}

/// Looks for a way back to an entry of `way`, from its last one.
fn cycle<'a>(graph: &'a Graph, way: &mut Vec<&'a str>, done: &mut BTreeSet<&'a str>) -> Option<String> {
    let last = *way.last()?;
    for next in graph.get(last).into_iter().flat_map(BTreeMap::keys) {
        if let Some(start) = way.iter().position(|entry| *entry == next) {
            let entries = way[start..].iter().copied().chain([next.as_str()]).collect::<Vec<_>>();
            let steps = entries.windows(2).map(|step| format!("    {}", graph[step[0]][step[1]]));
            return Some(format!("{}\n{}", entries.join(" → "), steps.collect::<Vec<_>>().join("\n")));
        }
        if !done.contains(next.as_str()) {
            way.push(next);
            if let Some(found) = cycle(graph, way, done) {
                return Some(found);
            }
            done.extend(way.pop());
        }
    }
    None
}

/// One cycle of each folder that has one.
fn cycles(modules: &Modules) -> Vec<String> {
    let graphs = graphs(modules);
    let found = graphs.iter().filter_map(|(folder, graph)| {
        let mut done = BTreeSet::new();
        let found = graph.keys().find_map(|entry| cycle(graph, &mut vec![entry], &mut done))?;
        Some(format!("src/{}: {found}", folder.join("/")))
    });
    found.collect()
}

#[test]
fn no_folder_has_a_cycle_of_files() {
    let modules = modules(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    let edges: usize = graphs(&modules).values().flat_map(BTreeMap::values).map(BTreeMap::len).sum();
    assert!(edges > 300, "only {edges} imports were found: the test has stopped reading them");
    let cycles = cycles(&modules);
    assert!(cycles.is_empty(), "move what both need into a file of its own:\n{}", cycles.join("\n"));
}

/// Modules by their paths, as `folder/file`.
fn made_of(files: &[(&str, &str)]) -> Modules {
    let path = |file: &str| file.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect();
    files.iter().map(|(file, text)| (path(file), without_tests(text))).collect()
}

#[test]
fn a_cycle_is_found_however_it_is_imported() {
    for (one, expected) in [
        ("use super::two::Two;", true),
        ("use crate::folder::{mod_rs_only, two::{self, Two}};", true),
        ("fn call() { super::two::call() }", true),
        // Through `mod.rs`, also under another name.
        ("use super::Two;", true),
        ("use crate::folder::Renamed;", true),
        ("use super::Own;", false),
        ("use super::other::Other;", false),
        ("// use super::two::Two;", false),
        ("#[cfg(test)]\nmod tests {\n    use super::super::two::Two;\n}", false),
    ] {
        let modules = made_of(&[
            ("", "pub mod folder;"),
            (
                "folder",
                "mod one;\nmod two;\npub use self::two::Two;\npub use two::Two as Renamed;\nuse self::one::One;",
            ),
            ("folder/one", one),
            ("folder/two/deep", "use super::super::One;"),
            ("folder/two", "mod deep;\npub struct Two;"),
            ("folder/other", ""),
        ]);
        let found = cycles(&modules);
        assert_eq!(!found.is_empty(), expected, "{one}: {found:?}");
        assert!(found.iter().all(|found| found.starts_with("src/folder: one → two → one\n")), "{found:?}");
    }
}

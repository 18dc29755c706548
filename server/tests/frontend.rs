//! `docs/FRONTEND.md` tells people what to show for everything that the schema can say of a login: nothing is left out, and
//! nothing is told of that the schema does not say.

use std::{fs, path::Path};

/// What a frontend has to tell apart.
const ENUMS: [&str; 12] = [
    "LoginState",
    "LoginStep",
    "LoginFailure",
    "SignupErrorCode",
    "LoginErrorCode",
    "VerifyTokenErrorCode",
    "ResendTokenErrorCode",
    "SensitiveOperation",
    "ConfirmErrorCode",
    "ChangePasswordErrorCode",
    "EndSessionErrorCode",
    "EndOtherSessionsErrorCode",
];

/// The values of an enum of the schema; the descriptions between them are left out.
fn values<'a>(sdl: &'a str, name: &str) -> Vec<&'a str> {
    let head = format!("\nenum {name} {{\n");
    let (_, rest) = sdl.split_once(&head).unwrap_or_else(|| panic!("the schema has no enum {name}"));
    let (body, _) = rest.split_once("\n}\n").unwrap();
    let lines = body.split("\"\"\"").step_by(2).flat_map(str::lines).map(str::trim);
    lines.filter(|line| !line.is_empty()).collect()
}

/// Where the document tells of an enum: codes of the same name mean different things for different mutations, and each has
/// its own table. What is no error code may stand anywhere.
fn section_of<'a>(name: &str, document: &'a str) -> &'a str {
    let Some(mutation) = name.strip_suffix("ErrorCode") else { return document };
    let (first, rest) = mutation.split_at(1);
    let head = format!("\n### `{}{rest}`\n", first.to_lowercase());
    let (_, section) =
        document.split_once(&head).unwrap_or_else(|| panic!("docs/FRONTEND.md has no {}", head.trim()));
    section.split_once("\n#").map_or(section, |(section, _)| section)
}

fn document() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/FRONTEND.md");
    fs::read_to_string(path).unwrap()
}

/// The names of all enums of the schema.
fn enums(sdl: &str) -> impl Iterator<Item = &str> {
    sdl.lines().filter_map(|line| line.strip_prefix("enum ")?.strip_suffix(" {"))
}

/// The cells of the tables in a part of the document, row by row.
fn rows(part: &str) -> impl Iterator<Item = Vec<&str>> {
    part.lines().filter(|line| line.starts_with('|')).map(|line| line.split('|').skip(1).collect())
}

/// What a cell writes as the schema writes values: in capitals, between backquotes.
fn values_named(cell: &str) -> impl Iterator<Item = &str> {
    let is_value =
        |word: &&str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
    cell.split('`').skip(1).step_by(2).filter(is_value)
}

#[test]
fn the_frontend_document_names_every_state_step_failure_and_error_code() {
    let (document, sdl) = (document(), countersign::graphql::sdl());
    let (mut found, mut missing) = (0, Vec::new());
    for name in ENUMS {
        let values = values(&sdl, name);
        assert!(values.len() > 1, "{name} has only {values:?}");
        for value in values {
            if section_of(name, &document).contains(&format!("`{value}`")) {
                found += 1;
            } else {
                missing.push(format!("{name}.{value}"));
            }
        }
    }
    assert!(missing.is_empty(), "docs/FRONTEND.md does not name {missing:?}");
    assert!(found > 50, "only {found} values were looked for");
}

#[test]
fn the_frontend_document_names_no_value_that_the_schema_does_not_know() {
    let (document, sdl) = (document(), countersign::graphql::sdl());
    let known: Vec<_> = enums(&sdl).flat_map(|name| values(&sdl, name)).collect();
    // From there on it tells of errors that the schema does not list.
    let (schemas, _) = document.split_once("\n### GraphQL errors\n").unwrap();
    let named: Vec<_> = rows(schemas).flatten().flat_map(values_named).collect();
    assert!(named.len() > 40, "only {named:?} were found");
    let unknown: Vec<_> = named.iter().filter(|value| !known.contains(value)).collect();
    assert!(unknown.is_empty(), "docs/FRONTEND.md tells of {unknown:?}, which the schema does not know");
}

#[test]
fn the_frontend_document_lists_for_each_mutation_its_own_error_codes_alone() {
    let (document, sdl) = (document(), countersign::graphql::sdl());
    for name in ENUMS.into_iter().filter(|name| name.ends_with("ErrorCode")) {
        let mut listed: Vec<_> =
            rows(section_of(name, &document)).flat_map(|row| values_named(row[0])).collect();
        listed.sort_unstable();
        let mut expected = values(&sdl, name);
        expected.sort_unstable();
        assert_eq!(listed, expected, "{name}");
    }
}

//! `docs/FRONTEND.md` tells people what to show for everything that the schema can say of a login: nothing is left out.

use std::{fs, path::Path};

/// What a frontend has to tell apart.
const ENUMS: [&str; 7] = [
    "LoginState",
    "LoginStep",
    "LoginFailure",
    "SignupErrorCode",
    "LoginErrorCode",
    "VerifyTokenErrorCode",
    "ResendTokenErrorCode",
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

#[test]
fn the_frontend_document_names_every_state_step_failure_and_error_code() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/FRONTEND.md");
    let document = fs::read_to_string(path).unwrap();
    let sdl = countersign::graphql::sdl();
    let (mut found, mut missing) = (0, Vec::new());
    for name in ENUMS {
        let values = values(&sdl, name);
        assert!(values.len() > 2, "{name} has only {values:?}");
        for value in values {
            if section_of(name, &document).contains(&format!("`{value}`")) {
                found += 1;
            } else {
                missing.push(format!("{name}.{value}"));
            }
        }
    }
    assert!(missing.is_empty(), "docs/FRONTEND.md does not name {missing:?}");
    assert!(found > 30, "only {found} values were looked for");
}

//! `schema.graphql` is what the server prints, and says what everything means.

use std::{fs, path::Path};

#[test]
fn the_schema_file_is_what_the_server_prints() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../schema.graphql");
    let written = fs::read_to_string(path).unwrap();
    assert!(
        written == countersign::graphql::sdl(),
        "schema.graphql is not what the server prints: run `cargo run -- schema > schema.graphql`"
    );
}

#[test]
fn everything_in_the_schema_has_a_description() {
    let sdl = countersign::graphql::sdl();
    let mut undescribed = Vec::new();
    let (mut in_description, mut described, mut members) = (false, false, 0);
    for line in sdl.lines().map(str::trim) {
        let quotes = line.matches("\"\"\"").count();
        if quotes == 1 {
            in_description = !in_description;
            described = true;
        } else if quotes == 2 {
            described = true;
        } else if !in_description && !line.is_empty() && line != "}" {
            members += 1;
            // graphql_client stumbles over a description of the schema block; directives are GraphQL's own.
            let exempt = ["schema {", "query:", "mutation:", "subscription:", "directive ", ")"];
            if !described && !exempt.iter().any(|start| line.starts_with(start)) {
                undescribed.push(line.to_owned());
            }
            described = false;
        }
    }
    assert!(members > 100, "only {members} lines were looked at");
    assert!(undescribed.is_empty(), "without a description:\n{}", undescribed.join("\n"));
}

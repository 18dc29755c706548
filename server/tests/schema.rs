//! `schema.graphql` is what the server prints, and says what everything means.

use std::{fs, path::Path};

use async_graphql::{
    Positioned,
    parser::{
        parse_schema,
        types::{FieldDefinition, InputValueDefinition, TypeDefinition, TypeKind, TypeSystemDefinition},
    },
};

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
    let found = Descriptions::of(&countersign::graphql::sdl());
    assert!(found.looked_at > 140, "only {} were looked at", found.looked_at);
    assert!(found.missing.is_empty(), "without a description:\n{}", found.missing.join("\n"));
}

#[test]
fn what_has_no_description_is_found_wherever_it_stands() {
    let described = "\"\"\"Said.\"\"\"";
    let sdl = format!(
        "{described} type Query {{ a(one: Int, {described} two: Int): Int {described} b: Int }}
         type Bare {{ {described} c: Int }}
         {described} input Typed {{ d: Int }}
         {described} enum Picked {{ E {described} F }}
         \"\"\" \"\"\" scalar Blank
         {described} interface Shared {{ g: Int }}
         schema {{ query: Query }}"
    );
    let found = Descriptions::of(&sdl);
    let expected = ["Query.a", "Query.a(one:)", "Bare", "Typed.d", "Picked.E", "Blank", "Shared.g"];
    assert_eq!(found.missing, expected);
}

/// What a document describes: types, fields, arguments and enum values, by their coordinates. The schema block is left out,
/// since `graphql_client` stumbles over a description there; and directives, which are GraphQL's own.
#[derive(Default)]
struct Descriptions {
    looked_at: usize,
    missing: Vec<String>,
}

impl Descriptions {
    fn of(sdl: &str) -> Self {
        let mut found = Self::default();
        for definition in parse_schema(sdl).unwrap().definitions {
            if let TypeSystemDefinition::Type(definition) = definition {
                found.look_at_type(&definition.node);
            }
        }
        found
    }

    fn look_at(&mut self, coordinate: String, description: Option<&Positioned<String>>) {
        self.looked_at += 1;
        if description.is_none_or(|text| text.node.trim().is_empty()) {
            self.missing.push(coordinate);
        }
    }

    fn look_at_type(&mut self, definition: &TypeDefinition) {
        let name = &definition.name.node;
        self.look_at(name.to_string(), definition.description.as_ref());
        match &definition.kind {
            TypeKind::Object(object) => self.look_at_fields(name, &object.fields),
            TypeKind::Interface(interface) => self.look_at_fields(name, &interface.fields),
            TypeKind::InputObject(input) => {
                self.look_at_inputs(&input.fields, |field| format!("{name}.{field}"));
            }
            TypeKind::Enum(values) => {
                for value in &values.values {
                    let coordinate = format!("{name}.{}", value.node.value.node);
                    self.look_at(coordinate, value.node.description.as_ref());
                }
            }
            TypeKind::Scalar | TypeKind::Union(_) => {}
        }
    }

    fn look_at_fields(&mut self, type_name: &str, fields: &[Positioned<FieldDefinition>]) {
        for field in fields {
            let coordinate = format!("{type_name}.{}", field.node.name.node);
            self.look_at(coordinate.clone(), field.node.description.as_ref());
            self.look_at_inputs(&field.node.arguments, |argument| format!("{coordinate}({argument}:)"));
        }
    }

    fn look_at_inputs(
        &mut self,
        inputs: &[Positioned<InputValueDefinition>],
        coordinate: impl Fn(&str) -> String,
    ) {
        for input in inputs {
            self.look_at(coordinate(&input.node.name.node), input.node.description.as_ref());
        }
    }
}

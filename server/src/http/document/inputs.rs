//! What variables may hold, as far as that can be said without async-graphql.
//!
//! It validates what variables hold together with the document that they are for, all of it each time. Of a document that was
//! found to be valid, nothing else can be wrong the next time. The invariant: what is said to fit does; of what is not, nothing
//! is said.

use std::collections::HashMap;

use async_graphql::{
    Name, Value,
    parser::{
        parse_schema,
        types::{BaseType, ServiceDocument, Type, TypeKind, TypeSystemDefinition},
    },
};

/// The input objects of a schema, with the types of their fields.
#[derive(Debug, Default)]
pub struct InputTypes(HashMap<Name, HashMap<Name, Type>>);

impl InputTypes {
    /// Those of a schema in GraphQL's schema definition language. Of one that cannot be read, nothing fits anything.
    #[must_use]
    pub fn of(sdl: &str) -> Self {
        parse_schema(sdl).map(|schema| Self::of_schema(&schema)).unwrap_or_default()
    }

    fn of_schema(schema: &ServiceDocument) -> Self {
        let mut objects = HashMap::new();
        for definition in &schema.definitions {
            if let TypeSystemDefinition::Type(defined) = definition
                && let TypeKind::InputObject(object) = &defined.node.kind
                // `@oneOf` has rules of its own.
                && defined.node.directives.is_empty()
            {
                let fields = object.fields.iter().map(|field| &field.node);
                let fields = fields.map(|field| (field.name.node.clone(), field.ty.node.clone())).collect();
                objects.insert(defined.node.name.node.clone(), fields);
            }
        }
        Self(objects)
    }

    /// Whether a value surely is of a type: of numbers with a fraction, enumerations and scalars of our own nothing is said.
    pub(super) fn fits(&self, value: &Value, expected: &Type) -> bool {
        match (&expected.base, value) {
            (_, Value::Null) => expected.nullable,
            (BaseType::List(expected), Value::List(values)) => {
                values.iter().all(|value| self.fits(value, expected))
            }
            (BaseType::Named(name), value) => match (name.as_str(), value) {
                ("String" | "ID", Value::String(_)) | ("Boolean", Value::Boolean(_)) => true,
                ("Int", Value::Number(number)) => {
                    number.as_i64().is_some_and(|number| i32::try_from(number).is_ok())
                }
                (name, Value::Object(values)) => self.0.get(name).is_some_and(|fields| {
                    values.keys().all(|name| fields.contains_key(name))
                        && fields.iter().all(|(name, expected)| {
                            values.get(name).map_or(expected.nullable, |value| self.fits(value, expected))
                        })
                }),
                _ => false,
            },
            (BaseType::List(_), _) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::Value;
    use serde_json::json;

    use super::*;

    const SDL: &str = "enum Colour { RED }
        scalar Instant
        input Inner { text: String!, number: Int }
        input Outer { inner: Inner!, list: [Inner!], flag: Boolean, id: ID, colour: Colour, at: Instant, ratio: Float }
        input Either @oneOf { one: String, other: String }";

    fn fits(value: serde_json::Value, expected: &str) -> bool {
        InputTypes::of(SDL).fits(&Value::from_json(value).unwrap(), &Type::new(expected).unwrap())
    }

    #[test]
    fn what_is_of_its_type_fits() {
        for (value, expected) in [
            (json!("text"), "String!"),
            (json!("1"), "ID"),
            (json!(null), "String"),
            (json!(true), "Boolean!"),
            (json!(i32::MIN), "Int!"),
            (json!(["a", null]), "[String]!"),
            (json!({"text": "a"}), "Inner!"),
            (json!({"text": "a", "number": null}), "Inner"),
            (json!({"inner": {"text": "a"}, "list": [{"text": "b", "number": 1}], "flag": false}), "Outer!"),
        ] {
            assert!(fits(value.clone(), expected), "{value} {expected}");
        }
    }

    #[test]
    fn of_everything_else_nothing_is_said() {
        for (value, expected) in [
            (json!(null), "String!"),
            (json!(1), "String"),
            (json!(1), "ID"),
            (json!("true"), "Boolean"),
            (json!(i64::from(i32::MAX) + 1), "Int"),
            (json!(1.5), "Int"),
            (json!(1.5), "Float"),
            (json!("a"), "[String]"),
            (json!(["a", null]), "[String!]"),
            (json!({"number": 1}), "Inner"),
            (json!({"text": null}), "Inner"),
            (json!({"text": "a", "more": 1}), "Inner"),
            (json!({"inner": {"text": 1}}), "Outer"),
            (json!({"inner": {"text": "a"}, "list": [null]}), "Outer"),
            (json!({"inner": {"text": "a"}, "colour": "RED"}), "Outer"),
            (json!({"inner": {"text": "a"}, "at": "now"}), "Outer"),
            (json!({"one": "a"}), "Either"),
            (json!({"text": "a"}), "Nowhere"),
        ] {
            assert!(!fits(value.clone(), expected), "{value} {expected}");
        }
    }
}

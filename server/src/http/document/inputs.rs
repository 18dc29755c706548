//! Checks what variables hold against their types (specification, section 6.1.2, `CoerceVariableValues`).
//!
//! async-graphql looks at some of them while it validates and at the others only when a resolver reads its arguments: by
//! then, fields before it have run. The invariant: an operation whose variables pass here fails at none of them later.

use std::collections::{HashMap, HashSet};

use async_graphql::{
    Name, Positioned, Value,
    indexmap::IndexMap,
    parser::{
        parse_schema,
        types::{
            BaseType, FieldDefinition, InputValueDefinition, OperationType, ServiceDocument, Type, TypeKind,
            TypeSystemDefinition,
        },
    },
};

/// What a schema takes as input: its enums and input objects, and the arguments of fields and directives.
#[derive(Debug, Default)]
pub struct InputTypes {
    types: HashMap<Name, InputType>,
    fields: HashMap<Name, HashMap<Name, KnownField>>,
    directives: HashMap<Name, Arguments>,
    roots: [Option<Name>; 3],
}

#[derive(Debug)]
enum InputType {
    Enum(HashSet<Name>),
    Object(Arguments),
}

/// The arguments of a field or directive, or the fields of an input object, in the schema's order.
pub(super) type Arguments = IndexMap<Name, Argument>;

#[derive(Debug)]
pub(super) struct Argument {
    pub(super) expected: Type,
    pub(super) has_default: bool,
}

/// A field of an object or interface.
#[derive(Debug)]
pub(super) struct KnownField {
    pub(super) arguments: Arguments,
    /// The type of its value, or of what its lists hold.
    pub(super) output: Name,
}

impl Argument {
    /// Checks that no value has to be there.
    pub(super) fn check_absent(&self) -> Result<(), Mismatch> {
        if self.expected.nullable || self.has_default {
            Ok(())
        } else {
            Err(Mismatch::new(format!("a value of type {} is missing", self.expected)))
        }
    }
}

/// Where in a variable a value is wrong, and how. Never the value: it may be a secret.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mismatch {
    /// From the variable inwards: `.list[2].email`.
    pub(super) place: String,
    pub(super) problem: String,
}

impl Mismatch {
    pub(super) fn new(problem: impl Into<String>) -> Self {
        Self { place: String::new(), problem: problem.into() }
    }

    pub(super) fn inside(self, segment: &str) -> Self {
        Self { place: format!("{segment}{}", self.place), ..self }
    }
}

impl InputTypes {
    /// Reads a schema in GraphQL's schema definition language. One that cannot be read has no types.
    #[must_use]
    pub fn of(sdl: &str) -> Self {
        parse_schema(sdl).map(|schema| Self::of_schema(&schema)).unwrap_or_default()
    }

    fn of_schema(schema: &ServiceDocument) -> Self {
        let mut found =
            Self { roots: ["Query", "Mutation", "Subscription"].map(Name::new).map(Some), ..Self::default() };
        // The built-in ones are not defined in every schema.
        for name in ["skip", "include"] {
            let needed = Argument {
                expected: Type { base: BaseType::Named(Name::new("Boolean")), nullable: false },
                has_default: false,
            };
            found.directives.insert(Name::new(name), Arguments::from_iter([(Name::new("if"), needed)]));
        }
        for definition in &schema.definitions {
            match definition {
                TypeSystemDefinition::Schema(schema) => {
                    let schema = &schema.node;
                    found.roots = [&schema.query, &schema.mutation, &schema.subscription]
                        .map(|root| root.as_ref().map(|name| name.node.clone()));
                }
                TypeSystemDefinition::Directive(directive) => {
                    let directive = &directive.node;
                    found.directives.insert(directive.name.node.clone(), arguments(&directive.arguments));
                }
                TypeSystemDefinition::Type(defined) => {
                    let has_directives = !defined.node.directives.is_empty();
                    found.add(defined.node.name.node.clone(), &defined.node.kind, has_directives);
                }
            }
        }
        found
    }

    fn add(&mut self, name: Name, kind: &TypeKind, has_directives: bool) {
        match kind {
            TypeKind::Enum(values) => {
                let names = values.values.iter().map(|value| value.node.value.node.clone());
                self.types.insert(name, InputType::Enum(names.collect()));
            }
            // `@oneOf` has rules of its own.
            TypeKind::InputObject(object) if !has_directives => {
                self.types.insert(name, InputType::Object(arguments(&object.fields)));
            }
            TypeKind::Object(object) => drop(self.fields.insert(name, fields(&object.fields))),
            TypeKind::Interface(interface) => drop(self.fields.insert(name, fields(&interface.fields))),
            TypeKind::InputObject(_) | TypeKind::Scalar | TypeKind::Union(_) => {}
        }
    }

    /// The type at the root of an operation.
    pub(super) fn root(&self, operation: OperationType) -> Option<&Name> {
        let [query, mutation, subscription] = &self.roots;
        match operation {
            OperationType::Query => query.as_ref(),
            OperationType::Mutation => mutation.as_ref(),
            OperationType::Subscription => subscription.as_ref(),
        }
    }

    pub(super) fn field(&self, parent: &Name, field: &Name) -> Option<&KnownField> {
        self.fields.get(parent)?.get(field)
    }

    pub(super) fn directive(&self, name: &Name) -> Option<&Arguments> {
        self.directives.get(name)
    }

    /// The fields of an input object.
    pub(super) fn object(&self, name: &Name) -> Option<&Arguments> {
        match self.types.get(name)? {
            InputType::Object(fields) => Some(fields),
            InputType::Enum(_) => None,
        }
    }

    /// Checks a value that is there against a type, as far as the schema's language says. async-graphql checks the rules of
    /// each scalar, and refuses a type that the schema does not have.
    pub(super) fn check(&self, value: &Value, expected: &Type) -> Result<(), Mismatch> {
        match (&expected.base, value) {
            (_, Value::Null) if expected.nullable => Ok(()),
            (_, Value::Null) => Err(Mismatch::new(format!("null is not of type {expected}"))),
            (BaseType::List(item), Value::List(values)) => {
                values.iter().enumerate().try_for_each(|(index, value)| {
                    self.check(value, item).map_err(|mismatch| mismatch.inside(&format!("[{index}]")))
                })
            }
            // One value stands for a list of it. async-graphql knows that as well.
            (BaseType::List(item), value) => self.check(value, item),
            (BaseType::Named(name), value) => self.check_named(value, name),
        }
    }

    fn check_named(&self, value: &Value, name: &Name) -> Result<(), Mismatch> {
        let fits = match (name.as_str(), value) {
            ("String" | "ID", Value::String(_))
            | ("Boolean", Value::Boolean(_))
            | ("Float", Value::Number(_)) => true,
            ("Int", Value::Number(number)) => {
                number.as_i64().is_some_and(|number| i32::try_from(number).is_ok())
            }
            ("ID", Value::Number(number)) => !number.is_f64(),
            ("String" | "ID" | "Boolean" | "Int" | "Float", _) => false,
            (other, value) => match (self.types.get(other), value) {
                (None, _) => true,
                (Some(InputType::Enum(names)), Value::String(value)) => names.contains(value.as_str()),
                // Of a literal.
                (Some(InputType::Enum(names)), Value::Enum(value)) => names.contains(value),
                (Some(InputType::Object(fields)), Value::Object(values)) => {
                    return self.check_object(values, fields, name);
                }
                (Some(_), _) => false,
            },
        };
        if fits { Ok(()) } else { Err(Mismatch::new(format!("a value is not of type {name}"))) }
    }

    fn check_object(
        &self,
        values: &IndexMap<Name, Value>,
        fields: &Arguments,
        type_name: &Name,
    ) -> Result<(), Mismatch> {
        if let Some(unknown) = values.keys().find(|name| !fields.contains_key(*name)) {
            return Err(Mismatch::new(format!("{type_name} has no field {unknown}")));
        }
        fields.iter().try_for_each(|(name, field)| {
            let checked = match values.get(name) {
                Some(value) => self.check(value, &field.expected),
                None => field.check_absent(),
            };
            checked.map_err(|mismatch| mismatch.inside(&format!(".{name}")))
        })
    }
}

fn arguments(defined: &[Positioned<InputValueDefinition>]) -> Arguments {
    let argument = |argument: &Positioned<InputValueDefinition>| {
        let InputValueDefinition { name, ty, default_value, .. } = &argument.node;
        (name.node.clone(), Argument { expected: ty.node.clone(), has_default: default_value.is_some() })
    };
    defined.iter().map(argument).collect()
}

fn fields(defined: &[Positioned<FieldDefinition>]) -> HashMap<Name, KnownField> {
    let field = |field: &Positioned<FieldDefinition>| {
        let FieldDefinition { name, arguments: taken, ty, .. } = &field.node;
        (name.node.clone(), KnownField { arguments: arguments(taken), output: innermost(&ty.node).clone() })
    };
    defined.iter().map(field).collect()
}

fn innermost(outer: &Type) -> &Name {
    match &outer.base {
        BaseType::Named(name) => name,
        BaseType::List(item) => innermost(item),
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::Value;
    use serde_json::json;

    use super::*;

    const SDL: &str = "enum Colour { RED }
        scalar Instant
        input Inner { text: String!, number: Int, filled: Int! = 1 }
        input Outer { inner: Inner!, list: [Inner!], flag: Boolean, id: ID, colour: Colour, at: Instant, ratio: Float }
        input Either @oneOf { one: String, other: String }";

    fn check(value: serde_json::Value, expected: &str) -> Result<(), String> {
        let checked =
            InputTypes::of(SDL).check(&Value::from_json(value).unwrap(), &Type::new(expected).unwrap());
        checked.map_err(|mismatch| format!("{}: {}", mismatch.place, mismatch.problem))
    }

    #[test]
    fn values_of_their_type_pass() {
        for (value, expected) in [
            (json!("text"), "String!"),
            (json!("1"), "ID"),
            (json!(null), "String"),
            (json!(true), "Boolean!"),
            (json!(i32::MIN), "Int!"),
            (json!(["a", null]), "[String]!"),
            (json!({"text": "a", "filled": 1}), "Inner!"),
            (json!({"text": "a", "number": null, "filled": 1}), "Inner"),
            (
                json!({"inner": {"text": "a", "filled": 1}, "list": [{"text": "b", "number": 1, "filled": 2}]}),
                "Outer!",
            ),
        ] {
            assert_eq!(check(value.clone(), expected), Ok(()), "{value} {expected}");
        }
    }

    #[test]
    fn values_with_rules_of_their_own_are_left_to_async_graphql() {
        for (value, expected) in [
            (json!(1), "ID"),
            (json!(1.5), "Float"),
            (json!(1), "Float"),
            (json!("a"), "[String]"),
            (json!({"text": "a"}), "Inner"),
            (json!({"inner": {"text": "a"}, "colour": "RED"}), "Outer"),
            (json!({"inner": {"text": "a"}, "at": "now"}), "Outer"),
            (json!({"one": "a"}), "Either"),
            (json!({"text": "a"}), "Nowhere"),
        ] {
            assert_eq!(check(value.clone(), expected), Ok(()), "{value} {expected}");
        }
    }

    #[test]
    fn values_of_another_type_are_named_by_their_place_and_not_repeated() {
        for (value, expected, said) in [
            (json!(null), "String!", ": null is not of type String!"),
            (json!(17), "String", ": a value is not of type String"),
            (json!(1.5), "ID", ": a value is not of type ID"),
            (json!("true"), "Boolean", ": a value is not of type Boolean"),
            (json!(i64::from(i32::MAX) + 1), "Int", ": a value is not of type Int"),
            (json!(1.5), "Int", ": a value is not of type Int"),
            (json!("1.5"), "Float", ": a value is not of type Float"),
            (json!(["a", null]), "[String!]", "[1]: null is not of type String!"),
            (json!([["a"]]), "[String]", "[0]: a value is not of type String"),
            (json!({"number": 1}), "Inner", ".text: a value of type String! is missing"),
            (json!({"text": null}), "Inner", ".text: null is not of type String!"),
            (json!({"text": "a", "filled": null}), "Inner", ".filled: null is not of type Int!"),
            (json!({"text": "a", "more": 1}), "Inner", ": Inner has no field more"),
            (json!("text"), "Inner", ": a value is not of type Inner"),
            (json!({"inner": {"text": 1}}), "Outer", ".inner.text: a value is not of type String"),
            (
                json!({"inner": {"text": "a"}, "list": [{"text": "a"}, null]}),
                "Outer",
                ".list[1]: null is not of type Inner!",
            ),
            (
                json!({"inner": {"text": "a"}, "colour": "planted"}),
                "Outer",
                ".colour: a value is not of type Colour",
            ),
            (json!({"inner": {"text": "a"}, "colour": 1}), "Outer", ".colour: a value is not of type Colour"),
        ] {
            assert_eq!(check(value.clone(), expected), Err(said.to_owned()), "{value} {expected}");
        }
    }
}

//! Finds where an operation uses its variables, and checks the literals around them.
//!
//! async-graphql 7.2 has a rule for each, and both have a gap. `VariableInAllowedPosition` never runs, since the visitor that
//! joins the rules does not forward input values to them. `ArgumentsOfCorrectType` skips a whole argument where one of its
//! variables has no value. What they miss fails while the operation runs, after other fields. The invariant: an operation
//! that passes here and by async-graphql's rules has no argument that fails later.

use std::collections::HashMap;

use async_graphql::{
    Name, Pos, Positioned, ServerError,
    parser::types::{
        BaseType, Directive, Field, FragmentDefinition, OperationDefinition, Selection, SelectionSet, Type,
    },
};
use async_graphql_value::Value;

use super::{
    inputs::{Arguments, InputTypes, Mismatch},
    refusal_of_argument,
};

/// A place that takes the value of a variable.
#[derive(Debug)]
pub(super) struct Usage {
    pub(super) variable: Name,
    pub(super) expected: Type,
    /// Whether the place has a default of its own.
    pub(super) has_default: bool,
    pub(super) used_at: Pos,
}

/// Finds all usages of variables in an operation. Of a document that has been measured: its fragments end.
pub(super) fn usages(
    operation: &OperationDefinition,
    fragments: &HashMap<Name, Positioned<FragmentDefinition>>,
    inputs: &InputTypes,
) -> Result<Vec<Usage>, ServerError> {
    let mut search = Search { inputs, usages: Vec::new() };
    search.directives(&operation.directives)?;
    let mut sets: Vec<(&SelectionSet, Option<&Name>)> =
        vec![(&operation.selection_set.node, inputs.root(operation.ty))];
    while let Some((set, parent)) = sets.pop() {
        for selection in &set.items {
            match &selection.node {
                Selection::Field(field) => {
                    let field = &field.node;
                    let known = parent.and_then(|parent| inputs.field(parent, &field.name.node));
                    search.directives(&field.directives)?;
                    search.field(field, known.map(|known| &known.arguments))?;
                    sets.push((&field.selection_set.node, known.map(|known| &known.output)));
                }
                Selection::InlineFragment(fragment) => {
                    let fragment = &fragment.node;
                    search.directives(&fragment.directives)?;
                    let on = fragment.type_condition.as_ref().map(|condition| &condition.node.on.node);
                    sets.push((&fragment.selection_set.node, on.or(parent)));
                }
                Selection::FragmentSpread(spread) => {
                    search.directives(&spread.node.directives)?;
                    // A spread of a fragment that is not there: validation names it.
                    if let Some(fragment) = fragments.get(&spread.node.fragment_name.node) {
                        let on = &fragment.node.type_condition.node.on.node;
                        sets.push((&fragment.node.selection_set.node, Some(on)));
                    }
                }
            }
        }
    }
    Ok(search.usages)
}

struct Search<'a> {
    inputs: &'a InputTypes,
    usages: Vec<Usage>,
}

impl Search<'_> {
    /// `arguments`: `None` where the schema does not have the field, which validation says.
    fn field(&mut self, field: &Field, arguments: Option<&Arguments>) -> Result<(), ServerError> {
        let Some(arguments) = arguments else { return Ok(()) };
        self.arguments(&field.arguments, arguments)
    }

    fn directives(&mut self, directives: &[Positioned<Directive>]) -> Result<(), ServerError> {
        for directive in directives {
            if let Some(arguments) = self.inputs.directive(&directive.node.name.node) {
                self.arguments(&directive.node.arguments, arguments)?;
            }
        }
        Ok(())
    }

    fn arguments(
        &mut self,
        given: &[(Positioned<Name>, Positioned<Value>)],
        arguments: &Arguments,
    ) -> Result<(), ServerError> {
        for (name, value) in given {
            // async-graphql checks the others.
            if !has_variable(&value.node) {
                continue;
            }
            let Some(argument) = arguments.get(&name.node) else { continue };
            let place =
                Place { expected: &argument.expected, has_default: argument.has_default, at: value.pos };
            self.value(&value.node, place)
                .map_err(|mismatch| refusal_of_argument(&name.node, value.pos, &mismatch))?;
        }
        Ok(())
    }

    fn value(&mut self, value: &Value, place: Place<'_>) -> Result<(), Mismatch> {
        let Place { expected, has_default, at } = place;
        match (value, &expected.base) {
            (Value::Variable(variable), _) => {
                let variable = variable.clone();
                self.usages.push(Usage { variable, expected: expected.clone(), has_default, used_at: at });
                Ok(())
            }
            (Value::List(values), BaseType::List(item)) => {
                values.iter().enumerate().try_for_each(|(index, value)| {
                    let place = Place { expected: item, has_default: false, at };
                    self.value(value, place).map_err(|mismatch| mismatch.inside(&format!("[{index}]")))
                })
            }
            (Value::Object(values), BaseType::Named(name)) => {
                let Some(fields) = self.inputs.object(name) else { return Ok(()) };
                if let Some(unknown) = values.keys().find(|name| !fields.contains_key(*name)) {
                    return Err(Mismatch::new(format!("{name} has no field {unknown}")));
                }
                for (name, field) in fields {
                    let checked = match values.get(name) {
                        Some(value) => {
                            let (expected, has_default) = (&field.expected, field.has_default);
                            self.value(value, Place { expected, has_default, at })
                        }
                        None => field.check_absent(),
                    };
                    checked.map_err(|mismatch| mismatch.inside(&format!(".{name}")))?;
                }
                Ok(())
            }
            // One value stands for a list of it.
            (value, BaseType::List(item)) if has_variable(value) => {
                self.value(value, Place { expected: item, has_default: false, at })
            }
            (value, _) => match value.clone().into_const() {
                Some(value) => self.inputs.check(&value, expected),
                // A list with a variable in it, where none is taken.
                None => Err(Mismatch::new(format!("a value is not of type {expected}"))),
            },
        }
    }
}

#[derive(Clone, Copy)]
struct Place<'a> {
    expected: &'a Type,
    has_default: bool,
    at: Pos,
}

fn has_variable(value: &Value) -> bool {
    match value {
        Value::Variable(_) => true,
        Value::List(values) => values.iter().any(has_variable),
        Value::Object(values) => values.values().any(has_variable),
        _ => false,
    }
}

/// Whether every value of one type is one of another (specification, section 5.8.5, `AreTypesCompatible`).
fn is_part_of(variable: &Type, expected: &Type) -> bool {
    (expected.nullable || !variable.nullable)
        && match (&variable.base, &expected.base) {
            (BaseType::List(variable), BaseType::List(expected)) => is_part_of(variable, expected),
            (BaseType::Named(variable), BaseType::Named(expected)) => variable == expected,
            _ => false,
        }
}

impl Usage {
    /// Whether a variable of a type may stand here (`IsVariableUsageAllowed`). A null that was sent replaces every default.
    pub(super) fn allows(&self, variable: &Type, has_default: bool, is_null: bool) -> bool {
        let may_be_null = variable.nullable && (is_null || !(has_default || self.has_default));
        if may_be_null {
            is_part_of(variable, &self.expected)
        } else {
            is_part_of(&Type { base: variable.base.clone(), nullable: false }, &self.expected)
        }
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::{
        Pos,
        parser::{
            parse_query,
            types::{DocumentOperations, Type},
        },
    };

    use super::{InputTypes, Usage, usages};

    const SDL: &str = "enum Colour { RED }
        input Inner { text: String!, number: Int, filled: Int! = 1 }
        type Query { a(inner: Inner, list: [String!], colour: Colour, needed: Int!): Query }
        directive @only(if: Boolean!) on FIELD";

    /// Each variable with the type that its place takes, or what is wrong.
    fn found(query: &str) -> Result<Vec<String>, String> {
        let document = parse_query(query).unwrap();
        let DocumentOperations::Single(operation) = &document.operations else { panic!("several") };
        let found = usages(&operation.node, &document.fragments, &InputTypes::of(SDL));
        let found = found.map_err(|error| error.message)?;
        let mut found: Vec<_> =
            found.iter().map(|usage| format!("{}: {}", usage.variable, usage.expected)).collect();
        found.sort();
        Ok(found)
    }

    #[test]
    fn variables_are_found_in_every_place_that_takes_one() {
        let query = "query($a: Int) { a(needed: $a, list: [$b], inner: {text: $c, filled: $d}) { ...f ... on Query { a(colour: $e) } }
            b: a @skip(if: $g) @only(if: $h) }
            fragment f on Query { a(list: $i) a(list: $i) { a(inner: $j, needed: 1) } }";
        let expected = [
            "a: Int!",
            "b: String!",
            "c: String!",
            "d: Int!",
            "e: Colour",
            "g: Boolean!",
            "h: Boolean!",
            "i: [String!]",
            "i: [String!]",
            "j: Inner",
        ];
        assert_eq!(found(query).unwrap(), expected);
    }

    #[test]
    fn literals_beside_a_variable_are_checked() {
        for (argument, problem) in [
            ("inner: {text: 1, number: $a}", "inner.text: a value is not of type String"),
            ("inner: {number: $a}", "inner.text: a value of type String! is missing"),
            ("inner: {text: null, number: $a}", "inner.text: null is not of type String!"),
            ("inner: {text: \"\", number: $a, more: 1}", "inner: Inner has no field more"),
            ("list: [$a, null]", "list[1]: null is not of type String!"),
            ("list: [$a, RED]", "list[1]: a value is not of type String"),
            ("colour: [$a]", "colour: a value is not of type Colour"),
        ] {
            let said = found(&format!("{{ a({argument}) }}")).unwrap_err();
            assert_eq!(said, format!("Argument {problem}."), "{argument}");
        }
        // What async-graphql checks by itself, and what the schema does not have.
        for query in ["{ a(list: [1]) }", "{ a(nowhere: $a) }", "{ nowhere(a: $a) { a(list: $a) } }"] {
            assert_eq!(found(query), Ok(Vec::new()), "{query}");
        }
    }

    #[test]
    fn a_variable_stands_where_all_its_values_fit() {
        let allows = |variable: &str, expected: &str, has_default: bool, is_null: bool| {
            let expected = Type::new(expected).unwrap();
            let used_at = Pos::default();
            let usage =
                Usage { variable: async_graphql::Name::new("a"), expected, has_default: false, used_at };
            usage.allows(&Type::new(variable).unwrap(), has_default, is_null)
        };
        for (variable, expected) in
            [("Int", "Int"), ("Int!", "Int"), ("Int!", "Int!"), ("[Int!]", "[Int]"), ("[Int!]!", "[Int!]")]
        {
            assert!(allows(variable, expected, false, false), "{variable} {expected}");
        }
        for (variable, expected) in
            [("Int", "Int!"), ("Int", "String"), ("[Int]", "[Int!]"), ("Int", "[Int]"), ("[Int]", "Int")]
        {
            assert!(!allows(variable, expected, false, false), "{variable} {expected}");
        }
        assert!(allows("Int", "Int!", true, false) && !allows("Int", "Int!", true, true));
        assert!(!allows("[Int]", "[Int!]", true, false));
    }
}

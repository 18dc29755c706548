//! Estimates how many bytes of memory parsed documents and variables take.
//!
//! A message of 64 KiB can become megabytes: each of 32,000 small numbers in a list is a value of its own. What sockets keep is
//! limited by these estimates. The invariant: an estimate counts each node of the tree at its real size, so it is never far
//! below what the allocator gives; the depth of a tree was checked before, so recursion is safe.

use std::convert::Infallible;

use async_graphql::{
    Name, Positioned, Value, Variables,
    parser::types::{Directive, ExecutableDocument, Field, OperationDefinition, Selection, SelectionSet},
};

/// What the allocator and the counters of a shared name take beside its letters.
const NAME_OVERHEAD: usize = 32;
/// What an entry of a map takes beside its key and value.
const ENTRY_OVERHEAD: usize = 32;

/// How many bytes a copy of a document takes.
pub(super) fn of_document(document: &ExecutableDocument) -> usize {
    let operations = document.operations.iter().map(|(_, operation)| {
        size_of::<(Name, Positioned<OperationDefinition>)>() + of_operation(&operation.node)
    });
    let fragments = document.fragments.iter().map(|(name, fragment)| {
        size_of_val(&(name, fragment))
            + size_of_val(fragment)
            + of_name(name)
            + of_directives(&fragment.node.directives)
            + of_selection_set(&fragment.node.selection_set.node)
    });
    operations.chain(fragments).sum()
}

fn of_operation(operation: &OperationDefinition) -> usize {
    let variables = operation.variable_definitions.iter().map(|variable| {
        of_name(&variable.node.name.node)
            + of_name(&Name::new(variable.node.var_type.node.to_string()))
            + of_directives(&variable.node.directives)
            + variable.node.default_value.as_ref().map_or(0, |value| of_value(&value.node))
    });
    room(&operation.variable_definitions)
        + variables.sum::<usize>()
        + of_directives(&operation.directives)
        + of_selection_set(&operation.selection_set.node)
}

fn of_selection_set(set: &SelectionSet) -> usize {
    let inside = set.items.iter().map(|selection| match &selection.node {
        Selection::Field(field) => of_field(&field.node),
        Selection::FragmentSpread(spread) => {
            of_name(&spread.node.fragment_name.node) + of_directives(&spread.node.directives)
        }
        Selection::InlineFragment(fragment) => {
            fragment.node.type_condition.as_ref().map_or(0, |condition| of_name(&condition.node.on.node))
                + of_directives(&fragment.node.directives)
                + of_selection_set(&fragment.node.selection_set.node)
        }
    });
    room(&set.items) + inside.sum::<usize>()
}

fn of_field(field: &Field) -> usize {
    let arguments = field.arguments.iter().map(|argument| {
        let value = argument.1.node.clone().into_const_with(unknown);
        of_name(&argument.0.node) + value.map_or(0, |value| of_value(&value))
    });
    room(&field.arguments)
        + of_name(&field.name.node)
        + field.alias.as_ref().map_or(0, |alias| of_name(&alias.node))
        + arguments.sum::<usize>()
        + of_directives(&field.directives)
        + of_selection_set(&field.selection_set.node)
}

fn of_directives(directives: &Vec<Positioned<Directive>>) -> usize {
    let inside = directives.iter().map(|directive| {
        let arguments = directive.node.arguments.iter().map(|argument| {
            let value = argument.1.node.clone().into_const_with(unknown);
            of_name(&argument.0.node) + value.map_or(0, |value| of_value(&value))
        });
        room(&directive.node.arguments) + of_name(&directive.node.name.node) + arguments.sum::<usize>()
    });
    room(directives) + inside.sum::<usize>()
}

/// What a list takes itself, with its places that are still empty.
fn room<Item>(items: &Vec<Item>) -> usize {
    items.capacity() * size_of::<Item>()
}

/// A variable inside a value: its name is counted where it is declared.
#[expect(clippy::unnecessary_wraps, reason = "the form in which the parser takes it")]
fn unknown(_name: Name) -> Result<Value, Infallible> {
    Ok(Value::Null)
}

fn of_name(name: &Name) -> usize {
    NAME_OVERHEAD + name.len()
}

/// How many bytes the values of an operation's variables take.
pub(in crate::http) fn of_variables(variables: &Variables) -> usize {
    // The nodes of the tree that holds them are half empty at worst.
    const ENTRY: usize = 2 * size_of::<(Name, Value)>();
    variables.iter().map(|(name, value)| ENTRY + of_name(name) + of_value(value)).sum()
}

fn of_value(value: &Value) -> usize {
    match value {
        Value::String(text) => text.capacity(),
        Value::Binary(bytes) => bytes.len(),
        Value::Enum(name) => of_name(name),
        Value::List(values) => room(values) + values.iter().map(of_value).sum::<usize>(),
        Value::Object(values) => {
            values.capacity() * (size_of::<(Name, Value)>() + ENTRY_OVERHEAD)
                + values.iter().map(|(name, value)| of_name(name) + of_value(value)).sum::<usize>()
        }
        Value::Null | Value::Number(_) | Value::Boolean(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use allocation_counter::measure;
    use async_graphql::{Variables, parser::parse_query};
    use serde_json::json;
    use throwaway::report;

    use super::{of_document, of_variables};

    fn numbered(count: usize, one: impl Fn(usize) -> String) -> String {
        (0..count).map(one).collect::<Vec<_>>().concat()
    }

    /// Checks an estimate against what the allocator gave.
    fn assert_near(name: &str, estimate: usize, allocated: i64) {
        let (estimate, allocated) = (i64::try_from(estimate).unwrap(), allocated.max(0));
        report(&format!("{name}: {estimate} bytes estimated, {allocated} allocated"));
        assert!(estimate * 10 >= allocated * 9, "{name}: {estimate} bytes estimated, {allocated} allocated");
        assert!(
            estimate <= allocated * 3 + 1_024,
            "{name}: {estimate} bytes estimated, {allocated} allocated"
        );
    }

    #[test]
    fn the_estimate_of_a_document_is_what_a_copy_of_it_takes() {
        let documents = [
            ("fields", format!("{{ {} }}", numbered(900, |number| format!("f{number} ")))),
            ("aliases", format!("{{ {} }}", numbered(50, |number| format!("a{number}: me {{ id }} ")))),
            ("values", format!("{{ a(b: [{}]) }}", "1 ".repeat(1_900))),
            ("objects", format!("{{ a(b: [{}]) }}", "{c: 1} ".repeat(400))),
            ("directives", format!("{{ a {} }}", "@skip(if: false) ".repeat(50))),
            (
                "operations",
                numbered(150, |number| format!("query q{number}($v: T{number} = 1) {{ a(b: $v) }} ")),
            ),
            (
                "fragments",
                numbered(150, |number| format!("fragment f{number} on Query {{ ... {{ a }} }} ")) + "{ a }",
            ),
            ("a long text", format!("{{ a(b: \"{}\") }}", "x".repeat(60_000))),
        ];
        for (name, text) in documents {
            let mut estimate = 0;
            let allocated = measure(|| {
                let document = parse_query(&text).unwrap();
                estimate = of_document(&document);
                std::mem::forget(document);
            });
            assert_near(name, estimate, allocated.bytes_current);
        }
    }

    #[test]
    fn the_estimate_of_variables_is_what_they_take() {
        for (name, values) in [
            ("numbers", json!({"a": vec![1; 30_000]})),
            ("empty texts", json!({"a": vec![""; 20_000]})),
            ("lists", json!({"a": vec![json!([]); 20_000]})),
            ("objects", json!({"a": vec![json!({"b": 1}); 5_000]})),
            ("a text", json!({"a": "x".repeat(60_000)})),
            ("many", (0..3_000).map(|number| (format!("v{number}"), json!(1))).collect()),
        ] {
            let text = values.to_string();
            let mut estimate = 0;
            let allocated = measure(|| {
                let variables: Variables = serde_json::from_str(&text).unwrap();
                estimate = of_variables(&variables);
                std::mem::forget(variables);
            });
            assert_near(name, estimate, allocated.bytes_current);
        }
    }
}

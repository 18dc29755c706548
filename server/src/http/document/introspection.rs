//! What asking for the schema may cost: types have fields, which have types, which have fields.
//!
//! A document of few selections can ask for lists in lists without end. The same rule as graphql-js has
//! (`MaxIntrospectionDepthRule`), and one more: the whole schema is told once a document.

use std::collections::HashMap;

use async_graphql::{
    Name, Positioned,
    parser::types::{FragmentDefinition, OperationDefinition, Selection, SelectionSet},
};

/// How often lists of the schema may stand in each other. Tools ask for one.
const MAX_LISTS: usize = 2;
const LISTS: [&str; 4] = ["fields", "inputFields", "interfaces", "possibleTypes"];

/// Whether what an operation asks of the schema is too much. Of a document that has been measured.
pub(in crate::http) fn asks_too_much(
    operation: &OperationDefinition,
    fragments: &HashMap<Name, Positioned<FragmentDefinition>>,
) -> bool {
    let mut schemas = 0;
    // Each set, and how many lists it stands in; `None` outside of the schema.
    let mut sets: Vec<(&SelectionSet, Option<usize>)> = vec![(&operation.selection_set.node, None)];
    while let Some((set, lists)) = sets.pop() {
        for selection in &set.items {
            match &selection.node {
                Selection::Field(field) => {
                    let name = field.node.name.node.as_str();
                    let inside = match (name, lists) {
                        ("__schema" | "__type", None) => Some(0),
                        (_, Some(lists)) => Some(lists + usize::from(LISTS.contains(&name))),
                        (_, None) => None,
                    };
                    schemas += usize::from(name == "__schema");
                    if schemas > 1 || inside.is_some_and(|lists| lists > MAX_LISTS) {
                        return true;
                    }
                    sets.push((&field.node.selection_set.node, inside));
                }
                Selection::InlineFragment(fragment) => sets.push((&fragment.node.selection_set.node, lists)),
                Selection::FragmentSpread(spread) => {
                    let fragment = fragments.get(&spread.node.fragment_name.node);
                    sets.extend(fragment.map(|fragment| (&fragment.node.selection_set.node, lists)));
                }
            }
        }
    }
    false
}

//! What an operation asks for at its root, fragments expanded.

use std::collections::HashMap;

use async_graphql::{
    Name, Positioned,
    parser::types::{FragmentDefinition, OperationDefinition, Selection, SelectionSet},
};

/// The names of the fields at the root of an operation, each as often as it stands there, whatever its alias and its
/// directives. Of a document that has been measured: its fragments end, and expand to no more than the limits allow.
pub(in crate::http) fn root_fields<'a>(
    operation: &'a OperationDefinition,
    fragments: &'a HashMap<Name, Positioned<FragmentDefinition>>,
) -> Vec<&'a str> {
    let mut fields = Vec::new();
    let mut sets = vec![&operation.selection_set.node];
    while let Some(SelectionSet { items }) = sets.pop() {
        for selection in items {
            match &selection.node {
                Selection::Field(field) => fields.push(field.node.name.node.as_str()),
                Selection::InlineFragment(fragment) => sets.push(&fragment.node.selection_set.node),
                Selection::FragmentSpread(spread) => {
                    let fragment = fragments.get(&spread.node.fragment_name.node);
                    sets.extend(fragment.map(|fragment| &fragment.node.selection_set.node));
                }
            }
        }
    }
    fields
}

//! Measuring what a parsed document expands to, each fragment once.

use std::{collections::HashMap, ops::AddAssign};

use async_graphql::{
    Name, Positioned,
    parser::types::{ExecutableDocument, FragmentDefinition, Selection, SelectionSet},
};

use super::DocumentError;
use crate::http::settings::DocumentLimits;

/// Measures the whole document, and stops where a limit is passed.
pub(super) fn measure(document: &ExecutableDocument, limits: &DocumentLimits) -> Result<(), DocumentError> {
    let mut measuring = Measuring { fragments: &document.fragments, limits, measured: HashMap::new() };
    let mut whole = Weight::default();
    // Validation visits every operation, and every fragment by itself, used or not.
    for (_, operation) in document.operations.iter() {
        let operation = &operation.node;
        let variables = operation.variable_definitions.iter().map(|variable| variable.node.directives.len());
        whole.directives += operation.directives.len() + variables.sum::<usize>();
        whole += measuring.selections_of(&operation.selection_set.node, 0)?.weight;
    }
    for (name, fragment) in &document.fragments {
        whole.directives += fragment.node.directives.len();
        whole += measuring.fragment(name, 0)?.weight;
    }
    whole.check(limits)
}

/// What is counted as often as it would be visited.
#[derive(Clone, Copy, Default)]
struct Weight {
    selections: usize,
    aliases: usize,
    directives: usize,
}

impl Weight {
    /// Of the selection itself, without what it contains.
    fn of(selection: &Selection) -> Self {
        let (is_aliased, directives) = match selection {
            Selection::Field(field) => (field.node.alias.is_some(), field.node.directives.len()),
            Selection::InlineFragment(fragment) => (false, fragment.node.directives.len()),
            Selection::FragmentSpread(spread) => (false, spread.node.directives.len()),
        };
        Self { selections: 1, aliases: is_aliased.into(), directives }
    }

    fn check(self, limits: &DocumentLimits) -> Result<(), DocumentError> {
        if self.selections > limits.max_selections {
            Err(DocumentError::TooMuch)
        } else if self.aliases > limits.max_aliases {
            Err(DocumentError::TooManyAliases)
        } else if self.directives > limits.max_directives {
            Err(DocumentError::TooManyDirectives)
        } else {
            Ok(())
        }
    }
}

impl AddAssign for Weight {
    fn add_assign(&mut self, other: Self) {
        self.selections += other.selections;
        self.aliases += other.aliases;
        self.directives += other.directives;
    }
}

/// What a set of selections expands to.
#[derive(Clone, Copy, Default)]
struct Measure {
    weight: Weight,
    depth: usize,
}

struct Measuring<'a> {
    fragments: &'a HashMap<Name, Positioned<FragmentDefinition>>,
    limits: &'a DocumentLimits,
    /// `None` while a fragment is being measured: meeting it again is a cycle.
    measured: HashMap<&'a Name, Option<Measure>>,
}

impl<'a> Measuring<'a> {
    /// `level` is how deep `set` stands; no set past `max_depth` is entered, which bounds the recursion.
    fn selections_of(&mut self, set: &'a SelectionSet, level: usize) -> Result<Measure, DocumentError> {
        let mut whole = Measure::default();
        if set.items.is_empty() {
            return Ok(whole);
        }
        if level >= self.limits.max_depth {
            return Err(DocumentError::TooDeep);
        }
        for selection in &set.items {
            let inner = match &selection.node {
                Selection::Field(field) => self.selections_of(&field.node.selection_set.node, level + 1)?,
                Selection::InlineFragment(fragment) => {
                    self.selections_of(&fragment.node.selection_set.node, level + 1)?
                }
                Selection::FragmentSpread(spread) => {
                    self.fragment(&spread.node.fragment_name.node, level + 1)?
                }
            };
            whole.depth = whole.depth.max(inner.depth + 1);
            whole.weight += Weight::of(&selection.node);
            whole.weight += inner.weight;
            whole.weight.check(self.limits)?;
        }
        Ok(whole)
    }

    fn fragment(&mut self, name: &'a Name, level: usize) -> Result<Measure, DocumentError> {
        match self.measured.get(name) {
            Some(Some(measure)) if level + measure.depth > self.limits.max_depth => {
                Err(DocumentError::TooDeep)
            }
            Some(Some(measure)) => Ok(*measure),
            Some(None) => Err(DocumentError::Cycle),
            None => {
                let Some(fragment) = self.fragments.get(name) else {
                    // A spread of a fragment that is not there: validation names it.
                    return Ok(Measure::default());
                };
                self.measured.insert(name, None);
                let measure = self.selections_of(&fragment.node.selection_set.node, level)?;
                self.measured.insert(name, Some(measure));
                Ok(measure)
            }
        }
    }
}

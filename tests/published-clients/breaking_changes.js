// Which breaking changes lie between two schemas, by npm's `graphql`, and whether a changelog owns up to each of them and to no
// other. Reads no file. A change is named by its schema coordinate, as `Type.field(argument:)`.

'use strict';

const { buildSchema, findBreakingChanges, findDangerousChanges } = require('graphql');

// The library says what changed in a sentence only. Each kind of sentence, and the coordinate of what it speaks of.
const COORDINATES = {
  ARG_CHANGED_KIND: [/^(\w+\.\w+) arg (\w+) has changed type /, '$1($2:)'],
  ARG_REMOVED: [/^(\w+\.\w+) arg (\w+) was removed\.$/, '$1($2:)'],
  DIRECTIVE_ARG_REMOVED: [/^(\w+) was removed from (\w+)\.$/, '@$2($1:)'],
  DIRECTIVE_LOCATION_REMOVED: [/^\w+ was removed from (\w+)\.$/, '@$1'],
  DIRECTIVE_REMOVED: [/^(\w+) was removed\.$/, '@$1'],
  DIRECTIVE_REPEATABLE_REMOVED: [/^Repeatable flag was removed from (\w+)\.$/, '@$1'],
  FIELD_CHANGED_KIND: [/^(\w+\.\w+) changed type /, '$1'],
  FIELD_REMOVED: [/^(\w+\.\w+) was removed\.$/, '$1'],
  IMPLEMENTED_INTERFACE_REMOVED: [/^(\w+) no longer implements /, '$1'],
  REQUIRED_ARG_ADDED: [/^A required arg (\w+) on (\w+\.\w+) was added\.$/, '$2($1:)'],
  REQUIRED_DIRECTIVE_ARG_ADDED: [/^A required arg (\w+) on directive (\w+) was added\.$/, '@$2($1:)'],
  REQUIRED_INPUT_FIELD_ADDED: [/^A required field (\w+) on input type (\w+) was added\.$/, '$2.$1'],
  TYPE_CHANGED_KIND: [/^(\w+) changed from /, '$1'],
  TYPE_REMOVED: [/^(?:Standard scalar )?(\w+) was removed\b/, '$1'],
  TYPE_REMOVED_FROM_UNION: [/^\w+ was removed from union type (\w+)\.$/, '$1'],
  VALUE_REMOVED_FROM_ENUM: [/^(\w+) was removed from enum type (\w+)\.$/, '$2.$1'],
};

const MEMBER_OR_DIRECTIVE = /^(\w+\.\w+|@\w+)(\(\w+:\))?$/;

function coordinateOf({ type, description }) {
  const [sentence, coordinate] = COORDINATES[type] ?? [];
  const found = sentence?.exec(description);
  if (!found) {
    throw new Error(`breaking_changes.js does not know this change: ${type}: ${description}`);
  }
  return coordinate.replace(/\$(\d)/g, (_, group) => found[group]);
}

// What breaks, with coordinates, what may surprise a client that was not written with care, and the types of both schemas.
function changesBetween(older, newer) {
  const schemas = [buildSchema(older), buildSchema(newer)];
  return {
    types: new Set(schemas.flatMap((schema) => Object.keys(schema.getTypeMap()))),
    breaking: findBreakingChanges(...schemas).map((change) => ({ ...change, coordinate: coordinateOf(change) })),
    dangerous: findDangerousChanges(...schemas).map(({ description }) => description),
  };
}

// The items under "## Unreleased" that are marked **breaking**, each in one line.
function breakingItems(changelog) {
  const [, unreleased = ''] = changelog.split(/^## Unreleased\b.*$/m);
  const [section] = unreleased.split(/^## /m);
  // An item goes on in the indented lines below it.
  const items = section.replace(/\n[ \t]+(?=\S)(?![-*] )/g, ' ').split('\n').filter((line) => /^\s*[-*] /.test(line));
  return items.filter((item) => item.includes('**breaking**'));
}

// What is wrong between these changes and that changelog: a line for each thing, saying what to do.
function complaints({ breaking, types }, changelog) {
  const isCoordinate = (quoted) => types.has(quoted) || MEMBER_OR_DIRECTIVE.test(quoted);
  const coordinatesIn = (item) => [...item.matchAll(/`([^`]+)`/g)].map(([, quoted]) => quoted).filter(isCoordinate);
  const items = breakingItems(changelog);
  const named = new Set(items.flatMap(coordinatesIn));
  const broken = new Set(breaking.map(({ coordinate }) => coordinate));
  const unnamed = breaking.filter(({ coordinate }) => !named.has(coordinate)).map(
    ({ coordinate, description }) =>
      `${description} That breaks clients. Take it back, or write under "## Unreleased" of CHANGELOG.md: ` +
      `- **breaking**: \`${coordinate}\` (what it is now, and what clients do about it)`,
  );
  const stale = [...named].filter((coordinate) => !broken.has(coordinate)).map(
    (coordinate) =>
      `\`${coordinate}\` stands in a line of CHANGELOG.md marked **breaking**, and is no breaking change: ` +
      'take it out of that line, or its quotes off',
  );
  const empty = items.filter((item) => coordinatesIn(item).length === 0).map(
    (item) => `this line of CHANGELOG.md is marked **breaking** and names no coordinate, such as \`Session.token\`: ${item}`,
  );
  return [...unnamed, ...stale, ...empty];
}

module.exports = { changesBetween, complaints };

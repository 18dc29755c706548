// Compares the newest snapshot in tests/schemas with today's `schema.graphql`: CHANGELOG.md has to name every breaking change.
// First it is tried on made-up schemas, in which everything breaks. Exits with 1 and a line for each wrong thing; prints what
// is only dangerous, and `N checks passed` at the end. Needs no service.

'use strict';

const { readFileSync, readdirSync } = require('fs');
const path = require('path');
const { check, tell } = require('./check');
const { changesBetween, complaints } = require('./breaking_changes');

const ROOT = path.resolve(__dirname, '../..');
const SNAPSHOTS = path.join(ROOT, 'tests/schemas');

const OLDER = `
  interface Named { name: String }
  type Cat implements Named { name: String, lives: Int! }
  type Dog { legs: Float }
  union Pet = Cat | Dog
  enum Colour { RED, BLACK }
  input Wish { colour: Colour }
  input Dream { depth: Int }
  scalar Moment
  directive @gone on FIELD
  directive @kept(much: Int) repeatable on FIELD | QUERY
  type Query {
    pet(colour: Colour, old: Boolean): Pet
    wish(wish: Wish, dream: Dream): Moment
    fed: Boolean!
  }
`;
const NEWER = `
  interface Named { name: String }
  type Cat { name: String, lives: Int }
  type Dog { legs: Int }
  union Pet = Cat
  enum Colour { RED, WHITE }
  input Wish { colour: Colour, size: Int! }
  enum Dream { DEEP }
  directive @kept(little: Int!) on FIELD
  type Query {
    pet(colour: Colour!, name: String!): Pet
    wish(wish: Wish, dream: Dream): String
    dog: Dog
  }
`;
const BROKEN = [
  ...['@gone', '@kept', '@kept(little:)', '@kept(much:)', 'Cat', 'Cat.lives', 'Colour.BLACK', 'Dog.legs', 'Dream'],
  ...['Float', 'Moment', 'Pet', 'Query.fed', 'Query.pet(colour:)', 'Query.pet(name:)', 'Query.pet(old:)', 'Query.wish'],
  'Wish.size',
];

function tryOnMadeUpSchemas() {
  const { breaking, dangerous } = changesBetween(OLDER, NEWER);
  const found = [...new Set(breaking.map(({ coordinate }) => coordinate))].sort();
  check('every breaking change has its coordinate', found.join() === BROKEN.join(), found);
  check('a new value is dangerous only', dangerous.join() === 'WHITE was added to enum type Colour.', dangerous);
  const same = changesBetween(OLDER, OLDER);
  check('a schema does not break itself', same.breaking.length + same.dangerous.length === 0, same);
}

function tryOnMadeUpChangelogs() {
  const changes = changesBetween('type Query { a: Int!, b: Int }', 'type Query { a: Int }');
  const wrongWith = (unreleased) =>
    complaints(changes, `# Changelog\n\n## Unreleased\n\n${unreleased}\n\n## 1.0.0\n\n- **breaking**: \`Query.old\`\n`).length;
  const both = '### Changed\n\n- **breaking**: `Query.a` is null with `THIS=that` for `some`,\n  and `Query.b` is gone.\n- `Query` is read.';
  check('a changelog that names all is right', wrongWith(both) === 0);
  check('what it does not name is wrong', wrongWith('') === 2);
  check('also where a line names it without the mark', wrongWith('- `Query.a` is null, `Query.b` is gone.') === 2);
  check('also where only an older release named it', complaints(changes, '## 1.0.0\n\n- **breaking**: `Query.a`').length === 2);
  check('what no longer breaks is wrong', wrongWith(`${both}\n- **breaking**: \`Query.c\` is gone.`) === 1);
  check('what names nothing is wrong', wrongWith(`${both}\n- **breaking**: it is all different.`) === 1);
}

function newestSnapshot() {
  const numbers = readdirSync(SNAPSHOTS).map((name) => /^(\d+)\.graphql$/.exec(name)?.[1]).filter(Boolean);
  return `${Math.max(...numbers.map(Number))}.graphql`;
}

function main() {
  tryOnMadeUpSchemas();
  tryOnMadeUpChangelogs();
  const snapshot = newestSnapshot();
  const [older, newer, changelog] = [
    path.join(SNAPSHOTS, snapshot),
    path.join(ROOT, 'schema.graphql'),
    path.join(ROOT, 'CHANGELOG.md'),
  ].map((file) => readFileSync(file, 'utf8'));
  const changes = changesBetween(older, newer);
  changes.dangerous.forEach((description) => console.log(`since ${snapshot}, not breaking: ${description}`));
  const wrong = complaints(changes, changelog);
  wrong.forEach((complaint) => console.error(complaint));
  check(`CHANGELOG.md names what breaks ${snapshot}`, wrong.length === 0, `${wrong.length} complaints`);
  tell();
}

main();

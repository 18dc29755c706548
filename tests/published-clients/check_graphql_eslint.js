// Runs the linter npm's `@graphql-eslint/eslint-plugin`, by eslint.config.js, over the repository's `schema.graphql`, which has
// to be clean, and over unclean.graphql, in which exactly what is marked has to be found. Exits with 1 and a line for each
// wrong thing, and prints `N checks passed` at the end. Needs no service.

'use strict';

const { readFileSync } = require('fs');
const path = require('path');
const { ESLint } = require('eslint');
const { check, tell } = require('./check');

const ROOT = path.resolve(__dirname, '../..');
const UNCLEAN = path.join(__dirname, 'unclean.graphql');

// What is found in a file: `line rule`, each once, and the message.
async function findings(eslint, file) {
  const [{ messages }] = await eslint.lintFiles(file);
  return new Map(
    messages.map(({ line, ruleId, message }) => [`${line} ${String(ruleId).replace('@graphql-eslint/', '')}`, message]),
  );
}

// What the file says is wrong with it, after its heading.
function marks(file) {
  const lines = readFileSync(file, 'utf8').split('\n');
  const isRule = /^[a-z]+(-[a-z]+)+$/;
  return lines.flatMap((text, index) => {
    const [, comment = ''] = text.split('# ');
    const words = comment.split(' ');
    return words.every((word) => isRule.test(word)) ? words.map((rule) => `${index + 1} ${rule}`) : [];
  });
}

async function main() {
  // The plugin looks for schemas from here on.
  process.chdir(ROOT);
  const eslint = new ESLint({ cwd: ROOT, overrideConfigFile: path.join(__dirname, 'eslint.config.js') });

  const found = await findings(eslint, UNCLEAN);
  const marked = marks(UNCLEAN);
  marked.forEach((mark) => check(`unclean.graphql: ${mark} is found`, found.has(mark), [...found.keys()]));
  const unmarked = [...found.keys()].filter((finding) => !marked.includes(finding));
  check('unclean.graphql: nothing else is found', unmarked.length === 0, unmarked);

  const unclean = await findings(eslint, path.join(ROOT, 'schema.graphql'));
  unclean.forEach((message, finding) => console.error(`schema.graphql: line ${finding}: ${message}`));
  check('schema.graphql is clean', unclean.size === 0, `${unclean.size} findings`);
  tell();
}

main().catch((error) => check('nothing throws', false, error));

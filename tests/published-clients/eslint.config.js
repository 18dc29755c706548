// The rules that `schema.graphql` keeps: the whole schema-recommended set of npm's `@graphql-eslint/eslint-plugin`. The one
// exception is for what has no identity of its own: how a login stands, being signed in, and what mutations answer.
// Paths begin at the repository's root.

'use strict';

const { default: plugin } = require('@graphql-eslint/eslint-plugin');

const SCHEMA = 'schema.graphql';
// Breaks them on purpose.
const UNCLEAN = 'tests/published-clients/unclean.graphql';

module.exports = [
  {
    files: [SCHEMA, UNCLEAN],
    plugins: { '@graphql-eslint': plugin },
    languageOptions: {
      parser: plugin.parser,
      // Some rules look at the whole schema that a file belongs to.
      parserOptions: { graphQLConfig: { projects: { today: { schema: SCHEMA }, unclean: { schema: UNCLEAN } } } },
    },
    rules: {
      ...plugin.configs['flat/schema-recommended'].rules,
      '@graphql-eslint/strict-id-in-types': [
        'error',
        { exceptions: { types: ['LoginStatus', 'Session'], suffixes: ['Payload', 'Error'] } },
      ],
    },
  },
];

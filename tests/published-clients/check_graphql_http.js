// Runs the audits of npm's `graphql-http`, unchanged, against a running service: whether it speaks GraphQL over HTTP as the
// draft specification tells it. Takes SERVICE_URL from the environment. A warning is as wrong as an error. Exits with 1 and
// a line for each finding, and prints `N checks passed` at the end.

'use strict';

const { auditServer } = require('graphql-http');

async function main() {
  const results = await auditServer({ url: `${process.env.SERVICE_URL}/graphql` });
  const findings = results.filter(({ status }) => status !== 'ok');
  for (const { id, name, status, reason } of findings) {
    console.error(`${status}: ${id} ${name}: ${reason}`);
  }
  if (findings.length > 0) {
    process.exit(1);
  }
  console.log(`${results.length} checks passed`);
}

main();

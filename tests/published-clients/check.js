// How the checks of all libraries are counted and told.

'use strict';

let passed = 0;

// Ends the program with one line where something does not hold. Some libraries put what is wrong into an error's fields.
function check(name, holds, seen) {
  if (!holds) {
    const message = seen instanceof Error ? `${seen.message} ` : '';
    console.error(`wrong: ${name}: ${message}${JSON.stringify(seen)}`);
    process.exit(1);
  }
  passed += 1;
}

// Says how many passed.
function tell() {
  console.log(`${passed} checks passed`);
}

module.exports = { check, tell };

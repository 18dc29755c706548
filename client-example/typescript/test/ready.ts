// Before the tests: one line where nothing answers, instead of a failure for each of them.

import { findSurroundings, run } from "../src/settings.js";

run(async () => {
  await findSurroundings();
});

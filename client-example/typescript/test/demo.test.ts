import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

import { PHONE_URL, SERVICE_URL } from "../src/settings.js";

const DEMO = fileURLToPath(new URL("../src/demo.js", import.meta.url));
/** Nothing listens on the first port: it takes more rights than a test has. */
const NOTHING = "http://127.0.0.1:1";

async function demo(service: string, phone: string) {
  const env = { ...process.env, COUNTERSIGN_URL: service, COUNTERSIGN_PHONE_URL: phone };
  // Node 18 warns that `fetch` is young.
  const program = spawn(process.execPath, ["--no-warnings", DEMO], { env, stdio: ["ignore", "pipe", "pipe"] });
  const [output, log, [code]] = await Promise.all([text(program.stdout), text(program.stderr), once(program, "close")]);
  return { output: output.trim().split("\n"), log, code: code as number };
}

test("the demo ends with the signed-in user", async () => {
  const { output, log, code } = await demo(SERVICE_URL, PHONE_URL);
  assert.deepEqual([code, log], [0, ""]);
  assert.match(output.at(-1) ?? "", /^14\. Signed in: Demo Person [0-9a-f]{4} <demo-[0-9a-f]{16}@example\.com>, phone \+1 •+ \d\d$/);
});

test("the demo says in one line what is not there", async () => {
  for (const [service, phone, line] of [
    [NOTHING, NOTHING, `error: nothing answers at ${NOTHING}: start it with \`cargo run -- dev\`\n`],
    [SERVICE_URL, NOTHING, `error: nothing answers at ${NOTHING}: start it with \`cargo run -- dev\`\n`],
    [SERVICE_URL, SERVICE_URL, `error: no use can be made of what answers at ${SERVICE_URL}: `],
  ] as const) {
    const { output, log, code } = await demo(service, phone);
    assert.deepEqual([code, output], [1, [""]]);
    assert(log.startsWith(line), log);
    assert.equal(log.split("\n").length, 2, log);
  }
});

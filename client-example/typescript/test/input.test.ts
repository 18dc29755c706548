import assert from "node:assert/strict";
import { test } from "node:test";

import { begun, Refused } from "../src/index.js";
import { client, person, Somebody } from "./scene.js";

test("all that is wrong with a signup is told at once, each with its field", async () => {
  const reply = await client.signup({ ...person(), email: "nonsense", phone: "12", password: "short" });
  assert.equal(reply.loginToken, null);
  assert.deepEqual(reply.errors.map(({ code, field }) => [code, field]).sort(), [
    ["INVALID_EMAIL", "input.email"],
    ["INVALID_PASSWORD", "input.password"],
    ["INVALID_PHONE", "input.phone"],
  ]);
});

test("a refusal that is thrown says what was wrong and with what", async () => {
  const reply = await client.signup({ ...person(), email: "nonsense" });
  assert.throws(() => begun(reply), (error) => {
    assert(error instanceof Refused);
    assert.deepEqual(error.errors, reply.errors);
    assert.match(error.message, /\[INVALID_EMAIL\], in input\.email$/);
    return true;
  });
});

test("a wrong password is refused as data", async () => {
  const somebody = new Somebody();
  await somebody.signUp();
  const reply = await client.login({ ...somebody.login, password: "not the password" });
  assert.deepEqual([reply.loginToken, reply.status], [null, null]);
  assert.deepEqual(reply.errors.map(({ code }) => code), ["WRONG_CREDENTIALS"]);
});

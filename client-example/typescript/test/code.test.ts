import assert from "node:assert/strict";
import { test } from "node:test";

import { accepted, Refused } from "../src/index.js";
import { client, Somebody, UNKNOWN_TOKEN } from "./scene.js";

/** A login from a known device that the phone has denied. */
async function denied() {
  const somebody = new Somebody();
  const login = await somebody.beginLoginFrom(await somebody.signUpForDevice());
  await somebody.deny(login.status);
  const outcome = await client.waitForPhone(login.loginToken);
  assert(outcome.kind === "needsCode");
  return { somebody, loginToken: login.loginToken, status: outcome.status };
}

test("a login that the phone denied is saved by a code", async () => {
  const { somebody, loginToken, status } = await denied();
  assert.deepEqual([status.state, status.nextStep], ["DENIED", "ENTER_CODE"]);
  const sent = accepted(await client.resendToken(loginToken, "SMS"));
  assert.equal(sent.codeChannel, "SMS");
  const { session } = accepted(await client.verifyToken(loginToken, await somebody.smsCode()));
  assert.equal(session?.user.email, somebody.input.email);
  const outcome = await client.waitForPhone(loginToken);
  assert(outcome.kind === "signedIn");
  assert.equal(outcome.session.token, session?.token);
});

test("a denied signup is over", async () => {
  const somebody = new Somebody();
  const login = await somebody.beginSignup();
  await somebody.deny(login.status);
  const outcome = await client.waitForPhone(login.loginToken);
  assert(outcome.kind === "refused");
  assert.deepEqual([outcome.status.state, outcome.status.failure], ["FAILED", "DENIED"]);
});

test("after a denial a code has to be asked for first", async () => {
  const { loginToken } = await denied();
  const reply = await client.verifyToken(loginToken, "1234567");
  assert.deepEqual(reply.errors.map(({ code, triesLeft }) => [code, triesLeft]), [["NO_CODE_SENT", 5]]);
  assert.equal(reply.status?.state, "DENIED");
});

test("a wrong code is refused as data, with the tries that are left", async () => {
  const { somebody, loginToken } = await denied();
  accepted(await client.resendToken(loginToken));
  const code = await somebody.smsCode();
  const wrong = (code.startsWith("1") ? "2" : "1") + code.slice(1);
  const reply = await client.verifyToken(loginToken, wrong);
  assert.deepEqual(reply.errors.map(({ code, triesLeft }) => [code, triesLeft]), [["INVALID_CODE", 4]]);
  assert.equal(reply.status?.nextStep, "ENTER_CODE");
  assert.throws(() => accepted(reply), Refused);
});

test("an unknown login has no status and takes no code", async () => {
  assert.equal(await client.loginStatus(UNKNOWN_TOKEN), null);
  assert.equal(await client.cancelLogin(UNKNOWN_TOKEN), null);
  const reply = await client.verifyToken(UNKNOWN_TOKEN, "1234567");
  assert.equal(reply.status, null);
  assert.deepEqual(reply.errors.map(({ code }) => code), ["LOGIN_NOT_FOUND"]);
});

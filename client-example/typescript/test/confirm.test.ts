import assert from "node:assert/strict";
import { test } from "node:test";

import { accepted, assertAccepted, begun, Refused } from "../src/index.js";
import { client, Somebody } from "./scene.js";

const codes = ({ errors }: { readonly errors: readonly { readonly code: string }[] }) => errors.map(({ code }) => code);

test("a session sees itself, and the others of its user", async () => {
  const somebody = new Somebody();
  const first = await somebody.signUp();
  const second = await somebody.logIn();
  const session = await second.session();
  assert(session !== null);
  assert.equal(session.isCurrent, true);
  assert(Date.parse(session.idleExpiresAt) <= Date.parse(session.expiresAt));
  const sessions = await second.sessions();
  assert.deepEqual(sessions?.map(({ id, isCurrent }) => [id, isCurrent]).sort(), [
    [session.id, true],
    [(await first.session())?.id, false],
  ].sort());
});

test("without a session there is none to see", async () => {
  assert.equal(await client.session(), null);
  assert.equal(await client.sessions(), null);
});

test("a push confirms a new password, which ends the other sessions and logs in", async () => {
  const somebody = new Somebody();
  const other = await somebody.signUp();
  const signedIn = await somebody.logIn();
  const password = `${somebody.input.password} again`;
  assert.deepEqual(codes(await signedIn.changePassword(null, password)), ["CONFIRMATION_REQUIRED"]);
  const loginToken = await somebody.confirm(signedIn, "CHANGE_PASSWORD");
  assert.deepEqual(await signedIn.changePassword(loginToken, password), { endedSessions: 1, errors: [] });
  assert.equal(await other.session(), null);
  const { email, password: old } = somebody.login;
  assert.deepEqual(codes(await client.login({ email, password: old })), ["WRONG_CREDENTIALS"]);
  assert.deepEqual(codes(await client.login({ email, password })), []);
});

test("a code confirms the end of another session", async () => {
  const somebody = new Somebody();
  const other = await somebody.signUp();
  const signedIn = await somebody.logIn();
  const sessionId = (await other.session())?.id;
  assert(sessionId !== undefined);
  const { loginToken, status } = begun(await signedIn.confirm("END_SESSIONS", somebody.input.password));
  assert.equal(status.purpose, "CONFIRM");
  accepted(await client.resendToken(loginToken, "SMS"));
  const approved = accepted(await client.verifyToken(loginToken, await somebody.smsCode()));
  assert.deepEqual([approved.state, approved.session], ["APPROVED", null]);
  assert.deepEqual(await signedIn.endSession(loginToken, sessionId), { isEnded: true, errors: [] });
  assert.equal(await other.me(), null);
});

test("a confirmation allows its operation once", async () => {
  const somebody = new Somebody();
  await somebody.signUp();
  const signedIn = await somebody.logIn();
  const loginToken = await somebody.confirm(signedIn, "END_SESSIONS");
  assert.deepEqual(await signedIn.endOtherSessions(loginToken), { endedSessions: 1, errors: [] });
  assert.deepEqual(codes(await signedIn.endOtherSessions(loginToken)), ["CONFIRMATION_REQUIRED"]);
  assert.deepEqual(codes(await signedIn.endSession(loginToken, "nonsense")), ["SESSION_NOT_FOUND"]);
});

test("a denied confirmation ends the session", async () => {
  const somebody = new Somebody();
  const signedIn = await somebody.signUp();
  const { loginToken, status } = begun(await signedIn.confirm("STEP_UP", somebody.input.password));
  await somebody.deny(status);
  // Without the bearer: the socket of an ended session is closed, and the status may come after that.
  const outcome = await client.waitForPhone(loginToken);
  assert(outcome.kind === "refused");
  assert.deepEqual([outcome.status.state, outcome.status.failure], ["FAILED", "DENIED"]);
  assert.equal(await signedIn.session(), null);
  assert.deepEqual(codes(await signedIn.confirm("STEP_UP", somebody.input.password)), ["NOT_SIGNED_IN"]);
});

test("a wrong password confirms nothing, and the fifth ends the session", async () => {
  const signedIn = await new Somebody().signUp();
  const wrong = () => signedIn.confirm("CHANGE_PASSWORD", "not the password");
  const reply = await wrong();
  assert.deepEqual([reply.loginToken, reply.status], [null, null]);
  assert.deepEqual(reply.errors.map(({ code, field }) => [code, field]), [["WRONG_PASSWORD", "input.password"]]);
  for (let tries = 2; tries < 5; tries += 1) {
    assert.deepEqual(codes(await wrong()), ["WRONG_PASSWORD"]);
  }
  assert.deepEqual(codes(await wrong()), ["NOT_SIGNED_IN"]);
  assert.equal(await signedIn.me(), null);
});

test("a refused operation is an error for a program that wants one", async () => {
  const reply = await client.endOtherSessions(null);
  assert.throws(() => assertAccepted(reply), (error) => {
    assert(error instanceof Refused);
    assert.deepEqual(error.errors, reply.errors);
    return true;
  });
  assertAccepted({ errors: [] });
});

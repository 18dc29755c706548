import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:net";
import { test, type TestContext } from "node:test";

import { Client, type ClientOptions } from "../src/index.js";
import { Line } from "./line.js";
import { client, failsWith, next, Somebody, UNKNOWN_TOKEN } from "./scene.js";

/** A signup that is watched over a line. */
async function watched(test: TestContext, options?: ClientOptions) {
  const line = await Line.start();
  test.after(() => line.close());
  const somebody = new Somebody();
  const login = await somebody.beginSignup();
  const ending = new AbortController();
  const watch = new Client(line.url, options).watch(login.loginToken, ending.signal);
  assert.equal((await next(watch)).state, "PENDING");
  return { line, somebody, login, watch, ending };
}

test("an unknown login token is an error", async () => {
  await failsWith(client.watch(UNKNOWN_TOKEN).next(), { kind: "loginNotFound" });
  await failsWith(client.waitForPhone(UNKNOWN_TOKEN), { kind: "loginNotFound" });
});

test("a watch whose connection is cut connects again, and tells nothing twice", async (test) => {
  const { line, somebody, login, watch } = await watched(test);
  // What the service says on the new connection is the state that is known.
  const told = line.passes('"PENDING"');
  line.cut();
  const news = next(watch);
  await told;
  assert.equal(line.connections, 2);
  await somebody.approve(login.status);
  assert.equal((await news).state, "APPROVED");
  assert.equal((await watch.next()).done, true);
});

test("what happens while the connection is lost is told after it", async (test) => {
  const { line, somebody, login, watch } = await watched(test);
  line.cut();
  await somebody.deny(login.status);
  const denied = await next(watch);
  assert.deepEqual([denied.state, denied.failure, line.connections], ["FAILED", "DENIED", 2]);
  assert(denied.sequence > login.status.sequence);
  await watch.return();
});

test("a connection that says nothing any more is given up for another", async (test) => {
  const { line, somebody, login, watch } = await watched(test, { heartbeat: 200 });
  line.fallSilent();
  await somebody.approve(login.status);
  assert.equal((await next(watch)).state, "APPROVED");
  assert(line.connections >= 2);
});

test("a quiet connection that gives signs of life is kept", async (test) => {
  const { line, watch, ending } = await watched(test, { heartbeat: 500 });
  const news = watch.next();
  // Longer than a connection would be kept without them.
  for (let pongs = 0; pongs < 4; pongs += 1) {
    await line.passes('"pong"');
  }
  assert.equal(line.connections, 1);
  ending.abort();
  await assert.rejects(news);
});

test("a watch that is left, or called off, closes its connection", async (test) => {
  const left = await watched(test);
  await left.watch.return();
  await left.line.isLeft();
  const calledOff = await watched(test);
  const news = calledOff.watch.next();
  calledOff.ending.abort(new Error("called off"));
  await assert.rejects(news, /^Error: called off$/);
  await calledOff.line.isLeft();
});

test("the end of the session that a watch asks with ends the watch", async () => {
  const somebody = new Somebody();
  const signedIn = await somebody.signUp();
  const { loginToken } = await somebody.beginLogin();
  const watch = signedIn.watch(loginToken);
  await next(watch);
  // At once: the socket may well be closed before the logout is answered.
  await Promise.all([failsWith(watch.next(), { kind: "sessionEnded" }), signedIn.logout()]);
});

test("a watch gives up where nothing answers for as long as it has patience", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  assert(typeof address === "object" && address !== null);
  server.close();
  const impatient = new Client(`http://127.0.0.1:${address.port}`, { patience: 0 });
  await failsWith(impatient.watch(UNKNOWN_TOKEN).next(), { kind: "unreachable" });
});

test("a connection that is never made is given up in time", async (test) => {
  const line = await Line.start();
  test.after(() => line.close());
  line.keepSilent();
  const impatient = new Client(line.url, { timeout: 50, patience: 0 });
  await failsWith(impatient.watch(UNKNOWN_TOKEN).next(), { kind: "unreachable" });
  assert.equal(line.connections, 1);
});

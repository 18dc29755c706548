import assert from "node:assert/strict";
import { test } from "node:test";

import { bearerOf } from "../src/index.js";
import { client, next, Somebody } from "./scene.js";

test("a push that is approved signs the person in", async () => {
  const somebody = new Somebody();
  const login = await somebody.beginSignup();
  assert.equal(login.status.nextStep, "APPROVE_ON_PHONE");
  const [outcome] = await Promise.all([client.waitForPhone(login.loginToken), somebody.approve(login.status)]);
  assert(outcome.kind === "signedIn");
  const user = await client.withBearer(bearerOf(outcome.session)).me();
  assert.deepEqual(user, outcome.session.user);
  assert.equal(user?.email, somebody.input.email);
});

test("a watch tells the present state, then the approval, and ends", async () => {
  const somebody = new Somebody();
  const login = await somebody.beginSignup();
  const watch = client.watch(login.loginToken);
  assert.deepEqual(await next(watch), login.status);
  await somebody.approve(login.status);
  const approved = await next(watch);
  assert.deepEqual([approved.state, approved.nextStep], ["APPROVED", "NONE"]);
  assert.equal((await watch.next()).done, true);
});

test("a session ends by logging out", async () => {
  const signedIn = await new Somebody().signUp();
  assert.equal(await signedIn.logout(), true);
  assert.equal(await signedIn.me(), null);
  assert.equal(await signedIn.logout(), false);
});

test("forgetting the devices forgets the one that signed in", async () => {
  const signedIn = await new Somebody().signUp();
  assert.equal(await signedIn.forgetDevices(), 1);
});

test("somebody who knows their device token logs in with it", async () => {
  const somebody = new Somebody();
  const signup = await somebody.beginSignup();
  await somebody.approve(signup.status);
  const outcome = await client.waitForPhone(signup.loginToken);
  assert(outcome.kind === "signedIn");
  const reply = await client.login({ ...somebody.login, deviceToken: outcome.session.deviceToken });
  assert.deepEqual(reply.errors, []);
  assert.equal(reply.status?.purpose, "LOGIN");
});

test("a login that is called off is refused", async () => {
  const { loginToken } = await new Somebody().beginSignup();
  assert.equal((await client.cancelLogin(loginToken))?.failure, "CANCELLED");
  const outcome = await client.waitForPhone(loginToken);
  assert(outcome.kind === "refused");
  assert.equal(outcome.status.state, "FAILED");
});

import assert from "node:assert/strict";
import { test } from "node:test";

import { Backoff } from "../src/backoff.js";

function limits(backoff: Backoff, count: number): number[] {
  return Array.from({ length: count }, () => backoff.nextWait(() => 1));
}

test("the limit of a wait doubles up to the ceiling", () => {
  assert.deepEqual(limits(new Backoff(), 8), [100, 200, 400, 800, 1600, 3200, 5000, 5000]);
});

test("a wait is anything between nothing and the limit", () => {
  assert.equal(new Backoff().nextWait(() => 0), 0);
  assert.equal(new Backoff().nextWait(() => 0.5), 50);
});

test("a client that slows down waits up to the ceiling", () => {
  const backoff = new Backoff();
  backoff.slowDown();
  assert.deepEqual(limits(backoff, 2), [5000, 5000]);
});

test("news or a long connection start over, a short one does not", () => {
  const backoff = new Backoff();
  limits(backoff, 3);
  backoff.rest(false, 1_000);
  assert.deepEqual(limits(backoff, 1), [800]);
  backoff.rest(true, 0);
  assert.deepEqual(limits(backoff, 2), [100, 200]);
  backoff.rest(false, 5_000);
  assert.deepEqual(limits(backoff, 1), [100]);
});

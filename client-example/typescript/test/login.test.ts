import assert from "node:assert/strict";
import { test } from "node:test";

import { isOver, outcomeOf, type LoginStatus, type LoginStep } from "../src/index.js";

function status(nextStep: string, changes: Partial<LoginStatus> = {}): LoginStatus {
  return {
    sequence: 1,
    state: "PENDING",
    nextStep: nextStep as LoginStep,
    purpose: "LOGIN",
    failure: null,
    matchNumber: "42",
    codeChannel: null,
    expiresAt: "1970-01-01T00:00:00+00:00",
    resendAvailableAt: null,
    session: null,
    ...changes,
  };
}

test("every next step has its outcome", () => {
  assert.equal(outcomeOf(status("APPROVE_ON_PHONE")), null);
  assert.equal(outcomeOf(status("ENTER_CODE"))?.kind, "needsCode");
  assert.equal(outcomeOf(status("NONE"))?.kind, "refused");
});

test("only an approved confirmation ends well without a session", () => {
  const approved = { state: "APPROVED" } as const;
  assert.equal(outcomeOf(status("NONE", { ...approved, purpose: "CONFIRM" }))?.kind, "confirmed");
  assert.equal(outcomeOf(status("NONE", { state: "FAILED", purpose: "CONFIRM" }))?.kind, "refused");
  assert.equal(outcomeOf(status("NONE", { ...approved, purpose: "LOGIN" }))?.kind, "refused");
});

test("a next step that is newer than the client means: wait", () => {
  const newer = status("LOOK_INTO_THE_CAMERA");
  assert.equal(outcomeOf(newer), null);
  assert.equal(isOver(newer), false);
});

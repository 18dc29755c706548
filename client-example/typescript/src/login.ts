// What a client learns of a login, by short names, and what follows from it. A login is over exactly when its next step is
// `NONE`. A next step that is newer than this client means: wait, and show what there is.

import { ClientError, Refused, type Refusal } from "./error.js";
import type {
  LoginMutation,
  LoginStatusFieldsFragment,
  ResendTokenMutation,
  SessionFieldsFragment,
  SignupMutation,
  UserFieldsFragment,
  VerifyTokenMutation,
} from "./generated/operations.js";

export type LoginStatus = LoginStatusFieldsFragment;
export type Session = SessionFieldsFragment;
export type User = UserFieldsFragment;
export type SignupReply = SignupMutation["signup"];
export type LoginReply = LoginMutation["login"];
export type VerifyTokenReply = VerifyTokenMutation["verifyToken"];
export type ResendTokenReply = ResendTokenMutation["resendToken"];

/** Where waiting for the phone led. */
export type Outcome =
  | { readonly kind: "signedIn"; readonly session: Session }
  /** A confirmation was approved: its operation is allowed, once, within five minutes. There is no session. */
  | { readonly kind: "confirmed" }
  /** The phone said no, or cannot be asked: a code decides. */
  | { readonly kind: "needsCode"; readonly status: LoginStatus }
  /** The login ended without an approval. */
  | { readonly kind: "refused"; readonly status: LoginStatus };

/** Whether this status is the last one. */
export function isOver(status: LoginStatus): boolean {
  return status.nextStep === "NONE";
}

/** What there is to do about a status; null while the phone has the word. */
export function outcomeOf(status: LoginStatus): Outcome | null {
  if (status.session !== null) {
    return { kind: "signedIn", session: status.session };
  }
  if (status.state === "APPROVED" && status.purpose === "CONFIRM") {
    return { kind: "confirmed" };
  }
  switch (status.nextStep) {
    case "NONE":
      return { kind: "refused", status };
    case "ENTER_CODE":
      return { kind: "needsCode", status };
    default:
      return null;
  }
}

/** A login that began. */
export interface Begun {
  readonly loginToken: string;
  readonly status: LoginStatus;
}

/**
 * The login that `signup`, `login` or `confirm` started; throws `Refused` where none did. A login may begin, and be told an error too
 * (`PROVIDER_UNAVAILABLE`: no push and no code went out): read `reply.errors` first where that matters.
 */
export function begun(reply: {
  readonly loginToken: string | null;
  readonly status: LoginStatus | null;
  readonly errors: readonly Refusal[];
}): Begun {
  const { loginToken, status, errors } = reply;
  if (loginToken === null || status === null) {
    throw new Refused(errors);
  }
  return { loginToken, status };
}

/** How a login stands after `verifyToken` or `resendToken`; throws `Refused` where that was refused. */
export function accepted(reply: { readonly status: LoginStatus | null; readonly errors: readonly Refusal[] }): LoginStatus {
  if (reply.status === null || reply.errors.length > 0) {
    throw new Refused(reply.errors);
  }
  return reply.status;
}

/** The bearer of a session, for programs. In a browser the session may be in a cookie, and there is none. */
export function bearerOf(session: { readonly token: string | null }): string {
  if (session.token === null) {
    throw new ClientError({ kind: "noToken" });
  }
  return session.token;
}

// Following one login to its end. Losing a connection loses nothing: the service tells the present state first. So
// whatever ends a connection before the login, it means: connect again, unless trying again is pointless.

import { Backoff } from "./backoff.js";
import { statuses, type Destination } from "./connection.js";
import { ClientError, type GraphqlError, type Problem } from "./error.js";
import { isOver, type LoginStatus } from "./login.js";

/** The code with which the service ends the sockets of a session that has ended. */
const SESSION_ENDED = 4401;
/**
 * Codes with which a server says that trying again is pointless: bad message, forbidden, sub-protocol not acceptable,
 * subscriber exists, too many initialisations.
 */
const FINAL_CLOSE_CODES = [4400, 4403, 4406, 4409, 4429];
/** GraphQL errors that may be gone the next time. */
const PASSING_ERROR_CODES = ["INTERNAL", "UNAVAILABLE", "BUSY", "RATE_LIMITED", "TOO_MANY_WATCHERS"];

/** Each status of a login, once, in order; the last one has nothing left to do. Throws a `ClientError` otherwise. */
export async function* watch(
  destination: Destination & { readonly patience: number },
  loginToken: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<LoginStatus, void, undefined> {
  const backoff = new Backoff();
  let newest = -1;
  let lastContact = performance.now();
  for (;;) {
    signal?.throwIfAborted();
    const known = newest;
    let connectedAt: number | undefined;
    let last: LoginStatus | undefined;
    let cause: unknown;
    try {
      for await (const status of statuses(destination, loginToken, () => (connectedAt = performance.now()), signal)) {
        if (isOver(status)) {
          last = status;
          break;
        }
        // After a reconnect the service tells the present state again, which is no news.
        if (status.sequence > newest) {
          newest = status.sequence;
          yield status;
        }
      }
    } catch (error) {
      cause = error;
    }
    if (last !== undefined) {
      // Told when the connection is closed already: a reader that takes it and asks no more leaves nothing open.
      yield last;
      return;
    }
    signal?.throwIfAborted();
    const problem = finalProblem(cause);
    if (problem !== null) {
      throw new ClientError(problem, { cause });
    }
    const now = performance.now();
    if (connectedAt !== undefined) {
      backoff.rest(newest !== known, now - connectedAt);
      lastContact = now;
    }
    if (now - lastContact >= destination.patience) {
      throw new ClientError({ kind: "unreachable" }, { cause });
    }
    if (asksForFewer(cause)) {
      backoff.slowDown();
    }
    await sleep(backoff.nextWait(), signal);
  }
}

/** Why trying again is pointless; null where it is not. */
function finalProblem(cause: unknown): Problem | null {
  if (cause instanceof ClientError) {
    return cause.problem;
  }
  if (Array.isArray(cause)) {
    return finalAmong(cause as GraphqlError[]);
  }
  const code = typeof cause === "object" && cause !== null && "code" in cause ? cause.code : undefined;
  if (code === SESSION_ENDED) {
    return { kind: "sessionEnded" };
  }
  return typeof code === "number" && FINAL_CLOSE_CODES.includes(code) ? { kind: "closed", code } : null;
}

/** Whether the service ended this watch because the login has too many. Connecting again at once would end another one. */
function asksForFewer(cause: unknown): boolean {
  return Array.isArray(cause) && (cause as GraphqlError[]).some((error) => error.extensions?.code === "TOO_MANY_WATCHERS");
}

function finalAmong(errors: readonly GraphqlError[]): Problem | null {
  const codes = errors.map((error) => error.extensions?.code ?? "");
  if (codes.includes("LOGIN_NOT_FOUND")) {
    return { kind: "loginNotFound" };
  }
  return codes.every((code) => PASSING_ERROR_CODES.includes(code)) ? null : { kind: "graphql", errors };
}

function sleep(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, milliseconds);
    signal?.addEventListener("abort", stop, { once: true });
  });
}

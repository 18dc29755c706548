// One WebSocket that speaks graphql-transport-ws, with one subscription on it, from the connection to its end. It does not
// connect twice: that is the watch's affair. What ends it too early is thrown as the library threw it.

import { print } from "graphql";
import { createClient } from "graphql-ws";

import { ClientError } from "./error.js";
import { WatchLoginDocument, type WatchLoginSubscription } from "./generated/operations.js";
import type { LoginStatus } from "./login.js";

/** Where to connect to, and as whom. */
export interface Destination {
  readonly url: string;
  readonly bearer?: string;
  readonly timeout: number;
  readonly heartbeat: number;
}

/** The code of a close that says only "done": the library would connect again by itself, and at once. */
const NORMAL_CLOSURE = 1000;

/** The statuses of a login, as long as the connection lasts. `connected` is told when the service has greeted. */
export async function* statuses(
  destination: Destination,
  loginToken: string,
  connected: () => void,
  signal: AbortSignal | undefined,
): AsyncGenerator<LoginStatus, void, undefined> {
  const client = await connect(destination, connected);
  const answers = client.iterate<WatchLoginSubscription>({ query: print(WatchLoginDocument), variables: { loginToken } });
  const hangUp = () => void answers.return?.();
  signal?.addEventListener("abort", hangUp, { once: true });
  try {
    for await (const { data, errors } of answers) {
      if (errors?.length) {
        throw errors;
      }
      if (data == null) {
        throw new ClientError({ kind: "malformed" });
      }
      yield data.loginStatus;
    }
  } finally {
    signal?.removeEventListener("abort", hangUp);
  }
}

async function connect({ url, bearer, timeout, heartbeat }: Destination, connected: () => void) {
  let silence: ReturnType<typeof setTimeout> | undefined;
  const client = createClient({
    url,
    webSocketImpl: impatient(globalThis.WebSocket ?? (await nodeWebSocket()), timeout),
    connectionParams: () => (bearer === undefined ? undefined : { authorization: `Bearer ${bearer}` }),
    connectionAckWaitTimeout: timeout,
    retryAttempts: 0,
    keepAlive: heartbeat,
    on: {
      connected,
      ping: (isReceived) => {
        if (!isReceived) {
          silence = setTimeout(() => client.terminate(), 2 * heartbeat);
        }
      },
      message: () => clearTimeout(silence),
      closed: (event) => {
        clearTimeout(silence);
        if ((event as CloseEvent).code === NORMAL_CLOSURE) {
          Promise.resolve(client.dispose()).catch(() => undefined);
        }
      },
    },
  });
  return client;
}

/** Browsers and Node 22 have a WebSocket of their own; older Nodes take the one of `ws`. */
async function nodeWebSocket(): Promise<typeof WebSocket> {
  return (await import("ws")).WebSocket as unknown as typeof WebSocket;
}

/** The same kind of socket, but one that gives up where connecting takes too long. */
function impatient(kind: typeof WebSocket, timeout: number): typeof WebSocket {
  return class extends kind {
    constructor(url: string | URL, protocols?: string | string[]) {
      super(url, protocols);
      const timer = setTimeout(() => this.close(), timeout);
      this.addEventListener("open", () => clearTimeout(timer));
      this.addEventListener("close", () => clearTimeout(timer));
    }
  };
}

// Where the demo and the tests find a running `countersign dev`: the two addresses, from the environment or as they are
// where nothing else is said.

import { Client } from "./client.js";
import { ClientError } from "./error.js";
import { Phone } from "./phone.js";

export const SERVICE_URL = process.env.COUNTERSIGN_URL || "http://127.0.0.1:3000";
export const PHONE_URL = process.env.COUNTERSIGN_PHONE_URL || "http://127.0.0.1:3001";

/** A service and the phones of its sandbox. */
export interface Surroundings {
  readonly client: Client;
  readonly phone: Phone;
}

/** What runs at the two addresses; throws one line that says what to do where nothing does. */
export async function findSurroundings(): Promise<Surroundings> {
  return {
    client: await find(SERVICE_URL, async () => {
      const client = new Client(SERVICE_URL);
      await client.me();
      return client;
    }),
    phone: await find(PHONE_URL, async () => {
      const phone = new Phone(PHONE_URL);
      await phone.devices();
      return phone;
    }),
  };
}

async function find<Found>(url: string, ask: () => Promise<Found>): Promise<Found> {
  try {
    return await ask();
  } catch (cause) {
    if (!(cause instanceof ClientError)) {
      throw cause;
    }
    const isThere = cause.problem.kind !== "unreachable";
    const text = isThere
      ? `no use can be made of what answers at ${url}: ${cause.message}`
      : `nothing answers at ${url}: start it with \`cargo run -- dev\``;
    throw new Error(text, { cause });
  }
}

/** Runs a program to its end; what goes wrong is one line on standard error, and exit code 1. */
export function run(program: () => Promise<void>): void {
  program().catch((error: unknown) => {
    console.error(`error: ${error instanceof Error ? error.message : String(error)}`);
    process.exit(1);
  });
}

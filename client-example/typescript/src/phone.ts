// The finger on the sandbox's phone, for tests and demos; nothing here exists where a real provider runs the second
// factor. It keeps nothing: each call asks anew.

import { ClientError } from "./error.js";
import { parseAddress, parseJson, request } from "./http.js";

/** A phone and what it shows, as the sandbox tells it. */
export interface Device {
  readonly authy_id: number;
  /** The pushes, newest last. */
  readonly approval_requests: readonly ApprovalRequest[];
  /** What was sent to it, newest last. */
  readonly messages: readonly Message[];
}

/** One push. */
export interface ApprovalRequest {
  readonly uuid: string;
  readonly status: string;
  /** What the phone asks. */
  readonly message: string;
  /** What the phone shows below it, the match number among it. */
  readonly details: Readonly<Record<string, unknown>>;
}

/** Something that was sent to a phone. */
export interface Message {
  readonly channel: string;
  readonly code: string | null;
}

interface DeviceSummary {
  readonly authy_id: number;
  readonly emails: readonly string[];
}

const TIMEOUT = 15_000;

/** The phones of the sandbox at a base address such as `http://127.0.0.1:3001`. */
export class Phone {
  readonly #address: URL;

  constructor(address: string) {
    this.#address = parseAddress(address);
  }

  /** Every phone that is registered. */
  async devices(): Promise<readonly DeviceSummary[]> {
    return (await this.#send<{ devices: DeviceSummary[] }>("phone/devices")).devices;
  }

  /** The phone registered last with this email. */
  async findByEmail(email: string): Promise<Device | null> {
    const devices = await this.devices();
    const ids = devices.filter(({ emails }) => emails.includes(email)).map((device) => device.authy_id);
    return ids.length === 0 ? null : this.#send<Device>(`phone/devices/${Math.max(...ids)}`);
  }

  /** Approves a push. The callback to the service follows by itself. */
  async approve(uuid: string): Promise<void> {
    await this.#answer(uuid, "approved");
  }

  /** Denies a push. The callback to the service follows by itself. */
  async deny(uuid: string): Promise<void> {
    await this.#answer(uuid, "denied");
  }

  async #answer(uuid: string, status: "approved" | "denied"): Promise<void> {
    await this.#send(`phone/approval_requests/${uuid}`, { status });
  }

  async #send<Data>(path: string, input?: object): Promise<Data> {
    const headers = { "content-type": "application/json" };
    const init = input === undefined ? {} : { method: "POST", headers, body: JSON.stringify(input) };
    const { status, body } = await request(new URL(path, this.#address), init, TIMEOUT);
    if (status < 200 || status >= 300) {
      throw new ClientError({ kind: "status", status });
    }
    const data = parseJson(body);
    if (data === undefined) {
      throw new ClientError({ kind: "malformed" });
    }
    return data as Data;
  }
}

/** The newest push that waits for a finger and shows this match number. */
export function pendingRequest(device: Device, matchNumber: string): ApprovalRequest | null {
  const asked = device.approval_requests.filter(
    ({ status, details }) => status === "pending" && Object.values(details).includes(matchNumber),
  );
  return asked.at(-1) ?? null;
}

/** The code in the newest text message. */
export function newestSmsCode(device: Device): string | null {
  return device.messages.filter(({ channel }) => channel === "sms").at(-1)?.code ?? null;
}

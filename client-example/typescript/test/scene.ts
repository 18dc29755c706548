// What the tests stand on: people that nobody else has, their phones, and a watch that is read step by step. Nothing is
// shared, so tests run in any order, at once, and again and again against one `dev`.

import assert from "node:assert/strict";
import { randomBytes, randomInt } from "node:crypto";

import {
  bearerOf,
  begun,
  Client,
  ClientError,
  type Begun,
  type LoginInput,
  type LoginStatus,
  type Problem,
  type SensitiveOperation,
  type Session,
  type SignupInput,
} from "../src/index.js";
import { newestSmsCode, pendingRequest, Phone } from "../src/phone.js";
import { PHONE_URL, SERVICE_URL } from "../src/settings.js";

export const client = new Client(SERVICE_URL);
const phone = new Phone(PHONE_URL);

/** After this long a file of tests hangs, and nothing is gained by waiting longer. */
const HANGS_AFTER = 120_000;
setTimeout(() => {
  console.error(`error: these tests have not ended after ${HANGS_AFTER / 1000} s`);
  process.exit(1);
}, HANGS_AFTER).unref();

/** Of the form of a login token, and nobody's. */
export const UNKNOWN_TOKEN = "A".repeat(43);

/** Somebody new, before anybody knows them. */
export function person(): SignupInput {
  const id = randomBytes(10).toString("hex");
  return {
    fullName: "Ada Lovelace",
    email: `ada.${id}@example.com`,
    countryCode: "1",
    phone: `201${randomInt(200, 1000)}${String(randomInt(10_000)).padStart(4, "0")}`,
    password: `analytical engine ${id}`,
  };
}

/** A person, and what only they can do. */
export class Somebody {
  readonly input = person();

  /** What they type to log in. */
  get login(): LoginInput {
    const { email, password } = this.input;
    return { email, password };
  }

  async beginSignup(): Promise<Begun> {
    return begun(await client.signup(this.input));
  }

  async beginLogin(): Promise<Begun> {
    return begun(await client.login(this.login));
  }

  async beginLoginFrom(deviceToken: string): Promise<Begun> {
    return begun(await client.login({ ...this.login, deviceToken }));
  }

  /** Signs up to the end, and returns the client of the session. */
  async signUp(): Promise<Client> {
    return client.withBearer(bearerOf(await this.#signedUp()));
  }

  /** Signs up to the end, and returns the token of the device that is known from then on. */
  async signUpForDevice(): Promise<string> {
    return (await this.#signedUp()).deviceToken;
  }

  async #signedUp(): Promise<Session> {
    const login = await this.beginSignup();
    await this.approve(login.status);
    const outcome = await client.waitForPhone(login.loginToken);
    assert(outcome.kind === "signedIn");
    return outcome.session;
  }

  /** Logs in once more, and returns the client of that session. */
  async logIn(): Promise<Client> {
    const login = await this.beginLogin();
    await this.approve(login.status);
    const outcome = await client.waitForPhone(login.loginToken);
    assert(outcome.kind === "signedIn");
    return client.withBearer(bearerOf(outcome.session));
  }

  /** Confirms an operation in a session, by the password and a push. Returns the login token of the confirmation. */
  async confirm(signedIn: Client, operation: SensitiveOperation): Promise<string> {
    const login = begun(await signedIn.confirm(operation, this.input.password));
    await this.approve(login.status);
    assert.deepEqual(await client.waitForPhone(login.loginToken), { kind: "confirmed" });
    return login.loginToken;
  }

  async approve(status: LoginStatus): Promise<void> {
    await phone.approve(await this.#pushOf(status));
  }

  async deny(status: LoginStatus): Promise<void> {
    await phone.deny(await this.#pushOf(status));
  }

  /** The code in the newest text message on their phone. */
  async smsCode(): Promise<string> {
    const code = newestSmsCode(await this.#device());
    assert(code !== null, "no text message came");
    return code;
  }

  async #pushOf({ matchNumber }: LoginStatus): Promise<string> {
    assert(matchNumber !== null, "the login has no match number");
    const push = pendingRequest(await this.#device(), matchNumber);
    assert(push !== null, `no push shows ${matchNumber}`);
    return push.uuid;
  }

  async #device() {
    const device = await phone.findByEmail(this.input.email);
    assert(device !== null, "they have no phone");
    return device;
  }
}

/** The next status of a watch that is not at its end. */
export async function next(watch: AsyncGenerator<LoginStatus, void, undefined>): Promise<LoginStatus> {
  const { value } = await watch.next();
  assert(value, "the watch ended too early");
  return value;
}

/** Asserts that something ends with this problem. */
export async function failsWith(promise: Promise<unknown>, problem: Problem): Promise<void> {
  await assert.rejects(promise, (error) => {
    assert(error instanceof ClientError, String(error));
    assert.deepEqual(error.problem, problem);
    return true;
  });
}

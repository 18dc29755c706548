// The whole story against a running `countersign dev`, told step by step: a signup approved on the phone, a logout, a login
// denied on the phone and saved by a code. It ends well only if the person it made up is signed in at the end.

import assert from "node:assert/strict";
import { randomBytes, randomInt } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";

import type { Client } from "./client.js";
import type { LoginState, SignupInput } from "./generated/operations.js";
import { accepted, bearerOf, begun, isOver, type Begun, type LoginStatus, type Session, type User } from "./login.js";
import { newestSmsCode, pendingRequest, type ApprovalRequest, type Device, type Phone } from "./phone.js";
import { findSurroundings, run } from "./settings.js";

/** How long one login may take, the wait before another code included. */
const LONGEST_LOGIN = 90_000;

type Watch = AsyncGenerator<LoginStatus, void, undefined>;

/** Somebody who never was, with a phone that is nobody's: `555` and `01` stand for that in the United States. */
function inventPerson(): SignupInput {
  const name = randomBytes(8).toString("hex");
  const areaCode = [201, 202, 203, 205, 206, 207, 208, 209, 210, 212, 213, 214][randomInt(12)];
  return {
    fullName: `Demo Person ${name.slice(0, 4)}`,
    email: `demo-${name}@example.com`,
    countryCode: "1",
    phone: `${areaCode} 555 01${String(randomInt(100)).padStart(2, "0")}`,
    password: `demo ${randomBytes(8).toString("hex")}`,
  };
}

class Story {
  readonly #client: Client;
  readonly #phone: Phone;
  readonly #person = inventPerson();
  #steps = 0;

  constructor(client: Client, phone: Phone) {
    this.#client = client;
    this.#phone = phone;
  }

  async play(): Promise<void> {
    const first = await this.#signUp();
    await this.#logOut(first);
    const session = await this.#logInWithACode(first.deviceToken);
    assert.notEqual(bearerOf(session), bearerOf(first), "the second login brought the first one's session token");
    this.#tell(`Signed in: ${userText(await this.#whoIsSignedIn(session))}`);
  }

  /** A signup, approved on the phone. */
  async #signUp(): Promise<Session> {
    const { fullName, email, phone } = this.#person;
    this.#tell(`Signing up ${fullName} <${email}>, phone +1 ${phone}.`);
    const login = begun(await this.#client.signup(this.#person));
    const watch = await this.#subscribe(login);
    const request = await this.#push(login.status);
    this.#tell(`The phone asks: "${request.message}" ${numberOf(login.status)}. Approving.`);
    await this.#phone.approve(request.uuid);
    const session = await this.#approved(watch);
    this.#tell(`\`me\` answers: ${userText(await this.#whoIsSignedIn(session))}.`);
    return session;
  }

  async #logOut(session: Session): Promise<void> {
    const client = this.#client.withBearer(bearerOf(session));
    assert(await client.logout(), "nobody was logged in");
    assert.equal(await client.me(), null, "the session outlived its logout");
    this.#tell("Logged out; `me` answers: nobody.");
  }

  /**
   * A login that the phone denies and a code saves. It presents the token of the known device: from elsewhere a denial is the
   * end.
   */
  async #logInWithACode(deviceToken: string): Promise<Session> {
    this.#tell("Logging in again, with the password and the device token.");
    const { email, password } = this.#person;
    const login = begun(await this.#client.login({ email, password, deviceToken }));
    const watch = await this.#subscribe(login);
    const request = await this.#push(login.status);
    this.#tell(`The phone asks: "${request.message}" ${numberOf(login.status)}. Denying.`);
    await this.#phone.deny(request.uuid);
    const denied = await reach(watch, "DENIED");
    this.#tell(`The socket brings ${denied.state}, next step ${denied.nextStep}.`);
    await this.#resend(login.loginToken);
    const code = newestSmsCode(await this.#device());
    assert(code !== null, "no text message came");
    this.#tell("A text message with a code has come. Typing it.");
    const { session } = accepted(await this.#client.verifyToken(login.loginToken, code));
    assert(session !== null, "the code brought no session");
    const told = await this.#approved(watch);
    assert.equal(bearerOf(told), bearerOf(session), "the socket brought another session than the code");
    return session;
  }

  async #subscribe({ loginToken }: Begun): Promise<Watch> {
    const watch = this.#client.watch(loginToken, AbortSignal.timeout(LONGEST_LOGIN));
    const status = await nextStatus(watch);
    this.#tell(`Subscribed: ${status.state}, next step ${status.nextStep}, ${numberOf(status)}.`);
    return watch;
  }

  /** The push of a login on the person's phone, told from others by its match number. */
  async #push({ matchNumber }: LoginStatus): Promise<ApprovalRequest> {
    assert(matchNumber !== null, "the login has no match number");
    const request = pendingRequest(await this.#device(), matchNumber);
    assert(request !== null, `the phone shows no push with the match number ${matchNumber}`);
    return request;
  }

  async #device(): Promise<Device> {
    const device = await this.#phone.findByEmail(this.#person.email);
    assert(device !== null, `the sandbox has no phone of ${this.#person.email}`);
    return device;
  }

  async #approved(watch: Watch): Promise<Session> {
    const { session } = await reach(watch, "APPROVED");
    assert(session !== null, "APPROVED came without a session");
    this.#tell("The socket brings APPROVED, with a session.");
    return session;
  }

  /** Asks for a text message, once more after a while if it was too soon. */
  async #resend(loginToken: string): Promise<void> {
    let reply = await this.#client.resendToken(loginToken, "SMS");
    const tooSoon = reply.errors.find(({ code }) => code === "TOO_SOON");
    if (tooSoon?.retryAfterSeconds != null) {
      this.#tell(`Too soon for a code. Waiting for ${tooSoon.retryAfterSeconds} s.`);
      await sleep(tooSoon.retryAfterSeconds * 1000);
      reply = await this.#client.resendToken(loginToken, "SMS");
    }
    accepted(reply);
    this.#tell("Asked for a code by text message.");
  }

  async #whoIsSignedIn(session: Session): Promise<User> {
    const user = await this.#client.withBearer(bearerOf(session)).me();
    assert(user !== null, "`me` knows nobody by this session");
    assert.equal(user.email, this.#person.email, "`me` answers somebody else");
    return user;
  }

  #tell(text: string): void {
    this.#steps += 1;
    console.log(`${String(this.#steps).padStart(2)}. ${text}`);
  }
}

function userText({ fullName, email, countryCode, maskedPhone }: User): string {
  return `${fullName} <${email}>, phone +${countryCode} ${maskedPhone}`;
}

function numberOf({ matchNumber }: LoginStatus): string {
  return matchNumber === null ? "no match number" : `match number ${matchNumber}`;
}

async function nextStatus(watch: Watch): Promise<LoginStatus> {
  const { value } = await watch.next();
  assert(value, "the watch ended too early");
  return value;
}

/** Follows a watch to a state; statuses in between may have merged. */
async function reach(watch: Watch, wanted: LoginState): Promise<LoginStatus> {
  for (;;) {
    const status = await nextStatus(watch);
    if (status.state === wanted) {
      return status;
    }
    assert(!isOver(status), `the login ended ${status.state} instead of ${wanted}`);
  }
}

run(async () => {
  const { client, phone } = await findSurroundings();
  await new Story(client, phone).play();
});

// The client: one method for each operation, over HTTP, and the way to a watch. It keeps no state but where the service is
// and who is asking; no token ever stands in a URL, nor shows itself where a client is printed.

import type { TypedDocumentNode } from "@graphql-typed-document-node/core";
import { print } from "graphql";

import { ClientError, type GraphqlError } from "./error.js";
import * as operations from "./generated/operations.js";
import type { CodeChannel, LoginInput, SensitiveOperation, SignupInput } from "./generated/operations.js";
import { parseAddress, parseJson, request, type Answer } from "./http.js";
import {
  outcomeOf,
  type LoginReply,
  type LoginStatus,
  type Outcome,
  type ResendTokenReply,
  type SignupReply,
  type User,
  type VerifyTokenReply,
} from "./login.js";
import type {
  ActiveSession,
  ChangePasswordReply,
  ConfirmReply,
  EndOtherSessionsReply,
  EndSessionReply,
} from "./session.js";
import { watch } from "./watch.js";

/** Settings of a client. Times are in milliseconds. */
export interface ClientOptions {
  /** The session token to ask with: `bearerOf(session)`. */
  readonly bearer?: string;
  /** How long one call may take, from connecting to the last byte; 15 seconds if nothing is said. */
  readonly timeout?: number;
  /** How long a watch goes on without reaching the service; ten minutes, a login's usual life, if nothing is said. */
  readonly patience?: number;
  /** After how long a quiet connection is asked for a sign of life; 10 seconds. It is given up after three times that. */
  readonly heartbeat?: number;
}

const DEFAULTS = { timeout: 15_000, patience: 600_000, heartbeat: 10_000 };

/** A client of one service, for one person or for nobody in particular. */
export class Client {
  readonly #address: URL;
  readonly #endpoint: URL;
  readonly #options: ClientOptions & typeof DEFAULTS;

  constructor(address: string | URL, options: ClientOptions = {}) {
    this.#address = parseAddress(String(address));
    this.#endpoint = new URL("graphql", this.#address);
    this.#options = { ...DEFAULTS, ...options };
  }

  /** The same client, asking as the holder of this session. */
  withBearer(bearer: string): Client {
    return new Client(this.#address, { ...this.#options, bearer });
  }

  /** Registers a person. Their account exists only once the login that this begins is approved. */
  async signup(input: SignupInput): Promise<SignupReply> {
    return (await this.#ask(operations.SignupDocument, { input })).signup;
  }

  /** Begins a login. */
  async login(input: LoginInput): Promise<LoginReply> {
    return (await this.#ask(operations.LoginDocument, { input })).login;
  }

  /** Confirms a login with a code that the person typed. */
  async verifyToken(loginToken: string, code: string): Promise<VerifyTokenReply> {
    return (await this.#ask(operations.VerifyTokenDocument, { input: { loginToken, code } })).verifyToken;
  }

  /** Asks for another code; without a channel, by text message. */
  async resendToken(loginToken: string, channel: CodeChannel | null = null): Promise<ResendTokenReply> {
    return (await this.#ask(operations.ResendTokenDocument, { input: { loginToken, channel } })).resendToken;
  }

  /** Calls a login off. Null: the service knows no such login. */
  async cancelLogin(loginToken: string): Promise<LoginStatus | null> {
    return (await this.#ask(operations.CancelLoginDocument, { input: { loginToken } })).cancelLogin.status;
  }

  /** How a login stands now. Null: the service knows no such login. */
  async loginStatus(loginToken: string): Promise<LoginStatus | null> {
    return (await this.#ask(operations.ReadLoginDocument, { loginToken })).loginStatus;
  }

  /** Who is signed in. Null: nobody, or a session that has ended. */
  async me(): Promise<User | null> {
    return (await this.#ask(operations.MeDocument, {})).me;
  }

  /** The session of this client. Null: it has ended, or there is none. */
  async session(): Promise<ActiveSession | null> {
    return (await this.#ask(operations.ReadSessionDocument, {})).session;
  }

  /** Lists the live sessions of the signed-in user, last used first. Null: nobody is signed in. */
  async sessions(): Promise<readonly ActiveSession[] | null> {
    return (await this.#ask(operations.ListSessionsDocument, {})).me?.sessions ?? null;
  }

  /**
   * Starts the confirmation of one operation in the session of this client: a login with purpose `CONFIRM`. When it is approved, the
   * operation is allowed once, within five minutes, with the login token of this reply. Denying it ends the session; so do five wrong passwords.
   */
  async confirm(operation: SensitiveOperation, password: string): Promise<ConfirmReply> {
    return (await this.#ask(operations.ConfirmDocument, { input: { operation, password } })).confirm;
  }

  /** Changes the password; needs the login token of a confirmation of `CHANGE_PASSWORD`. All other sessions, open logins and known devices of the user end. */
  async changePassword(loginToken: string | null, newPassword: string): Promise<ChangePasswordReply> {
    const input = { loginToken, newPassword };
    return (await this.#ask(operations.ChangePasswordDocument, { input })).changePassword;
  }

  /** Ends one session of the user by its id; needs the login token of a confirmation of `END_SESSIONS`. */
  async endSession(loginToken: string | null, sessionId: string): Promise<EndSessionReply> {
    return (await this.#ask(operations.EndSessionDocument, { input: { loginToken, sessionId } })).endSession;
  }

  /** Ends all sessions of the user except that of this client; needs the login token of a confirmation of `END_SESSIONS`. */
  async endOtherSessions(loginToken: string | null): Promise<EndOtherSessionsReply> {
    return (await this.#ask(operations.EndOtherSessionsDocument, { input: { loginToken } })).endOtherSessions;
  }

  /** Ends the session. False: there was none. */
  async logout(): Promise<boolean> {
    return (await this.#ask(operations.LogoutDocument, {})).logout.loggedOut;
  }

  /** Forgets every browser in which the holder of the session has signed in. Returns how many there were. */
  async forgetDevices(): Promise<number> {
    return (await this.#ask(operations.ForgetDevicesDocument, {})).forgetDevices.forgotten;
  }

  /**
   * Follows a login until it is over, through lost connections: each status once, in order. It connects when it is first
   * asked for a status. Leaving the loop ends it; so does the signal, also while nothing comes, by throwing its reason.
   */
  watch(loginToken: string, signal?: AbortSignal): AsyncGenerator<LoginStatus, void, undefined> {
    const url = new URL(this.#endpoint);
    url.protocol = url.protocol.replace("http", "ws");
    return watch({ ...this.#options, url: url.href }, loginToken, signal);
  }

  /** Waits while the phone has the word, and says where that led: into a session, to a confirmation, to a code, or to an end. */
  async waitForPhone(loginToken: string, signal?: AbortSignal): Promise<Outcome> {
    for await (const status of this.watch(loginToken, signal)) {
      const outcome = outcomeOf(status);
      if (outcome !== null) {
        return outcome;
      }
    }
    throw new ClientError({ kind: "malformed" });
  }

  async #ask<Data, Variables>(document: TypedDocumentNode<Data, Variables>, variables: Variables): Promise<Data> {
    const { bearer, timeout } = this.#options;
    const headers = {
      accept: "application/graphql-response+json, application/json;q=0.9",
      "content-type": "application/json",
      ...(bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }),
    };
    const body = JSON.stringify({ query: print(document), variables });
    return readAnswer<Data>(await request(this.#endpoint, { method: "POST", headers, body }, timeout));
  }
}

/**
 * Reads an answer by what it is, and by its status only where it is not GraphQL: requests that are wrong are answered with
 * a 4xx and errors that say why.
 */
function readAnswer<Data>({ status, contentType, body }: Answer): Data {
  const isSuccess = status >= 200 && status < 300;
  const isGraphql = /^application\/(graphql-response\+)?json\s*(;|$)/i.test(contentType);
  const answer = isGraphql ? (parseJson(body) as { data?: Data | null; errors?: GraphqlError[] } | null | undefined) : null;
  if (answer?.errors?.length) {
    throw new ClientError({ kind: "graphql", errors: answer.errors });
  }
  if (!isGraphql || !isSuccess) {
    throw new ClientError({ kind: "status", status });
  }
  if (answer?.data == null) {
    throw new ClientError({ kind: "malformed" });
  }
  return answer.data;
}

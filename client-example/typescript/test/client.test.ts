import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { test, type TestContext } from "node:test";
import { inspect } from "node:util";

import { bearerOf, Client, ClientError } from "../src/index.js";
import { Line } from "./line.js";
import { failsWith } from "./scene.js";

/** A client of a server that answers whatever it is asked in one way. */
async function clientOf(test: TestContext, answer: RequestListener): Promise<Client> {
  const server = createServer(answer).listen(0, "127.0.0.1");
  test.after(() => {
    server.close();
    server.closeAllConnections();
  });
  await once(server, "listening");
  return new Client(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
}

/** What a client makes of this answer: the user, or the problem. */
async function meets(test: TestContext, status: number, contentType: string, body: string): Promise<unknown> {
  const client = await clientOf(test, (_, response) => response.writeHead(status, { "content-type": contentType }).end(body));
  return client.me().catch((error: unknown) => {
    assert(error instanceof ClientError, String(error));
    return error.problem;
  });
}

const JSON_TYPE = "application/json; charset=utf-8";
const FAULT = { message: "a fault", extensions: { code: "INTERNAL", requestId: "7f" } };

test("data without errors is the answer", async (test) => {
  assert.equal(await meets(test, 200, JSON_TYPE, '{"data":{"me":null}}'), null);
});

test("errors are errors, beside data and with a 4xx too", async (test) => {
  const problem = { kind: "graphql", errors: [FAULT] };
  assert.deepEqual(await meets(test, 200, JSON_TYPE, JSON.stringify({ data: { me: null }, errors: [FAULT] })), problem);
  const type = "application/graphql-response+json";
  assert.deepEqual(await meets(test, 400, type, JSON.stringify({ errors: [FAULT] })), problem);
});

test("an error says its code, and what to tell whoever runs the service", () => {
  const error = new ClientError({ kind: "graphql", errors: [FAULT] });
  assert.equal(error.message, "a fault [INTERNAL] (request 7f)");
});

test("an answer that is not GraphQL is its status", async (test) => {
  assert.deepEqual(await meets(test, 502, JSON_TYPE, "{}"), { kind: "status", status: 502 });
  assert.deepEqual(await meets(test, 502, JSON_TYPE, "nonsense"), { kind: "status", status: 502 });
  assert.deepEqual(await meets(test, 200, "text/html", "<p>"), { kind: "status", status: 200 });
});

test("an answer that does not fit is malformed", async (test) => {
  for (const body of ["{", "{}", "null", '{"data":null}']) {
    assert.deepEqual(await meets(test, 200, JSON_TYPE, body), { kind: "malformed" }, body);
  }
});

test("a redirect is not followed", async (test) => {
  const asked: (string | undefined)[] = [];
  const client = await clientOf(test, ({ url }, response) => {
    asked.push(url);
    response.writeHead(307, { location: "/elsewhere" }).end();
  });
  await failsWith(client.me(), { kind: "unreachable" });
  assert.deepEqual(asked, ["/graphql"]);
});

test("a service that says nothing is given up in time", async (test) => {
  const line = await Line.start();
  test.after(() => line.close());
  line.keepSilent();
  await failsWith(new Client(line.url, { timeout: 50 }).me(), { kind: "timeout" });
});

test("only plain web addresses are taken", () => {
  for (const address of ["127.0.0.1:3000", "ftp://example.com", "http://ada:planted@example.com", ""]) {
    assert.throws(() => new Client(address), { name: "ClientError", problem: { kind: "address" } }, address);
  }
});

test("a client does not show its bearer", () => {
  const client = new Client("http://127.0.0.1:3000", { bearer: "planted" });
  assert(!inspect(client, { depth: null, showHidden: true }).includes("planted"));
  assert(!JSON.stringify(client).includes("planted"));
});

test("a session without a token is an error for a program that wants one", () => {
  assert.equal(bearerOf({ token: "planted" }), "planted");
  assert.throws(() => bearerOf({ token: null }), { name: "ClientError", problem: { kind: "noToken" } });
});

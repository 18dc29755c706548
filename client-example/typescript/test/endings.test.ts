// How a watch takes the ends of a connection that a healthy service does not bring about: from a socket that does as told.

import assert from "node:assert/strict";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { test, type TestContext } from "node:test";

import { WebSocketServer, type WebSocket } from "ws";

import { Client } from "../src/index.js";
import { failsWith, next, UNKNOWN_TOKEN } from "./scene.js";

/** What happens on a connection when it is subscribed on, with the id of the subscription. */
type Ending = (socket: WebSocket, id: string) => void;

const closes = (code: number): Ending => (socket) => socket.close(code);
const fails = (code: string): Ending => (socket, id) => {
  socket.send(JSON.stringify({ id, type: "error", payload: [{ message: "a message", extensions: { code } }] }));
};
const completes: Ending = (socket, id) => socket.send(JSON.stringify({ id, type: "complete" }));
const tells = (sequence: number, nextStep: string): Ending => (socket, id) => {
  const loginStatus = { sequence, state: "FAILED", nextStep, session: null };
  socket.send(JSON.stringify({ id, type: "next", payload: { data: { loginStatus } } }));
};

/** A watch whose connections end as told, one after another; how many there were, and when the last of them is closed. */
async function watchOf(test: TestContext, endings: readonly Ending[], patience = 60_000) {
  const server = new WebSocketServer({ host: "127.0.0.1", port: 0 });
  test.after(() => {
    server.clients.forEach((socket) => socket.terminate());
    server.close();
  });
  let connections = 0;
  server.on("connection", (socket) => {
    const ending = endings[connections];
    connections += 1;
    socket.on("message", (bytes) => {
      const { type, id } = JSON.parse(String(bytes)) as { type: string; id: string };
      if (type === "connection_init") {
        socket.send(JSON.stringify({ type: "connection_ack" }));
      } else if (type === "subscribe") {
        ending?.(socket, id);
      }
    });
  });
  await once(server, "listening");
  const client = new Client(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, { patience });
  const isLeft = () => Promise.all([...server.clients].map((socket) => once(socket, "close")));
  return { watch: client.watch(UNKNOWN_TOKEN), connections: () => connections, isLeft };
}

test("an end that says nothing about the login means: subscribe again", async (test) => {
  const endings = [completes, closes(1001), closes(1000), closes(4408), fails("INTERNAL"), tells(7, "NONE")];
  const { watch, connections } = await watchOf(test, endings);
  assert.equal((await next(watch)).sequence, 7);
  assert.equal((await watch.next()).done, true);
  assert.equal(connections(), 6);
});

test("an end that will be the same the next time is final", async (test) => {
  const errors = [{ message: "a message", extensions: { code: "BAD_REQUEST" } }];
  for (const [ending, problem] of [
    [closes(4400), { kind: "closed", code: 4400 }],
    [closes(4401), { kind: "sessionEnded" }],
    [fails("LOGIN_NOT_FOUND"), { kind: "loginNotFound" }],
    [fails("BAD_REQUEST"), { kind: "graphql", errors }],
  ] as const) {
    const { watch, connections } = await watchOf(test, [ending, tells(7, "NONE")]);
    await failsWith(watch.next(), problem);
    assert.equal(connections(), 1);
  }
});

test("the last status leaves no connection open, though nobody asks for more", async (test) => {
  const { watch, isLeft } = await watchOf(test, [tells(7, "NONE")]);
  assert.equal((await next(watch)).nextStep, "NONE");
  await isLeft();
});

test("a connection that is closed as if all were well is not made again at once", async (test) => {
  const { watch, connections } = await watchOf(test, Array.from({ length: 9 }, () => closes(1000)), 0);
  await failsWith(watch.next(), { kind: "unreachable" });
  assert.equal(connections(), 1);
});

test("a status that is older, or known, is not told", async (test) => {
  const both: Ending = (socket, id) => [0, 3, 2, 3, 4].forEach((sequence) => tells(sequence, "ENTER_CODE")(socket, id));
  const { watch } = await watchOf(test, [both]);
  const told = [await next(watch), await next(watch), await next(watch)];
  assert.deepEqual(told.map(({ sequence }) => sequence), [0, 3, 4]);
  await watch.return();
});

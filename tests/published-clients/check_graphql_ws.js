// Drives a running service with npm's `graphql-ws`, unchanged: a login from its beginning to the approval on the phone, and
// the ends of a socket. Takes SERVICE_URL and SANDBOX_URL from the environment. Exits with 1 and one line at the first wrong
// answer, and prints `N checks passed` at the end.

'use strict';

const { createClient } = require('graphql-ws');
const WebSocket = require('ws');
const { check, tell } = require('./check');

const SERVICE = process.env.SERVICE_URL;
const SANDBOX = process.env.SANDBOX_URL;
const SOCKET = `${SERVICE.replace(/^http/, 'ws')}/graphql`;
const STATUS = 'sequence state nextStep session { token user { email } }';

async function post(url, body, headers) {
  const answer = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });
  const text = await answer.text();
  return text && JSON.parse(text);
}

// A client that counts how often it connected, and knows how its last socket was closed.
function connect(options) {
  const seen = { connected: 0, closed: undefined };
  const closed = new Promise((resolve) => (seen.ended = resolve));
  const client = createClient({
    url: SOCKET,
    webSocketImpl: WebSocket,
    on: {
      connected: () => (seen.connected += 1),
      closed: (event) => {
        seen.closed = event;
        seen.ended(event);
      },
    },
    ...options,
  });
  return { client, seen, closed };
}

// The results of an operation, and the error that ended it, where one did.
async function results(client, query, variables, heard = () => {}) {
  const all = [];
  try {
    for await (const result of client.iterate({ query, variables })) {
      all.push(result);
      await heard(result);
    }
    return { all };
  } catch (error) {
    return { all, error };
  }
}

async function signUp() {
  const query = `mutation ($input: SignupInput!) { signup(input: $input) { loginToken status { state } errors { code } } }`;
  const input = {
    fullName: 'Grace Hopper',
    email: 'grace@example.com',
    countryCode: '1',
    phone: '202 555 0147',
    password: 'nanoseconds of wire',
  };
  const answer = await post(`${SERVICE}/graphql`, { query, variables: { input } });
  check('a signup begins', answer.data.signup.errors.length === 0, answer);
  return answer.data.signup.loginToken;
}

async function approve() {
  const { devices } = await (await fetch(`${SANDBOX}/phone/devices`)).json();
  const phone = await (await fetch(`${SANDBOX}/phone/devices/${devices[0].authy_id}`)).json();
  const [request] = phone.approval_requests;
  await post(`${SANDBOX}/phone/approval_requests/${request.uuid}`, { status: 'approved' });
}

async function watchToTheEnd() {
  const token = await signUp();
  const { client } = connect({});
  const query = `subscription ($token: String!) { loginStatus(loginToken: $token) { ${STATUS} } }`;
  let isAsked = false;
  const { all, error } = await results(client, query, { token }, async () => {
    if (!isAsked) {
      isAsked = true;
      await approve();
    }
  });
  const states = all.map(({ data }) => data.loginStatus.state);
  check('the subscription completes', error === undefined, error);
  check('the first state is the present one', states[0] === 'PENDING', states);
  check('the last state is the end', states.at(-1) === 'APPROVED', states);
  const { session } = all.at(-1).data.loginStatus;
  check('the session is the person’s', session.user.email === 'grace@example.com', session);

  const unknown = await results(client, query, { token: 'A'.repeat(43) });
  check('an unknown login is an error', unknown.error[0].extensions.code === 'LOGIN_NOT_FOUND', unknown);
  const wrong = await results(client, '{ nothing }');
  check('a wrong document is an error, not a result', Array.isArray(wrong.error) && wrong.all.length === 0, wrong);
  const typename = await results(client, '{ __typename }');
  check('the socket lives on', typename.all[0].data.__typename === 'Query', typename);
  await client.dispose();
  return session.token;
}

async function endSession(token) {
  const bearer = `Bearer ${token}`;
  const { client, seen, closed } = connect({ lazy: false, connectionParams: { authorization: bearer } });
  const me = await results(client, '{ me { email } }');
  check('the bearer of connection_init is known', me.all[0].data.me.email === 'grace@example.com', me);
  await post(`${SERVICE}/graphql`, { query: 'mutation { logout { loggedOut } }' }, { authorization: bearer });
  const event = await closed;
  check('a session that ends closes its sockets', event.code === 4401, event.code);
  check('and the client does not come again', seen.connected === 1, seen.connected);
  await client.dispose();
}

// What the client library never does, over a bare socket of its own kind.
async function closeCode(protocol, ...messages) {
  const socket = new WebSocket(SOCKET, protocol);
  socket.on('open', () => messages.forEach((message) => socket.send(message)));
  return new Promise((resolve) => {
    socket.on('close', (code) => resolve(code));
    socket.on('error', (error) => resolve(error.message));
  });
}

async function breakTheProtocol() {
  const protocol = 'graphql-transport-ws';
  const init = JSON.stringify({ type: 'connection_init' });
  const subscribe = JSON.stringify({
    type: 'subscribe',
    id: '1',
    payload: { query: 'subscription { loginStatus(loginToken: "' + 'A'.repeat(43) + '") { state } }' },
  });
  check('nonsense', (await closeCode(protocol, 'nonsense')) === 4400);
  check('subscribe before the acknowledgement', (await closeCode(protocol, subscribe)) === 4401);
  check('initialised twice', (await closeCode(protocol, init, init)) === 4429);
  const legacy = await closeCode('graphql-ws');
  check('the legacy sub-protocol is not spoken', /400/.test(legacy), legacy);
}

async function main() {
  const token = await watchToTheEnd();
  await endSession(token);
  await breakTheProtocol();
  tell();
  process.exit(0);
}

main().catch((error) => check('nothing throws', false, error));

// Runs every snippet in JavaScript of docs/FRONTEND.md, letter for letter, against a running service and sandbox: its clients
// log in and follow to the end, its phone does what it is there for. The one invariant: no snippet is left out. Takes SERVICE_URL
// and SANDBOX_URL from the environment, and the packages from beside NODE_PATH. Exits with 1 and one line at the first wrong
// answer, and prints `N checks passed` at the end.

'use strict';

const { spawn } = require('child_process');
const { once } = require('events');
const { mkdtempSync, readFileSync, rmSync, writeFileSync } = require('fs');
const path = require('path');
const { pathToFileURL } = require('url');
const WebSocket = require('ws');
const { check, tell } = require('./check');

const SERVICE = process.env.SERVICE_URL;
const SANDBOX = process.env.SANDBOX_URL;
const DOCUMENT = path.resolve(__dirname, '../../docs/FRONTEND.md');
const [EMAIL, PASSWORD] = ['grace@example.com', 'nanoseconds of wire'];
const SIGNUP = 'mutation ($input: SignupInput!) { signup(input: $input) { loginToken errors { code } } }';
// Modules are looked for beside the file that asks for them, wherever NODE_PATH points.
const folder = mkdtempSync(path.join(path.dirname(process.env.NODE_PATH), 'snippets-'));
process.on('exit', () => rmSync(folder, { recursive: true }));

const snippets = [...readFileSync(DOCUMENT, 'utf8').matchAll(/^```js\n([\s\S]*?)^```$/gm)].map(([, text]) => text);

// Takes the one snippet that holds these words.
function take(words) {
  const found = snippets.filter((text) => text.includes(words));
  check(`one snippet has ${words}`, found.length === 1, found.length);
  snippets.splice(snippets.indexOf(found[0]), 1);
  return found[0];
}

function write(name, text) {
  writeFileSync(path.join(folder, name), text);
}

// Browsers have WebSocket, and so has Node from 22 on.
function writeAll() {
  write('package.json', '{ "type": "module" }');
  write('websocket.cjs', `globalThis.WebSocket = require('ws');`);
  const operations = take('// operations.js').replace('http://127.0.0.1:3000', SERVICE);
  check('the operations are asked of this service', operations.includes(`'${SERVICE}'`), operations);
  write('operations.js', operations);
  for (const name of ['plain.js', 'phone.js']) {
    write(name, take(`// ${name}\n`));
  }
  const typed = 'const [email, password] = process.argv.slice(2);\n';
  write('use_urql.js', typed + take(`from '@urql/core'`));
  write('use_apollo.js', typed + take(`from '@apollo/client'`));
  write('use_plain.js', typed + take(`import { ask, follow } from './plain.js'`));
}

const load = (name) => import(pathToFileURL(path.join(folder, name)));

// Runs a client until it ends by itself. The phone approves as soon as the client has told that it waits.
async function approveFor(name, phone) {
  const client = spawn(process.execPath, ['--require', './websocket.cjs', name, EMAIL, PASSWORD], { cwd: folder });
  // One that is still waiting when something is wrong would wait for ever.
  process.on('exit', () => client.kill());
  let [told, wrong] = ['', ''];
  client.stderr.on('data', (text) => (wrong += text));
  const ended = once(client, 'close');
  client.stdout.on('data', (text) => (told += text));
  await Promise.race([once(client.stdout, 'data'), ended]);
  check(`${name} tells that it waits`, told.startsWith('PENDING'), { told, wrong });
  await phone.approve();
  const [code] = await ended;
  const last = told.trim().split('\n').at(-1);
  check(`${name} ends by itself, with nothing wrong`, code === 0 && wrong === '', { code, wrong });
  check(`${name} tells who is signed in`, last.startsWith('APPROVED') && last.includes(EMAIL), told);
}

// The statuses of a login up to the first of this state.
async function until(state, statuses) {
  const states = [];
  for await (const status of statuses) {
    states.push(status.state);
    if (status.state === state) {
      return status;
    }
  }
  check(`a login is ${state}`, false, states);
}

async function signUp({ ask, follow }, phone) {
  const input = { fullName: 'Grace Hopper', email: EMAIL, countryCode: '1', phone: '202 555 0147', password: PASSWORD };
  const { loginToken, errors } = (await ask(SIGNUP, { input })).signup;
  check('a signup begins', errors.length === 0, errors);
  await phone.approve();
  const status = await until('APPROVED', follow(loginToken));
  check('a signup is approved', status.session.user.email === EMAIL, status);
  return status.session.deviceToken;
}

async function tryThePhone({ ask, follow }, logIn, deviceToken, phone) {
  const denied = await logIn(deviceToken);
  await phone.deny();
  const status = await until('DENIED', follow(denied.loginToken));
  check('a denial asks for a code', status.nextStep === 'ENTER_CODE', status);
  await phone.advance(601);
  check('time passes', (await until('EXPIRED', follow(denied.loginToken))).nextStep === 'NONE');

  await phone.faults({ api: { kind: 'status', status: 500 } });
  const failed = await logIn();
  check('the provider is away', failed.errors[0].code === 'PROVIDER_UNAVAILABLE' && failed.loginToken, failed);
  await phone.faults({});
  await phone.removeApp();
  const { status: coded, errors } = await logIn();
  check('no fault is left', errors.length === 0, errors);
  check('without the app a code is sent', coded.nextStep === 'ENTER_CODE' && coded.codeChannel === 'SMS', coded);
  const { messages, onetouch } = await phone.look();
  check('the phone has no app', onetouch === false, onetouch);
  check('its code can be read', /^\d{7}$/.test(messages.at(-1).code), messages);
  await checkFault(ask);
}

async function checkFault(ask) {
  const fault = await ask('{ nothing }').catch((error) => error);
  check('what GraphQL refuses is thrown', fault instanceof Error && fault.code === 'BAD_REQUEST', fault);
}

// The browser's clock is of no concern: the service's is years away from it.
function countDown() {
  const seconds = new Function('status', `${take('const seconds =')} return seconds;`);
  const left = seconds({ toldAt: '2001-01-01T00:00:00Z' })('2001-01-01T01:00:00Z');
  check('an hour is left', left > 0 && left <= 3600, left);
}

async function main() {
  writeAll();
  countDown();
  check('no snippet is left out', snippets.length === 0, snippets);
  globalThis.WebSocket = WebSocket;
  const [plain, { LOGIN }, { phone: phoneOf }] = await Promise.all(['plain.js', 'operations.js', 'phone.js'].map(load));
  const phone = phoneOf(SANDBOX, '+12025550147');
  const logIn = async (deviceToken) =>
    (await plain.ask(LOGIN, { input: { email: EMAIL, password: PASSWORD, deviceToken } })).login;
  const deviceToken = await signUp(plain, phone);
  for (const client of ['use_plain.js', 'use_apollo.js', 'use_urql.js']) {
    await approveFor(client, phone);
  }
  await tryThePhone(plain, logIn, deviceToken, phone);
  tell();
  process.exit(0);
}

main().catch((error) => check('nothing throws', false, error));

// Drives npm's `authy`, unchanged, through a running sandbox, and asserts every answer by the library's own rules.
// Takes SANDBOX_URL and SANDBOX_KEY from the environment. Exits with 1 and one line at the first wrong answer, and prints
// `N checks passed` at the end. The library has no function that verifies a callback, so none is checked here.

'use strict';

const authy = require('authy');
const { check, tell } = require('./check');

const SANDBOX = process.env.SANDBOX_URL.replace(/\/$/, '');
const KEY = process.env.SANDBOX_KEY;
const EMAIL = 'node@example.com';
const PHONE = '405-342-5602';
const COUNTRY = '1';

// Calls a function of the library; gives what its callback was given.
function ask(client, name, ...args) {
  return new Promise((resolve) => {
    client[name](...args, (error, answer) => resolve({ error, answer }));
  });
}

// Speaks with the sandbox's phone API.
async function phone(method, path, body) {
  const headers = { 'content-type': 'application/json' };
  const answer = await fetch(`${SANDBOX}/phone/${path}`, { method, headers, body: body && JSON.stringify(body) });
  const text = await answer.text();
  return text && JSON.parse(text);
}

async function usersAndCodes(api) {
  const user = await ask(api, 'register_user', EMAIL, PHONE, COUNTRY);
  check('register_user', !user.error && Number.isInteger(user.answer.user.id), user);
  const id = user.answer.user.id;
  const again = await ask(api, 'register_user', EMAIL, PHONE, COUNTRY, false);
  check('the same phone has the same id', !again.error && again.answer.user.id === id, again);
  await phone('PATCH', `devices/${id}`, { onetouch: true });
  const refused = await ask(api, 'register_user', EMAIL, '12', COUNTRY);
  check('register_user of no phone', refused.error && refused.error.cellphone === 'is invalid', refused);

  const status = await ask(api, 'user_status', id);
  check('user_status', !status.error && status.answer.status.authy_id === id, status);
  const nobody = await ask(api, 'user_status', 1234);
  check('user_status of nobody', nobody.error && nobody.error.error_code === '60026', nobody);

  const ignored = await ask(api, 'request_sms', id);
  check('request_sms with the app is ignored', !ignored.error && ignored.answer.ignored === true, ignored);
  const sent = await ask(api, 'request_sms', id, true);
  check('request_sms with force', !sent.error && !('ignored' in sent.answer), sent);
  const call = await ask(api, 'request_call', id, true);
  check('request_call with force', !call.error && !('ignored' in call.answer), call);

  const { messages } = await phone('GET', `devices/${id}`);
  const { code } = messages.filter(({ channel }) => channel === 'sms').pop();
  const wrong = code === '0000000' ? '1111111' : '0000000';
  const rejected = await ask(api, 'verify', id, wrong, true);
  check('verify of a wrong code', rejected.error && rejected.error.error_code === '60020', rejected);
  const verified = await ask(api, 'verify', id, code, true);
  check('verify of the right code', !verified.error && verified.answer.token === 'is valid', verified);
  const used = await ask(api, 'verify', id, code, true);
  check('verify of a used code', used.error && used.error.error_code === '60019', used);
  const appCode = (await phone('GET', `devices/${id}`)).app_code;
  const blanks = `${appCode.slice(0, 3)} ${appCode.slice(3)}`;
  const byApp = await ask(api, 'verify', id, blanks);
  const isSpent = byApp.error && byApp.error.error_code === '60019';
  check("verify of the app's code, typed with a blank, unless it was typed before", !byApp.error || isSpent, byApp);
  return id;
}

async function approvals(api, id) {
  const payload = { message: 'Log in?', details: { 'Email Address': EMAIL, Location: 'California, USA' }, seconds_to_expire: 120 };
  const logos = [{ res: 'default', url: 'https://example.com/d.png' }, { res: 'low', url: 'https://example.com/l.png' }];
  for (const verdict of ['approved', 'denied']) {
    const request = await ask(api, 'send_approval_request', id, payload, { login: '0198' }, logos);
    check('send_approval_request', !request.error && request.answer.success === true, request);
    const { uuid } = request.answer.approval_request;
    const pending = await ask(api, 'check_approval_status', uuid);
    check('it is pending', !pending.error && pending.answer.approval_request.status === 'pending', pending);
    await phone('POST', `approval_requests/${uuid}`, { status: verdict });
    const answered = await ask(api, 'check_approval_status', uuid);
    check(`it is ${verdict}`, !answered.error && answered.answer.approval_request.status === verdict, answered);
  }
  const { approval_requests: requests } = await phone('GET', `devices/${id}`);
  check('the phone shows the details', requests.pop().details.Location === 'California, USA', requests);
  const bare = await ask(api, 'send_approval_request', id, { message: 'Log in?' }, null, null);
  check('send_approval_request with a message alone', !bare.error, bare);
  const missing = await ask(api, 'check_approval_status', 'dda2c400-bc43-0135-d7be-1285ca17e122');
  check('an unknown request', missing.error && missing.error.error_code === '60049', missing);
}

async function withoutApp(api, id) {
  await phone('PATCH', `devices/${id}`, { onetouch: false });
  const request = await ask(api, 'send_approval_request', id, { message: 'Log in?' }, null, null);
  check('no push without the app', request.error && request.error.success === false, request);
  const sms = await ask(api, 'request_sms', id);
  check('an SMS without the app needs no force', !sms.error && !('ignored' in sms.answer), sms);
  await phone('PATCH', `devices/${id}`, { onetouch: true });
}

async function main() {
  const api = authy(KEY, SANDBOX);
  const id = await usersAndCodes(api);
  await approvals(api, id);
  await withoutApp(api, id);
  const deleted = await ask(api, 'delete_user', id);
  check('delete_user', !deleted.error && deleted.answer.success === true, deleted);
  const gone = await ask(api, 'user_status', id);
  check('a deleted user is unknown', gone.error && gone.error.error_code === '60026', gone);
  const refused = await ask(authy('wrong', SANDBOX), 'register_user', EMAIL, PHONE, COUNTRY);
  check('a wrong key', refused.error && refused.error.error_code === '60001', refused);
  tell();
}

main().catch((error) => check('an answer for each call', false, error));

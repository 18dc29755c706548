// Drives npm's `authy-client`, unchanged, through a running sandbox. It validates the shape of every answer itself: an answer
// that it takes is right by its rules. Takes SANDBOX_URL and SANDBOX_KEY from the environment. Exits with 1 and one line at
// the first wrong answer, and prints `N checks passed` at the end.
//
// Its `verifyCallback` wants `device_uuid` as text, while Authy sends a number; it refuses Authy's own callbacks for that. So
// it is given each callback as it came, where `device_uuid` has to be the only complaint, the signature being among what it
// checks.

'use strict';

const http = require('http');
const { once } = require('events');
const { Client } = require('authy-client');
const { check, tell } = require('./check');

const SANDBOX = process.env.SANDBOX_URL.replace(/\/$/, '');
const KEY = process.env.SANDBOX_KEY;
const USER = { email: 'client@example.com', phone: '405-342-5603', countryCode: '1' };

// What the library says no with.
async function refusal(promise) {
  try {
    return { taken: await promise };
  } catch (error) {
    return error;
  }
}

// Speaks with the sandbox's phone API.
async function phone(method, path, body) {
  const headers = { 'content-type': 'application/json' };
  const answer = await fetch(`${SANDBOX}/phone/${path}`, { method, headers, body: body && JSON.stringify(body) });
  const text = await answer.text();
  return text && JSON.parse(text);
}

async function usersAndCodes(api) {
  const user = await api.registerUser(USER);
  const authyId = user.user.id;
  check('registerUser', Number.isInteger(authyId), user);
  check('the same phone has the same id', (await api.registerUser(USER)).user.id === authyId, user);
  await phone('PATCH', `devices/${authyId}`, { onetouch: true });

  const status = await api.getUserStatus({ authyId });
  check('getUserStatus', status.status.authy_id === authyId && status.status.registered === true, status);
  const nobody = await refusal(api.getUserStatus({ authyId: 1234 }));
  check('getUserStatus of nobody', nobody.code === 404 && nobody.body.error_code === '60026', nobody);

  const ignored = await api.requestSms({ authyId });
  check('requestSms with the app is ignored', ignored.ignored === true && ignored.device === 'android', ignored);
  const sent = await api.requestSms({ authyId }, { action: 'login', force: true, message: 'Log in' });
  check('requestSms with force', !('ignored' in sent), sent);
  const call = await api.requestCall({ authyId }, { force: true });
  check('requestCall with force', !('ignored' in call), call);

  const { messages } = await phone('GET', `devices/${authyId}`);
  const { code } = messages.filter(({ channel }) => channel === 'voice').pop();
  const token = code === '0000000' ? '1111111' : '0000000';
  const wrong = await refusal(api.verifyToken({ authyId, token }, { force: true }));
  check('verifyToken of a wrong code', wrong.code === 401 && wrong.body.error_code === '60020', wrong);
  const verified = await api.verifyToken({ authyId, token: code }, { force: true });
  check('verifyToken of the right code', verified.success === 'true', verified);
  const used = await refusal(api.verifyToken({ authyId, token: code }, { force: true }));
  check('verifyToken of a used code', used.code === 401 && used.body.error_code === '60019', used);
  return authyId;
}

// What `verifyCallback` complains about, by member.
async function complaints(api, request) {
  const { errors = {} } = await refusal(api.verifyCallback(request));
  return Object.values(errors).flatMap((group) => Object.keys(group)).sort().join(' ');
}

async function callback(api, authyId, verdict) {
  const server = http.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const host = `127.0.0.1:${server.address().port}`;
  const before = await phone('GET', 'callback');
  await phone('PUT', 'callback', { url: `http://${host}/authy/callback`, method: 'POST' });
  const arrival = once(server, 'request');
  const details = { hidden: { login: '0198' }, visible: { 'Email Address': USER.email, Location: 'California, USA' } };
  const logos = [{ res: 'default', url: 'https://example.com/d.png' }, { res: 'low', url: 'https://example.com/l.png' }];
  const created = await api.createApprovalRequest({ authyId, details, logos, message: 'Log in?' }, { ttl: 120 });
  const { uuid } = created.approval_request;
  const pending = await api.getApprovalRequest({ id: uuid });
  check('it is pending', pending.approval_request.status === 'pending', pending);
  await phone('POST', `approval_requests/${uuid}`, { status: verdict });
  const answered = await api.getApprovalRequest({ id: uuid });
  check(`it is ${verdict}`, answered.approval_request.status === verdict, answered);

  const [incoming, response] = await arrival;
  const chunks = [];
  for await (const chunk of incoming) chunks.push(chunk);
  response.end();
  server.close();
  await phone('PUT', 'callback', { url: before.url, method: before.method });
  const { headers, method, url } = incoming;
  return { body: JSON.parse(Buffer.concat(chunks)), headers, method, protocol: 'http', url };
}

async function approvals(api, authyId) {
  for (const verdict of ['approved', 'denied']) {
    const request = await callback(api, authyId, verdict);
    check('the callback says so', request.body.status === verdict, request.body);
    const seen = await complaints(api, request);
    check('verifyCallback complains about device_uuid alone', seen === 'device_uuid', seen);
    request.body.approval_request.transaction.message = 'Pay?';
    const tampered = await complaints(api, request);
    check('and about the signature of another body', tampered === 'device_uuid x-authy-signature', tampered);
  }
  const missing = await refusal(api.getApprovalRequest({ id: 'dda2c400-bc43-0135-d7be-1285ca17e122' }));
  check('an unknown request', missing.code === 404 && missing.body.error_code === '60049', missing);
}

async function expiry(api, authyId) {
  const created = await api.createApprovalRequest({ authyId, message: 'Log in?' }, { ttl: 1 });
  const moved = await phone('PUT', 'clock', { advanceSeconds: 2 });
  if (moved.error) return;
  const expired = await api.getApprovalRequest({ id: created.approval_request.uuid });
  check('it is expired', expired.approval_request.status === 'expired', expired);
}

async function withoutApp(api, authyId) {
  await phone('PATCH', `devices/${authyId}`, { onetouch: false });
  const request = await refusal(api.createApprovalRequest({ authyId, message: 'Log in?' }));
  check('no push without the app', request.code === 400 && request.body.success === false, request);
  const sms = await api.requestSms({ authyId });
  check('an SMS without the app needs no force', !('ignored' in sms), sms);
  await phone('PATCH', `devices/${authyId}`, { onetouch: true });
}

async function application(api, authyId) {
  const activity = await api.registerActivity({ authyId, data: { reason: 'lost' }, type: 'password_reset' }, { ip: '127.0.0.1' });
  check('registerActivity', activity.success === true, activity);
  const details = await api.getApplicationDetails();
  check('getApplicationDetails', details.app.sms_enabled === true, details);
  const stats = await api.getApplicationStatistics();
  check('getApplicationStatistics', stats.total_users >= 1, stats);
}

async function main() {
  const api = new Client({ key: KEY }, { host: SANDBOX });
  const authyId = await usersAndCodes(api);
  await approvals(api, authyId);
  await expiry(api, authyId);
  await withoutApp(api, authyId);
  await application(api, authyId);
  const deleted = await api.deleteUser({ authyId });
  check('deleteUser', deleted.success === true, deleted);
  const gone = await refusal(api.getUserStatus({ authyId }));
  check('a deleted user is unknown', gone.code === 404, gone);
  const refused = await refusal(new Client({ key: 'wrong' }, { host: SANDBOX }).registerUser(USER));
  check('a wrong key', refused.code === 401 && refused.body.error_code === '60001', refused);
  tell();
}

main().catch((error) => check('an answer that the library takes', false, error));

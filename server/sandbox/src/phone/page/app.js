// The phone: which one is shown, and what is on it. Nothing is asked at intervals: the sandbox says when something has
// changed. A request that arrives on another phone is shown at once, unless the one in hand waits for a finger itself.

import { device, devices, follow, setOnetouch } from './api.js';
import { showCodes, showRing, startCodes } from './codes.js';
import { byId, element, showAll } from './elements.js';
import { showRequests, showTimeLeft } from './requests.js';

let shown = null;
let phones = [];
let clockAhead = 0;
let isReading = false;
let isStale = false;

const now = () => Date.now() + clockAhead;

// Reads everything again; what changes while it reads is read once more.
async function refresh() {
  isStale = true;
  if (isReading) {
    return;
  }
  isReading = true;
  while (isStale) {
    isStale = false;
    await read().catch(away);
  }
  isReading = false;
}

async function read() {
  const before = new Map(phones.map((phone) => [phone.authy_id, phone.pending]));
  phones = (await devices()).toReversed();
  const wanted = choose(before);
  const isOther = wanted !== shown?.authy_id;
  shown = wanted === null ? null : await device(wanted);
  if (shown) {
    clockAhead = Date.parse(shown.now) - Date.now();
    history.replaceState(null, '', `#${shown.authy_id}`);
  }
  document.documentElement.dataset.live = 'true';
  byId('away').hidden = true;
  show(isOther);
}

// The phone in hand, or one on which a request has just arrived.
function choose(before) {
  const chosen = Number(location.hash.slice(1));
  const inHand = phones.find((phone) => phone.authy_id === chosen);
  const arrived = phones.find((phone) => phone.pending > (before.get(phone.authy_id) ?? 0));
  if (arrived && !inHand?.pending) {
    return arrived.authy_id;
  }
  return (inHand ?? phones[0])?.authy_id ?? null;
}

function show(isOther) {
  byId('no-people').hidden = phones.length > 0;
  byId('empty').hidden = shown !== null;
  byId('device').hidden = shown === null;
  showAll(byId('people'), phones, (phone) => phone.authy_id, person, showPerson);
  if (shown) {
    byId('number').textContent = shown.phone;
    byId('onetouch').checked = shown.onetouch;
    showRequests(shown.approval_requests, now(), isOther);
    showCodes(shown);
  }
  if (isOther) {
    document.querySelector('.screen').scrollTo(0, 0);
  }
  tick();
}

function person({ authy_id: authyId }) {
  const button = element(
    'button',
    { type: 'button', 'data-authy-id': String(authyId) },
    element('strong'),
    element('span', { class: 'emails' }),
    element('span', { class: 'badge' }, element('span', { 'data-pending': true }), element('span', { class: 'unseen' }, ' waiting')),
  );
  button.addEventListener('click', () => {
    location.hash = String(authyId);
  });
  return element('li', {}, button);
}

function showPerson(item, { authy_id: authyId, phone, emails, pending }) {
  item.firstChild.setAttribute('aria-pressed', String(authyId === shown?.authy_id));
  item.querySelector('strong').textContent = phone;
  item.querySelector('.emails').textContent = emails.join(', ');
  item.querySelector('[data-pending]').textContent = pending;
  item.querySelector('.badge').hidden = pending === 0;
}

function away() {
  document.documentElement.dataset.live = 'false';
  byId('away').hidden = false;
}

// What time does by itself: the clock, the ring, what is left of a request. Of ends, and of new codes, nobody tells.
function tick() {
  byId('clock').textContent = new Date(now()).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });
  if (!shown) {
    return;
  }
  const isRequestOver = showTimeLeft(now());
  const isCodeOver = shown.app_code && showRing(now(), shown.app_code_expires_at);
  if ((isRequestOver || isCodeOver) && !isReading) {
    refresh();
  }
}

startCodes();
byId('onetouch').addEventListener('change', ({ target }) => {
  setOnetouch(shown.authy_id, target.checked).catch(() => {
    target.checked = !target.checked;
  });
});
addEventListener('hashchange', refresh);
follow(refresh, away);
setInterval(tick, 1_000);

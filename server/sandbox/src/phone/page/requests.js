// The requests on a phone: those that wait for a finger as cards, and what became of the others.

import { answer } from './api.js';
import { byId, element, showAll } from './elements.js';

const NUMBER = 'Match number';
const EARLIER = 8;
const WORDS = { approved: 'Approved', denied: 'Denied', expired: 'Expired' };
let known = new Set();

// Shows the requests of a phone, the newest first; `isOther`: another phone was shown before.
export function showRequests(requests, now, isOther) {
  const newestFirst = requests.toReversed();
  const pending = newestFirst.filter((request) => request.status === 'pending');
  showAll(byId('requests'), pending, (request) => request.uuid, card);
  byId('no-requests').hidden = pending.length > 0;
  const earlier = newestFirst.filter((request) => request.status !== 'pending').slice(0, EARLIER);
  showAll(byId('history'), earlier, (request) => `${request.uuid} ${request.status}`, entry);
  byId('history-section').hidden = earlier.length === 0;
  announce(pending, isOther);
  showTimeLeft(now);
}

// Is read out when a request arrives.
function announce(pending, isOther) {
  const arrived = pending.filter((request) => !known.has(request.uuid));
  known = new Set(pending.map((request) => request.uuid));
  if (arrived.length > 0) {
    byId('arrived').textContent = `New request: ${arrived[0].message}`;
  } else if (isOther || pending.length === 0) {
    byId('arrived').textContent = '';
  }
}

function card(request) {
  const { [NUMBER]: number = null, ...details } = request.details;
  const rows = Object.entries(details).map(([label, value]) =>
    element('div', {}, element('dt', {}, label), element('dd', {}, String(value))),
  );
  const made = element(
    'article',
    { class: 'card', 'data-request': request.uuid, 'data-expires-at': request.expires_at, 'aria-label': request.message },
    element('h3', {}, request.message),
    number && element('p', { class: 'match' }, element('span', {}, 'Match number'), element('strong', { 'data-match-number': true }, String(number))),
    element('dl', {}, ...rows),
    element('p', { class: 'left', 'data-left': true }),
    element(
      'div',
      { class: 'fingers' },
      element('button', { type: 'button', class: 'deny', 'data-action': 'deny' }, 'Deny'),
      element('button', { type: 'button', class: 'approve', 'data-action': 'approve' }, 'Approve'),
    ),
  );
  made.querySelector('.approve').addEventListener('click', () => press(made, request.uuid, 'approved'));
  made.querySelector('.deny').addEventListener('click', () => press(made, request.uuid, 'denied'));
  return made;
}

// The card goes with the event that follows; where it was not taken, the buttons come back.
async function press(card, uuid, status) {
  const buttons = card.querySelectorAll('button');
  const fault = byId('fault');
  fault.hidden = true;
  buttons.forEach((button) => (button.disabled = true));
  try {
    await answer(uuid, status);
    byId('requests-title').focus();
  } catch (error) {
    fault.textContent = error.message;
    fault.hidden = false;
    buttons.forEach((button) => (button.disabled = false));
  }
}

function entry(request) {
  return element(
    'li',
    { class: request.status, 'data-answered': request.uuid },
    element('span', {}, request.message),
    element('em', {}, WORDS[request.status] ?? request.status),
  );
}

// Shows how long each request still waits, and says whether one is over.
export function showTimeLeft(now) {
  let isOneOver = false;
  for (const card of document.querySelectorAll('[data-expires-at]')) {
    const seconds = Math.max(0, Math.ceil((Date.parse(card.dataset.expiresAt) - now) / 1_000));
    const clock = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
    card.querySelector('[data-left]').textContent = `${clock} left`;
    isOneOver ||= seconds === 0;
  }
  return isOneOver;
}

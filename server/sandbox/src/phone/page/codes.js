// Codes: the one that the app shows, and those that messages brought.

import { byId, copy, element, showAll } from './elements.js';

const STEP_MS = 30_000;
const CHANNELS = { sms: 'Text message', voice: 'Call', app: 'Notice' };
let appCode = null;

// Shows the code of the app, and the messages, the newest first.
export function showCodes(device) {
  appCode = device.app_code;
  byId('app-code-section').hidden = appCode === null;
  document.querySelector('[data-app-code]').textContent = appCode ? spaced(appCode) : '';
  const messages = device.messages.map((message, place) => ({ ...message, place })).toReversed();
  showAll(byId('messages'), messages, (message) => `${device.authy_id} ${message.at} ${message.place}`, bubble);
  byId('no-messages').hidden = messages.length > 0;
}

// Shows how much of the code's time is left, in a ring of 30 parts, and says whether it is over.
export function showRing(now, expiresAt) {
  const left = Math.max(0, Math.min(STEP_MS, Date.parse(expiresAt) - now));
  byId('ring').style.strokeDashoffset = String(30 - left / 1_000);
  return left === 0;
}

export function startCodes() {
  byId('app-code').addEventListener('click', () => appCode && copy(appCode, byId('app-code')));
}

const spaced = (code) => `${code.slice(0, 3)} ${code.slice(3)}`;

function bubble(message) {
  const time = new Date(message.at).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });
  const made = element(
    'li',
    {},
    element('p', { class: 'meta' }, `${CHANNELS[message.channel] ?? message.channel} · ${time}`),
    element('p', { class: 'bubble' }, message.text),
  );
  if (message.code) {
    const button = element('button', { type: 'button', class: 'copy', 'data-message-code': message.code }, `Copy ${message.code}`);
    button.addEventListener('click', () => copy(message.code, button));
    made.append(button);
  }
  return made;
}

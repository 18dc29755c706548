// The account of the signed-in user: facts, sessions, and what can be done about them.

import { forgetDevice } from '../devices.js';
import { alert, messageOf, show } from '../form.js';
import { FORGET_DEVICES, LOGOUT } from '../operations.js';
import { endOtherSessions, endSession } from '../sensitive.js';
import { ask } from '../service.js';
import { view } from '../views.js';
import { showSessions } from './sessions.js';

const section = view('account');
const done = document.getElementById('account-done');
const GREETING = done.textContent;
let application;
let isBusy = false;

export function startAccount(pages) {
  application = pages;
  onClick('logout', async () => {
    await ask(LOGOUT);
    application.signedOut();
  });
  onClick('forget', async () => {
    const { forgetDevices } = await ask(FORGET_DEVICES);
    forgetDevice(application.user);
    document.getElementById('forgotten').textContent = `Forgotten: ${forgetDevices.forgotten}.`;
    // Zero also means that the session has ended.
    if (forgetDevices.forgotten === 0) {
      await application.lookAgain();
    }
  });
  onClick('end-others', () => carryOut(endOtherSessions()));
}

// Shows a user's account, as it was read last.
export function showAccount(user) {
  const since = new Date(user.createdAt).toLocaleDateString(document.documentElement.lang, { dateStyle: 'long' });
  const facts = { ...user, phone: `+${user.countryCode} ${user.maskedPhone}`, since };
  for (const place of section.querySelectorAll('[data-user]')) {
    place.replaceChildren(...breakable(facts[place.dataset.user]));
  }
  showSessions(user.sessions, (session, name) => act(() => carryOut(endSession(session, name))));
}

// Forgets what was said about earlier actions.
export function resetAccount() {
  done.textContent = GREETING;
  document.getElementById('forgotten').textContent = '';
  alert(section, '');
}

// Says what was done, where the person looks and a screen reader reads.
export function showDone(sentence) {
  done.textContent = sentence;
  done.focus();
}

// The text, which a line may break before an `@`: an email is too long for one line sooner than its parts are.
function breakable(text) {
  const [first, ...others] = String(text).split('@');
  const unbroken = (part) => Object.assign(document.createElement('span'), { className: 'unbroken', textContent: part });
  return [first, ...others.map((part) => unbroken(`@${part}`))];
}

async function carryOut(operation) {
  const errors = await application.confirmations.carryOut(operation);
  if (errors.length > 0) {
    // The list may be old: the session may have ended meanwhile.
    await application.lookAgain();
    show(section, errors);
  }
}

function onClick(id, does) {
  document.getElementById(id).addEventListener('click', () => act(does));
}

// One at a time: a second click on a slow line must not send a second request.
async function act(does) {
  if (isBusy) {
    return;
  }
  isBusy = true;
  resetAccount();
  try {
    await does();
  } catch (fault) {
    alert(section, messageOf(fault));
  } finally {
    isBusy = false;
  }
}

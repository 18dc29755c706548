// The account of whoever is signed in.

import { forgetDevice } from '../devices.js';
import { alert, messageOf } from '../form.js';
import { FORGET_DEVICES, LOGOUT } from '../operations.js';
import { ask } from '../service.js';
import { view } from '../views.js';

const section = view('account');

export function startAccount(application) {
  act('logout', async () => {
    await ask(LOGOUT);
    application.signedOut();
  });
  act('forget', async () => {
    const { forgetDevices } = await ask(FORGET_DEVICES);
    forgetDevice(application.user);
    document.getElementById('forgotten').textContent = `Forgotten: ${forgetDevices.forgotten}.`;
  });
}

// Shows somebody's account.
export function showAccount(user) {
  const since = new Date(user.createdAt).toLocaleDateString(document.documentElement.lang, { dateStyle: 'long' });
  const facts = { ...user, phone: `+${user.countryCode} ${user.maskedPhone}`, since };
  for (const place of section.querySelectorAll('[data-user]')) {
    place.replaceChildren(...breakable(facts[place.dataset.user]));
  }
  document.getElementById('forgotten').textContent = '';
  alert(section, '');
}

// The text, which a line may break before an `@`: an email is too long for one line sooner than its parts are.
function breakable(text) {
  const [first, ...others] = String(text).split('@');
  const unbroken = (part) => Object.assign(document.createElement('span'), { className: 'unbroken', textContent: part });
  return [first, ...others.map((part) => unbroken(`@${part}`))];
}

function act(id, does) {
  document.getElementById(id).addEventListener('click', async () => {
    alert(section, '');
    try {
      await does();
    } catch (fault) {
      alert(section, messageOf(fault));
    }
  });
}

// What this browser is known by: the device token of each user who has signed in here. It signs nobody in; it spares them the
// pauses that others' guesses cause.

import { browserStorage } from './storage.js';

const KEY = 'countersign.devices';

function all() {
  try {
    return JSON.parse(browserStorage.get(KEY)) ?? {};
  } catch {
    return {};
  }
}

// One spelling of an address whatever its case; a URL gives its domain in ASCII, as the service compares it.
function canonical(email) {
  const [, local, domain] = email.trim().toLowerCase().match(/^(.*)@([^@/]+)$/) ?? [];
  try {
    return `${local}@${new URL(`https://${domain}`).hostname}`;
  } catch {
    return email;
  }
}

// What to present when somebody logs in with this email; undefined where nobody has.
export function deviceToken(email) {
  const wanted = canonical(email);
  return Object.values(all()).find((device) => canonical(device.email) === wanted)?.token;
}

// Remembers the token of a user, in place of an older one.
export function rememberDevice(user, token) {
  browserStorage.set(KEY, JSON.stringify({ ...all(), [user.id]: { email: user.email, token } }));
}

// Forgets the token of a user.
export function forgetDevice(user) {
  const { [user.id]: _forgotten, ...others } = all();
  browserStorage.set(KEY, JSON.stringify(others));
}

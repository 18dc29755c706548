// The sensitive operations of these pages. Each is a value: what to confirm, the view that it starts from, how it is sent with the login
// token of its confirmation (null: there is none yet), and the sentence that says it is done. Only `app.js` sends one.

import { forgetDevice } from './devices.js';
import { plural } from './form.js';
import { CHANGE_PASSWORD, END_OTHER_SESSIONS, END_SESSION } from './operations.js';
import { ask } from './service.js';

// Changes the password. The device token of this browser ends with it, as all others do.
export function changePassword(user, newPassword) {
  return {
    name: 'CHANGE_PASSWORD',
    from: 'password',
    lead: 'To change your password, type your current one. Then approve on your phone.',
    send: async (loginToken) => (await ask(CHANGE_PASSWORD, { input: { loginToken, newPassword } })).changePassword,
    done({ endedSessions }) {
      forgetDevice(user);
      const others = endedSessions > 0 ? ` ${loggedOut(endedSessions)}` : '';
      return `Your password is changed.${others}`;
    },
  };
}

// Ends one session, which is shown by this name.
export function endSession({ id }, name) {
  return {
    name: 'END_SESSIONS',
    from: 'account',
    lead: `To log out ${name}, type your password. Then approve on your phone.`,
    send: async (loginToken) => (await ask(END_SESSION, { input: { loginToken, sessionId: id } })).endSession,
    done: () => `${name} is logged out.`,
  };
}

// Ends all sessions but the one of this browser.
export function endOtherSessions() {
  return {
    name: 'END_SESSIONS',
    from: 'account',
    lead: 'To log out everywhere else, type your password. Then approve on your phone.',
    send: async (loginToken) => (await ask(END_OTHER_SESSIONS, { input: { loginToken } })).endOtherSessions,
    done: ({ endedSessions }) => loggedOut(endedSessions),
  };
}

function loggedOut(count) {
  return `${plural(count, 'other browser is', 'other browsers are')} logged out.`;
}

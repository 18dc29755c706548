// The login pages: who is signed in, which login is under way, and which view that comes to. Addresses are real ones: the
// service serves this page at each, and a reload shows the same again.

import { Confirmations, LOGGED_OUT } from './confirmation.js';
import { rememberDevice } from './devices.js';
import { alert } from './form.js';
import { Login } from './login.js';
import { ME } from './operations.js';
import { ask } from './service.js';
import { whenInMemory } from './storage.js';
import { isShown, mark, show, view } from './views.js';
import { resetAccount, showAccount, startAccount } from './views/account.js';
import { showApprove, startApprove } from './views/approve.js';
import { showConfirm, startConfirm } from './views/confirm.js';
import { startLogIn } from './views/log-in.js';
import { startPassword } from './views/password.js';
import { startSignup } from './views/signup.js';
import { resetVerify, showVerify, startVerify } from './views/verify.js';

const ENDINGS = {
  EXPIRED: 'Nobody approved in time. Please begin again.',
  TOO_MANY_WRONG_CODES: 'Too many codes were wrong. Please begin again.',
  EMAIL_TAKEN: 'You have an account with this email already: log in.',
  DENIED: 'The login was denied on your phone.',
  CANCELLED: '',
};
const UNKNOWN = 'This login is not known any more. Please begin again.';

const application = {
  user: null,
  login: null,
  confirmations: new Confirmations({ go, refresh, loggedOut, dropLogin }),

  // Starts a login for a form, by `signup`, `login` or `confirm`. Returns the errors that the form shows.
  async begin(mutation, input, form) {
    const { login, errors } = await Login.begin(mutation, input, listener);
    if (!login) {
      if (errors.some(({ code }) => code === 'NOT_SIGNED_IN')) {
        loggedOut(LOGGED_OUT);
        return [];
      }
      return errors;
    }
    form.reset();
    resetVerify(errors);
    this.login?.forget();
    this.login = login;
    render();
    return [];
  },

  signedOut() {
    this.user = null;
    this.confirmations.forget();
    go('/');
  },

  // Reads the account again: another window may have logged out or in, and the session may have ended.
  async lookAgain() {
    const wasLoggedIn = this.user !== null;
    const user = await refresh().catch(() => this.user);
    const isOfUser = ['account', 'password', 'confirm'].some(isShown);
    if (wasLoggedIn && !user && isOfUser) {
      loggedOut(LOGGED_OUT);
    } else {
      render();
    }
  },
};

const listener = {
  changed(login) {
    if (login !== application.login) {
      return;
    }
    if (login.isConfirmation && login.isOver) {
      login.forget();
      const { confirmations } = application;
      void (login.status.state === 'APPROVED' ? confirmations.approved(login.token) : confirmations.ended(login.status));
    } else if (login.status.state === 'APPROVED') {
      finish(login);
    } else if (login.isOver) {
      const { failure, state, purpose } = login.status;
      login.forget();
      beginAgain(ENDINGS[failure ?? state] ?? UNKNOWN, purpose === 'SIGNUP' && failure !== 'EMAIL_TAKEN');
    } else {
      render();
    }
  },
  lost(login) {
    if (login !== application.login) {
      return;
    }
    if (login.isConfirmation) {
      void application.confirmations.ended();
    } else {
      beginAgain(UNKNOWN, false);
    }
  },
  connection(isLive) {
    document.getElementById('connection').hidden = isLive || !application.login;
  },
};

// A socket tells of the approval and sets no cookie; the answer to one more question does.
async function finish(login) {
  const status = await login.read().catch(() => null);
  if (application.login !== login) {
    return;
  }
  if (!status?.session) {
    beginAgain('You have approved, but the service cannot be reached. Reload this page.', false);
    return;
  }
  const { user, deviceToken } = status.session;
  rememberDevice(user, deviceToken);
  login.forget();
  leaveLogin();
  application.user = user;
  go('/account', true);
  // The account has more than the login says: the sessions.
  const account = await whoAmI().catch(() => user);
  if (account) {
    application.user = account;
    render();
  } else {
    alert(view('account'), 'Your browser does not keep the cookie of this session: a reload signs you out.');
  }
}

function beginAgain(message, isSignup) {
  leaveLogin();
  go(isSignup ? '/signup' : '/login', true);
  alert(view(isSignup ? 'signup' : 'login'), message);
}

function leaveLogin() {
  application.login = null;
  listener.connection(true);
}

// Cancels a confirmation that nobody waits for any more: its push must not allow anything later.
function dropLogin() {
  const { login } = application;
  if (login && !login.isOver) {
    login.cancel().catch(() => {});
  }
  login?.forget();
  leaveLogin();
}

async function whoAmI() {
  return (await ask(ME)).me;
}

// Reads who is logged in, and returns that.
async function refresh() {
  application.user = await whoAmI();
  return application.user;
}

// The session has ended: says so where one logs in.
function loggedOut(message) {
  application.user = null;
  application.login?.forget();
  application.confirmations.forget();
  beginAgain(message, false);
}

// Goes to an address of these pages.
function go(path, isInstead = false) {
  history[isInstead ? 'replaceState' : 'pushState'](null, '', path);
  render();
}

// Which view an address comes to, or which address instead.
function viewAt(path) {
  const { user, login, confirmations } = application;
  switch (path) {
    case '/':
      return { name: 'home' };
    case '/signup':
    case '/login':
    case '/confirm':
      if (login?.status) {
        return login.waitsForPhone ? { name: 'approve' } : { instead: '/verify' };
      }
      if (path === '/confirm') {
        return user && confirmations.operation ? { name: 'confirm' } : { instead: '/account' };
      }
      return user ? { instead: '/account' } : { name: path.slice(1) };
    case '/verify':
      return login?.status ? { name: 'verify' } : { instead: '/login' };
    case '/account':
    case '/password':
      return user ? { name: path.slice(1) } : { instead: '/login' };
    default:
      return { instead: '/' };
  }
}

function render() {
  // What comes after the end of a login is shown by whoever has heard of it.
  if (application.login?.isOver) {
    return;
  }
  const { name, instead } = viewAt(location.pathname);
  if (instead) {
    go(instead, true);
    return;
  }
  const { user, login, confirmations } = application;
  if (name === 'approve') {
    showApprove(login);
  } else if (name === 'verify') {
    showVerify(login);
  } else if (name === 'confirm') {
    showConfirm(confirmations.operation);
  } else if (name === 'account') {
    if (!isShown(name)) {
      resetAccount();
    }
    showAccount(user);
  }
  mark(user);
  show(name);
}

function followLinks() {
  addEventListener('popstate', render);
  document.addEventListener('click', (event) => {
    const link = event.target.closest?.('a[data-link]');
    const isPlain = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;
    if (link && isPlain) {
      event.preventDefault();
      go(link.pathname);
    }
  });
  for (const button of document.querySelectorAll('[data-cancel]')) {
    button.addEventListener('click', cancel);
  }
}

function cancel() {
  const { login, confirmations } = application;
  if (!login || login.isConfirmation) {
    confirmations.cancel();
    return;
  }
  // The person has left it; whether the service hears so now or at its deadline changes nothing for them.
  login.cancel().catch(() => {});
  beginAgain('', false);
}

// Where the sandbox runs beside the service, the page knows its phone.
function showPhoneLinks() {
  const phone = document.querySelector('meta[name="phone"]')?.content;
  for (const link of document.querySelectorAll('[data-phone]')) {
    link.hidden = !phone;
    link.href = phone ?? '';
  }
}

// Under another name than its own the service refuses what this page sends: better to say where to go at once.
function showRightAddress() {
  const origin = document.querySelector('meta[name="public-origin"]')?.content;
  if (origin && origin !== location.origin) {
    const link = document.getElementById('right-address');
    link.href = new URL(location.pathname, origin);
    link.textContent = origin;
    document.getElementById('elsewhere').hidden = false;
  }
}

async function start() {
  startSignup(application);
  startLogIn(application);
  startApprove(application);
  startVerify(application);
  startAccount(application);
  startPassword(application);
  startConfirm(application);
  followLinks();
  showPhoneLinks();
  showRightAddress();
  whenInMemory(() => {
    document.getElementById('in-memory').hidden = false;
  });
  application.login = Login.underWay(listener);
  const [user] = await Promise.all([whoAmI().catch(() => null), application.login?.read().catch(() => null)]);
  // What the login came to meanwhile is newer.
  application.user ??= user;
  application.login?.follow();
  render();
  document.addEventListener('visibilitychange', () => {
    if (!document.hidden && !application.login) {
      void application.lookAgain();
    }
  });
}

start();

// The login pages: who is signed in, which login is under way, and which view that comes to. Addresses are real ones: the
// service serves this page at each, and a reload shows the same again.

import { rememberDevice } from './devices.js';
import { alert } from './form.js';
import { Login } from './login.js';
import { ME } from './operations.js';
import { ask } from './service.js';
import { whenInMemory } from './storage.js';
import { mark, show, view } from './views.js';
import { showAccount, startAccount } from './views/account.js';
import { showApprove, startApprove } from './views/approve.js';
import { startLogIn } from './views/log-in.js';
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

  // Begins a login for a form, and gives what went wrong with it.
  async begin(purpose, input, form) {
    const { login, errors } = await Login.begin(purpose, input, listener);
    if (!login) {
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
    go('/');
  },
};

const listener = {
  changed(login) {
    if (login !== application.login) {
      return;
    }
    if (login.status.state === 'APPROVED') {
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
    if (login === application.login) {
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
  if (!(await whoAmI().catch(() => user))) {
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

async function whoAmI() {
  return (await ask(ME)).me;
}

// Goes to an address of these pages.
function go(path, isInstead = false) {
  history[isInstead ? 'replaceState' : 'pushState'](null, '', path);
  render();
}

// Which view an address comes to, or which address instead.
function viewAt(path) {
  const { user, login } = application;
  switch (path) {
    case '/':
      return { name: 'home' };
    case '/signup':
    case '/login':
      if (login?.status) {
        return login.waitsForPhone ? { name: 'approve' } : { instead: '/verify' };
      }
      return user ? { instead: '/account' } : { name: path.slice(1) };
    case '/verify':
      return login?.status ? { name: 'verify' } : { instead: '/login' };
    case '/account':
      return user ? { name: 'account' } : { instead: '/login' };
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
  const { user, login } = application;
  if (name === 'approve') {
    showApprove(login);
  } else if (name === 'verify') {
    showVerify(login);
  } else if (name === 'account') {
    showAccount(user);
  }
  mark(user !== null);
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
    button.addEventListener('click', () => {
      // The person has left it; whether the service hears so now or at its deadline changes nothing for them.
      application.login.cancel().catch(() => {});
      beginAgain('', false);
    });
  }
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

// Another window may have logged out, or in.
async function lookAgain() {
  if (!document.hidden && !application.login) {
    application.user = await whoAmI().catch(() => application.user);
    render();
  }
}

async function start() {
  startSignup(application);
  startLogIn(application);
  startApprove(application);
  startVerify(application);
  startAccount(application);
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
  document.addEventListener('visibilitychange', lookAgain);
}

start();

// Carrying out a sensitive operation: it is sent, confirmed if that is needed, and sent again. The operation
// lives in memory only, for it may hold a new password: after a reload the person starts it again, and a confirmation still counts.

import { alert, clear, messageOf, show } from './form.js';
import { view } from './views.js';
import { showDone } from './views/account.js';
import { resetConfirm } from './views/confirm.js';

export const LOGGED_OUT = 'You are logged out. Please log in again.';

const ENDINGS = {
  EXPIRED: 'Nobody approved in time. Nothing has changed.',
  TOO_MANY_WRONG_CODES: 'Too many codes were wrong. Nothing has changed.',
  ACCOUNT_CHANGED: 'Your account has changed. Please start again.',
  CANCELLED: '',
};
const RUN_OUT = 'The confirmation has run out. Please confirm again.';
const UNFINISHED = 'You have confirmed. Start again what you wanted to do: for five minutes you are not asked once more.';

export class Confirmations {
  // What is to be carried out, until it is done or given up.
  operation = null;
  // The login token of the confirmation that was approved last, until it is used.
  #token = null;
  #pages;

  // The pages have `go(path, isInstead)`, `refresh()`, which returns the user, `loggedOut(message)` and `dropLogin()`.
  constructor(pages) {
    this.#pages = pages;
  }

  // Carries an operation out. Returns errors for the form that it started from; empty if it is done, or if the view has changed.
  async carryOut(operation, hasConfirmed = false) {
    this.operation = operation;
    const result = await operation.send(this.#token);
    const codes = result.errors.map(({ code }) => code);
    if (codes.includes('NOT_SIGNED_IN')) {
      this.#pages.loggedOut(LOGGED_OUT);
      return [];
    }
    if (codes.includes('CONFIRMATION_REQUIRED')) {
      resetConfirm(hasConfirmed ? RUN_OUT : '');
      this.#pages.dropLogin();
      this.#pages.go('/confirm', hasConfirmed);
      return [];
    }
    if (result.errors.length === 0) {
      this.#token = null;
      await this.#finish(operation.done(result));
    }
    return result.errors;
  }

  // A confirmation was approved: the operation that waits for it is carried out with its login token.
  async approved(token) {
    this.#token = token;
    const { operation } = this;
    if (!operation) {
      await this.#afterReload();
      return;
    }
    try {
      const errors = await this.carryOut(operation, true);
      if (errors.length > 0) {
        this.#leave(operation.from);
        show(formOf(operation.from), errors);
      }
    } catch (fault) {
      this.#leave(operation.from);
      alert(formOf(operation.from), messageOf(fault));
    }
  }

  // A reload has forgotten the operation, and may not know the user yet.
  async #afterReload() {
    if (await this.#pages.refresh().catch(() => null)) {
      this.#leave('account');
      showDone(UNFINISHED);
    } else {
      this.#pages.loggedOut(LOGGED_OUT);
    }
  }

  // A confirmation ended without an approval, or is unknown. A denial and a logout end the session too.
  async ended({ state, failure } = {}) {
    if (failure === 'DENIED') {
      this.#pages.loggedOut('You denied the request on your phone, so you are logged out here.');
      return;
    }
    const user = await this.#pages.refresh().catch(() => null);
    if (user) {
      const from = this.operation?.from ?? 'account';
      this.#leave(from);
      alert(formOf(from), ENDINGS[failure ?? state] ?? 'This confirmation has ended. Please start again.');
    } else {
      this.#pages.loggedOut(LOGGED_OUT);
    }
  }

  // The person gave up: what was typed for the operation stays.
  cancel() {
    this.#leave(this.operation?.from ?? 'account');
  }

  // Forgets the operation, and what was typed for it.
  forget() {
    this.operation = null;
    resetConfirm('');
    formOf('password').reset();
    clear(formOf('password'));
  }

  async #finish(sentence) {
    this.forget();
    // The list of sessions may have changed. That this is not known changes nothing about what was done.
    await this.#pages.refresh().catch(() => null);
    this.#leave('account');
    showDone(sentence);
  }

  #leave(name) {
    this.operation = null;
    this.#pages.dropLogin();
    this.#pages.go(`/${name}`, true);
  }
}

// The form of a view, or the view if it has none.
function formOf(name) {
  return view(name).querySelector('form') ?? view(name);
}

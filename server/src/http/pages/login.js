// The login that is under way in this window: its token, how it stands, and what can be done about it. The token is
// kept for the window, so that a reload goes on where it was, and forgotten when the login is over.

import { CANCEL_LOGIN, CONFIRM, LOGIN, READ_LOGIN, RESEND_TOKEN, SIGNUP, VERIFY_TOKEN, WATCH_LOGIN } from './operations.js';
import { ask } from './service.js';
import { subscribe } from './socket.js';
import { windowStorage } from './storage.js';

const KEY = 'countersign.login';
const STARTED_BY = { signup: SIGNUP, login: LOGIN, confirm: CONFIRM };

export class Login {
  // How it stands; nothing until that was told for the first time.
  status = null;
  #token;
  #listener;
  #stop = () => {};
  #toldAt = 0;

  // The listener hears `changed(login)` with each newer status, `lost(login)` where nobody knows the login any more, and
  // `connection(isLive)`.
  constructor(token, listener) {
    this.#token = token;
    this.#listener = listener;
    windowStorage.set(KEY, token);
  }

  // The login that a reload interrupted.
  static underWay(listener) {
    const token = windowStorage.get(KEY);
    return token && new Login(token, listener);
  }

  // Starts a login by a mutation: `signup`, `login` or `confirm`. Returns its errors, and the login if one was started.
  static async begin(mutation, input, listener) {
    const data = await ask(STARTED_BY[mutation], { input });
    const { loginToken, status, errors } = data[mutation];
    const login = loginToken && new Login(loginToken, listener);
    if (login) {
      login.take(status);
      login.follow();
    }
    return { login, errors };
  }

  // Is told of every change from now on, until it is over.
  follow() {
    if (this.isOver) {
      return;
    }
    this.#stop = subscribe('/graphql', WATCH_LOGIN, { loginToken: this.#token }, {
      next: ({ loginStatus }) => this.take(loginStatus),
      failed: () => this.#lose(),
      connected: () => this.#listener.connection(true),
      disconnected: () => this.#reconnect(),
    });
  }

  // Where a proxy lets no socket through, each try to open one brings the news by HTTP.
  async #reconnect() {
    this.#listener.connection(false);
    await this.read().catch(() => {});
  }

  // Takes news, unless newer ones are here already.
  take(status) {
    if (this.status && status.sequence <= this.status.sequence) {
      return;
    }
    this.status = status;
    this.#toldAt = performance.now();
    if (this.isOver) {
      this.#stop();
    }
    this.#listener.changed(this);
  }

  // Its secret handle.
  get token() {
    return this.#token;
  }

  // Reads how it stands. Once it is approved, the answer brings the session's cookie.
  async read() {
    const { loginStatus } = await ask(READ_LOGIN, { loginToken: this.#token });
    if (loginStatus) {
      this.take(loginStatus);
    } else {
      this.#lose();
    }
    return loginStatus;
  }

  async verify(code) {
    return this.#act(VERIFY_TOKEN, 'verifyToken', { code });
  }

  async resend(channel) {
    return this.#act(RESEND_TOKEN, 'resendToken', { channel });
  }

  async cancel() {
    this.forget();
    return ask(CANCEL_LOGIN, { input: { loginToken: this.#token } });
  }

  async #act(document, name, input) {
    const data = await ask(document, { input: { ...input, loginToken: this.#token } });
    const { status, errors } = data[name];
    if (status) {
      this.take(status);
    } else {
      this.#lose();
    }
    return errors;
  }

  #lose() {
    this.forget();
    this.#listener.lost(this);
  }

  // Is told of nothing any more, and leaves nothing behind.
  forget() {
    this.#stop();
    if (windowStorage.get(KEY) === this.#token) {
      windowStorage.remove(KEY);
    }
  }

  // Milliseconds until one of its instants, by the service's clock: that of this machine may be wrong.
  millisecondsUntil(instant) {
    const elapsed = performance.now() - this.#toldAt;
    return Date.parse(this.status[instant]) - Date.parse(this.status.toldAt) - elapsed;
  }

  get waitsForPhone() {
    return this.status?.nextStep === 'APPROVE_ON_PHONE';
  }

  // True for the confirmation of a sensitive operation, which opens no session.
  get isConfirmation() {
    return this.status?.purpose === 'CONFIRM';
  }

  get isOver() {
    return this.status?.nextStep === 'NONE';
  }
}

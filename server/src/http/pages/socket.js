// A small client of graphql-transport-ws: one subscription on one socket, which is opened again for as long as it is
// wanted. The one invariant: whatever ends a connection, the subscription goes on or its listener is told why not.

const SUB_PROTOCOL = 'graphql-transport-ws';
const SHORTEST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5_000;
const ROUND_MS = 15_000;
// The login is open in so many windows that this subscription was ended for a newer one.
const TOO_MANY_WATCHERS = 'TOO_MANY_WATCHERS';
// What the protocol closes with where coming again would not help (graphql-ws, PROTOCOL.md).
const FINAL_CODES = [4400, 4406, 4409, 4429];

// Follows a subscription until it is stopped. The listener hears `next(data)`, `failed(errors)` once and for all,
// `connected()`, and `disconnected()` whenever a connection was lost or not made.
export function subscribe(path, query, variables, listener) {
  const subscription = new Subscription(path, { query, variables }, listener);
  subscription.connect();
  return () => subscription.stop();
}

class Subscription {
  #url;
  #payload;
  #listener;
  #socket = null;
  #pause = SHORTEST_PAUSE_MS;
  #timer = 0;
  #round = 0;
  #wasHeard = true;
  #soon = () => this.#comeBack();

  constructor(path, payload, listener) {
    this.#url = new URL(path, location.href.replace(/^http/, 'ws'));
    this.#payload = payload;
    this.#listener = listener;
    addEventListener('online', this.#soon);
    document.addEventListener('visibilitychange', this.#soon);
  }

  connect() {
    clearTimeout(this.#timer);
    const socket = new WebSocket(this.#url, SUB_PROTOCOL);
    this.#socket = socket;
    socket.addEventListener('open', () => this.#greet(socket));
    socket.addEventListener('message', ({ data }) => socket === this.#socket && this.#hear(JSON.parse(data)));
    socket.addEventListener('close', ({ code }) => socket === this.#socket && this.#lose(code));
    this.#wasHeard = true;
    clearInterval(this.#round);
    this.#round = setInterval(() => this.#check(), ROUND_MS);
  }

  stop() {
    const socket = this.#socket;
    this.#socket = null;
    clearTimeout(this.#timer);
    clearInterval(this.#round);
    removeEventListener('online', this.#soon);
    document.removeEventListener('visibilitychange', this.#soon);
    // One that is being opened is closed when it is: browsers complain of anything else.
    if (socket?.readyState === WebSocket.OPEN) {
      socket.close(1000);
    }
  }

  #greet(socket) {
    if (socket === this.#socket) {
      this.#say({ type: 'connection_init' });
    } else {
      socket.close(1000);
    }
  }

  #say(message) {
    this.#socket.send(JSON.stringify(message));
  }

  #hear(message) {
    this.#wasHeard = true;
    switch (message.type) {
      case 'connection_ack':
        this.#say({ type: 'subscribe', id: '1', payload: this.#payload });
        this.#listener.connected();
        break;
      case 'ping':
        this.#say({ type: 'pong' });
        break;
      case 'next':
        this.#pause = SHORTEST_PAUSE_MS;
        if (message.payload.errors) {
          // Connecting again at once would end the watch of another window.
          if (message.payload.errors.some(({ extensions }) => extensions?.code === TOO_MANY_WATCHERS)) {
            this.#pause = LONGEST_PAUSE_MS;
          }
          this.#socket.close(1000);
        } else {
          this.#listener.next(message.payload.data);
        }
        break;
      case 'error':
        this.#fail(message.payload);
        break;
      case 'complete':
        this.#socket.close(1000);
        break;
    }
  }

  #lose(code) {
    clearInterval(this.#round);
    if (FINAL_CODES.includes(code)) {
      this.#fail([{ message: `closed with ${code}`, extensions: {} }]);
      return;
    }
    this.#listener.disconnected();
    if (this.#socket) {
      this.#timer = setTimeout(() => this.connect(), Math.random() * this.#pause);
      this.#pause = Math.min(2 * this.#pause, LONGEST_PAUSE_MS);
    }
  }

  #fail(errors) {
    this.stop();
    this.#listener.failed(errors);
  }

  // A connection that died unnoticed says nothing any more, and is only found by asking.
  #check() {
    if (!this.#wasHeard) {
      const socket = this.#socket;
      socket.close();
      this.#lose(1006);
      return;
    }
    this.#wasHeard = false;
    if (this.#socket.readyState === WebSocket.OPEN) {
      this.#say({ type: 'ping' });
    }
  }

  // The network is back, or somebody looks at the page again: no reason to wait any longer.
  #comeBack() {
    if (this.#socket?.readyState === WebSocket.CLOSED && navigator.onLine && !document.hidden) {
      this.connect();
    }
  }
}

// A line to the service that can be cut, or fall silent, and knows how often it was used.

import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";

import { SERVICE_URL } from "../src/settings.js";

export class Line {
  /** How often somebody has connected. */
  connections = 0;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #isSilent = false;
  #heard: ((bytes: string) => void)[] = [];

  static async start(): Promise<Line> {
    const line = new Line();
    line.#server.listen(0, "127.0.0.1");
    await once(line.#server, "listening");
    return line;
  }

  private constructor() {
    this.#server = createServer((near) => this.#join(near));
  }

  /** The service, at this end of the line. */
  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Cuts all connections; new ones are taken. */
  cut(): void {
    this.#sockets.forEach((socket) => socket.destroy());
  }

  /** The connections that there are stay, and nothing passes them any more. */
  fallSilent(): void {
    this.#sockets.forEach((socket) => socket.pause().removeAllListeners("data"));
  }

  /** From now on new connections are taken, and nothing passes them. */
  keepSilent(): void {
    this.#isSilent = true;
  }

  /** Waits until the service says something in which this text stands. */
  async passes(text: string): Promise<void> {
    await new Promise<void>((resolve) => this.#heard.push((bytes) => bytes.includes(text) && resolve()));
  }

  /** Waits until nobody is connected any more. */
  async isLeft(): Promise<void> {
    await Promise.all([...this.#sockets].map((socket) => socket.closed || once(socket, "close")));
  }

  close(): void {
    this.#server.close();
    this.cut();
  }

  #join(near: Socket): void {
    this.connections += 1;
    this.#keep(near);
    if (this.#isSilent) {
      return;
    }
    const { hostname, port } = new URL(SERVICE_URL);
    const far = connect(Number(port), hostname);
    this.#keep(far);
    near.on("data", (bytes) => far.write(bytes)).on("close", () => far.destroy());
    far.on("close", () => near.destroy()).on("data", (bytes) => {
      near.write(bytes);
      this.#heard.forEach((hear) => hear(bytes.toString("latin1")));
    });
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket);
    // A line that is cut has errors at its ends, and nobody to tell.
    socket.on("error", () => undefined).on("close", () => this.#sockets.delete(socket));
  }
}

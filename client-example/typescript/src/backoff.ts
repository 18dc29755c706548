// How long to wait before the next attempt to connect: exponential, with full jitter. It reads no clock, and a wait is
// never longer than the ceiling.

const FIRST = 100;
const CEILING = 5_000;

/** The waits between attempts that failed one after another, in milliseconds. */
export class Backoff {
  #failures = 0;

  /** The next wait: anything between nothing and a limit that doubles from one failure to the next. */
  nextWait(random: () => number = Math.random): number {
    const limit = Math.min(FIRST * 2 ** this.#failures, CEILING);
    this.#failures += 1;
    return random() * limit;
  }

  /** Waits up to the ceiling from now on: the service asks for fewer connections. */
  slowDown(): void {
    this.#failures = Math.ceil(Math.log2(CEILING / FIRST));
  }

  /**
   * After a connection that was worth having. One that broke at once and told nothing new does not count, or a server
   * that accepts and drops would be asked ten times a second.
   */
  rest(toldNews: boolean, lasted: number): void {
    if (toldNews || lasted >= CEILING) {
      this.#failures = 0;
    }
  }
}

// What a launcher checks of a signed message beyond its signature: addressee, session, time, repetition.
import { PoolwrightError } from './errors.js';
import type { DownMessage } from './messages.js';

export interface ReplayGuardOptions {
  /** Pool and worker that messages must be meant for. */
  readonly pool: string;
  readonly worker: string;
  /** Milliseconds from any origin. A monotonic clock is best: a step of it makes messages look late. */
  readonly clock: () => number;
  /** How many message ids are remembered at most. Default 4096. */
  readonly capacity?: number;
}

export interface ReplayGuard {
  /** Starts a session (one connection): forgets the ids and the control plane's clock. */
  begin(session: string): void;
  /**
   * Lets a message through once or throws: MESSAGE_REPLAYED (another pool, worker or session, or seen
   * before), MESSAGE_EXPIRED (after its time; connecting again with a new session learns the clock anew),
   * INVALID_MESSAGE (before the session's first `registered`).
   */
  check(message: DownMessage): void;
  /** Unix milliseconds by the control plane's clock, or undefined before the session's first `registered`. */
  now(): number | undefined;
}

/**
 * The control plane's time is `issuedAt` of `registered` plus what the own clock has counted since it came.
 * That is never ahead of the real one, so a message in time is not refused because two clocks differ. In one
 * session it only moves forward: a `registered` that was held back cannot make old messages count again.
 */
export function createReplayGuard(options: ReplayGuardOptions): ReplayGuard {
  return new Guard(options);
}

/** A class, because a controller on Kubernetes has one for each of its workers, which may be thousands. */
class Guard implements ReplayGuard {
  readonly #options: ReplayGuardOptions;
  #session: string | undefined;
  #offset: number | undefined;
  /** Everything that expires up to here is refused; stands in for the ids that were forgotten. */
  #floor = 0;
  /** Message id to its end, by the control plane's clock. */
  #seen: Map<string, number> | undefined;

  constructor(options: ReplayGuardOptions) {
    this.#options = options;
  }

  now(): number | undefined {
    return this.#offset === undefined ? undefined : this.#options.clock() + this.#offset;
  }

  begin(next: string): void {
    this.#session = next;
    this.#offset = undefined;
    this.#floor = 0;
    this.#seen = undefined;
  }

  check(message: DownMessage): void {
    const { pool, worker, clock } = this.#options;
    assertAddressed(message, pool, worker);
    if (this.#session === undefined || message.session !== this.#session) {
      throw refused(message, 'belongs to another session of this worker');
    }
    if (this.#seen?.has(message.id) === true) throw refused(message, 'was received before');
    const known = this.now();
    if (known === undefined && !answersRegister(message)) {
      throw new PoolwrightError(
        'INVALID_MESSAGE',
        `The message ${named(message)} came before the answer to "register" and was refused.`,
      );
    }
    const time = known ?? message.issuedAt;
    const late = Math.max(time, this.#floor) - message.expiresAt;
    if (late >= 0) {
      throw new PoolwrightError(
        'MESSAGE_EXPIRED',
        `The message ${named(message)} came ${String(Math.round(late))} ms after its end and was refused.`,
      );
    }
    if (message.type === 'registered' || known === undefined) {
      this.#offset = Math.max(this.#offset ?? -Infinity, message.issuedAt - clock());
    }
    this.#remember(message.id, message.expiresAt, time);
  }

  #remember(id: string, expiresAt: number, time: number): void {
    const capacity = this.#options.capacity ?? 4096;
    const seen = (this.#seen ??= new Map<string, number>());
    seen.set(id, expiresAt);
    if (seen.size <= capacity) return;
    let earliest = Infinity;
    for (const [other, end] of seen) {
      if (end <= time) seen.delete(other);
      else if (end < earliest) earliest = end;
    }
    this.#floor = Math.max(this.#floor, time);
    if (seen.size <= capacity) return;
    // Full of ids that still count: what expires first is forgotten, and nothing that ends with it is let in again.
    this.#floor = Math.max(this.#floor, earliest);
    for (const [other, end] of seen) if (end <= this.#floor) seen.delete(other);
  }
}

/** A worker that must not register is told to leave instead. */
function answersRegister({ type }: DownMessage): boolean {
  return type === 'registered' || type === 'leave';
}

function assertAddressed(message: DownMessage, pool: string, worker: string): void {
  if (message.pool !== pool) throw refused(message, `is for pool ${message.pool}, not for ${pool}`);
  if (message.worker !== worker) throw refused(message, `is for worker ${message.worker}, not for ${worker}`);
}

function refused(message: DownMessage, reason: string): PoolwrightError {
  return new PoolwrightError('MESSAGE_REPLAYED', `The message ${named(message)} ${reason} and was refused.`);
}

function named(message: DownMessage): string {
  return `"${message.type}" ${message.id}`;
}

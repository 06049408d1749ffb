// Keeps a session with the control plane: opens a line by the ways that there are, and another one whenever it breaks. What
// is said on it is its user's affair: one worker (reconnecting.ts), or several (shared-line.ts).
import { messageOf } from '../../protocol/errors.js';
import { assertCertificateCurrent } from '../../protocol/keys.js';
import { rhythm } from '../../protocol/limits.js';
import { createBackoff } from '../backoff.js';
import type { Clock } from '../clock.js';
import type { Log } from '../log.js';
import { openFirst, type Opened } from './first-open.js';
import type { RouteMemory } from './route-memory.js';
import { createRoutes } from './routes.js';
import type { Session } from './session.js';
import type { Transport } from './transport.js';

export interface KeeperOptions {
  /** Ways to the control plane, best first; at least one. */
  readonly transports: readonly Transport[];
  /** The pool's, PEM. */
  readonly certificate: string;
  /** A line is open: begins a session of the user's, and gives its last will. */
  readonly onOpen: () => Buffer;
  /** What is published now can be answered. */
  readonly onReady: () => void;
  readonly onMessage: (payload: Buffer) => void;
  /** A line broke, or could not be made. The reason is a sentence for people, without its full stop. */
  readonly onBroken: (reason: string) => void;
  readonly clock: Clock;
  /** From 0 up to, not including, 1. */
  readonly random: () => number;
  readonly log: Log;
  /** Which way worked in earlier processes. Default: nothing is known of them. */
  readonly memory?: Pick<RouteMemory, 'address' | 'worked'> | undefined;
  /** Milliseconds; default: the protocol's. */
  readonly keepalive?: number | undefined;
}

export interface Keeper {
  /** Connects, and again whenever the line breaks, until `end`. */
  start(): void;
  /** Resolves to whether the other side has it. Never throws. */
  publish(payload: Buffer): Promise<boolean>;
  /** Ends the line that is there, so that another one is made. */
  cut(reason: string): void;
  /** The control plane has answered on the line that is there. Gives its address. */
  worked(): string;
  /**
   * What this machine's clock could not judge, by the control plane's (Unix milliseconds): false when the other side's
   * certificate is not valid, and the line is cut.
   */
  judge(time: number): boolean;
  /** Ends for good; `farewell` is said before, where somebody hears it. Resolves within about a second. */
  end(reason: string, farewell: () => Promise<unknown>): Promise<void>;
}

/** Milliseconds. */
const times = {
  connectTimeout: 10_000,
  /** The farewell and the end of the connection may take this long each. */
  farewell: 500,
  /** The same reason for not being connected is said again after this long. */
  repeatReason: 60_000,
} as const;

/**
 * Milliseconds, for the wait before the next try. Long enough that 10,000 launchers which lost the same broker come in a
 * stream that one process can shake hands with, short enough that nearly all are back before they count as lost.
 */
export const reconnect = { base: 2_000, ceiling: rhythm.reconnectCeiling } as const;

export function createKeeper(options: KeeperOptions): Keeper {
  const { clock, log, memory } = options;
  const backoff = createBackoff({ ...reconnect, random: options.random });
  const routes = createRoutes(options.transports, clock, memory?.address);
  let opening = new AbortController();
  let session: Session | undefined;
  /** What the session is on. */
  let current: Opened | undefined;
  let ended = false;
  let cancelReconnect: () => void = () => undefined;
  /** When each reason for not being connected was said last. */
  const complaints = new Map<string, number>();

  function connect(): void {
    opening = new AbortController();
    const { signal } = opening;
    const candidates = routes.next();
    const cancel = clock.after(times.connectTimeout, () => {
      const addresses = candidates.transports.map((transport) => transport.address).join(' and ');
      opening.abort(
        new Error(`there is no answer from ${addresses} within ${String(times.connectTimeout / 1000)} s`),
      );
    });
    openFirst(candidates, { clock, signal })
      .finally(cancel)
      .then(
        (opened) => {
          if (ended) opened.line.close();
          else begin(opened);
        },
        (error: unknown) => {
          connectAgain(messageOf(error));
        },
      );
  }

  function begin(opened: Opened): void {
    const { line, transport } = opened;
    current = opened;
    session = line.begin({
      will: options.onOpen(),
      keepalive: options.keepalive ?? rhythm.keepalive,
      onReady: () => {
        // After the farewell nothing may follow: who registers then is taken for a worker that nobody is.
        if (ended) return;
        log.debug(`Connected to ${line.address}`);
        options.onReady();
      },
      onMessage: options.onMessage,
      onClosed: (reason) => {
        routes.gone(transport);
        connectAgain(reason);
      },
    });
  }

  function connectAgain(reason: string): void {
    session = undefined;
    if (ended) return;
    const wait = backoff.next();
    const cause = expiry() ?? reason;
    complain(cause);
    options.onBroken(cause.replace(/\.$/, ''));
    log.debug(`Connecting again in ${String(Math.round(wait))} ms`);
    cancelReconnect = clock.after(wait, connect);
  }

  /** A broker may refuse a certificate without saying why; that it has expired can be seen from here. */
  function expiry(): string | undefined {
    try {
      assertCertificateCurrent(options.certificate, clock.now());
      return undefined;
    } catch (error) {
      return messageOf(error);
    }
  }

  function complain(reason: string): void {
    const now = clock.monotonic();
    if (now - (complaints.get(reason) ?? -Infinity) < times.repeatReason) return;
    complaints.set(reason, now);
    log.warn(
      `Not connected: ${reason}. Trying again until it works.`.replace(/([.?])\. Trying/, '$1 Trying'),
    );
  }

  async function atMost(step: Promise<unknown>): Promise<void> {
    let cancel: () => void = () => undefined;
    const late = new Promise<void>((resolve) => {
      cancel = clock.after(times.farewell, resolve);
    });
    await Promise.race([step, late]);
    cancel();
  }

  return {
    start: connect,
    publish: (payload) => session?.publish(payload) ?? Promise.resolve(false),
    cut(reason) {
      session?.cut(reason);
    },
    worked() {
      if (current === undefined) return '';
      const { transport, line } = current;
      routes.worked(transport);
      memory?.worked(transport.address);
      complaints.clear();
      backoff.reset();
      return line.address;
    },
    judge(time) {
      const validity = current?.line.judgeLater ?? null;
      if (validity === null || (time >= validity.from && time <= validity.to)) return true;
      session?.cut(
        `the certificate of ${current?.line.address ?? ''} is not valid, by the control plane's own clock; restart the control plane`,
      );
      return false;
    },
    async end(reason, farewell) {
      ended = true;
      cancelReconnect();
      opening.abort(new Error(reason));
      const last = session;
      if (last === undefined) return;
      await atMost(farewell());
      await atMost(last.close());
      last.cut(reason);
    },
  };
}

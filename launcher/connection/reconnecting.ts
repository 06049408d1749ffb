// The line to the control plane, whatever carries it: connects, registers, reports, and connects again.
import { createPublicKey, randomBytes, type KeyObject } from 'node:crypto';
import { messageOf } from '../../protocol/errors.js';
import { assertCertificateCurrent } from '../../protocol/keys.js';
import { rhythm } from '../../protocol/limits.js';
import { protocolVersion, type UpMessage } from '../../protocol/messages.js';
import { proveRegistration } from '../../protocol/proof.js';
import { createReplayGuard } from '../../protocol/replay.js';
import type { PoolToken } from '../../protocol/token.js';
import { encodeUp } from '../../protocol/wire.js';
import { createBackoff } from '../backoff.js';
import { createClockCheck } from './clock-check.js';
import type { Clock } from '../clock.js';
import type { Log } from '../log.js';
import type { Connection, ConnectionListener, WorkerIdentity, WorkerStatus } from './connection.js';
import { openFirst, type Opened } from './first-open.js';
import { readMessage } from './inbox.js';
import type { RouteMemory } from './route-memory.js';
import { createRoutes } from './routes.js';
import type { Session } from './session.js';
import type { Transport } from './transport.js';

export interface ConnectionOptions {
  /** Ways to the control plane, best first; at least one. */
  readonly transports: readonly Transport[];
  readonly token: PoolToken;
  /** The pool's: a registration proves that this worker has it. */
  readonly privateKey: KeyObject;
  readonly identity: WorkerIdentity;
  readonly status: () => WorkerStatus;
  readonly listener: ConnectionListener;
  readonly clock: Clock;
  /** From 0 up to, not including, 1. */
  readonly random: () => number;
  readonly log: Log;
  /** Which way worked in earlier processes. Default: nothing is known of them. */
  readonly memory?: Pick<RouteMemory, 'address' | 'worked'>;
  /** Milliseconds; default: the protocol's. */
  readonly keepalive?: number;
}

/** Milliseconds. */
const times = {
  connectTimeout: 10_000,
  /** `gone` and the end of the connection may take this long each. */
  farewell: 500,
  /** The same reason for not being connected is said again after this long. */
  repeatReason: 60_000,
} as const;

/**
 * Milliseconds, for the wait before the next try. Long enough that 10,000 launchers which lost the same broker come in a
 * stream that one process can shake hands with, short enough that nearly all are back before they count as lost.
 */
export const reconnect = { base: 2_000, ceiling: rhythm.reconnectCeiling } as const;

/** One connection at a time; a new session for each. */
export function createConnection(options: ConnectionOptions): Connection {
  const { token, identity, clock, log, listener } = options;
  const signingKey = createPublicKey(token.signingKey);
  const guard = createReplayGuard({
    pool: token.pool,
    worker: identity.worker,
    clock: () => clock.monotonic(),
  });
  const backoff = createBackoff({ ...reconnect, random: options.random });
  const { memory } = options;
  const routes = createRoutes(options.transports, clock, memory?.address);
  const clockCheck = createClockCheck(log);

  let opening = new AbortController();
  let session: Session | undefined;
  /** What the session is on. */
  let current: Opened | undefined;
  let sessionId = '';
  let registered = false;
  /** The status that was last sent, to see whether another one is due. */
  let said = '';
  let ended = false;
  let cancelBeat: () => void = () => undefined;
  let cancelReconnect: () => void = () => undefined;
  /** The control plane's clock minus the monotonic one, kept over sessions. */
  let lastOffset: number | undefined;
  /** When each reason for not being connected was said last. */
  const complaints = new Map<string, number>();

  function stamp() {
    return { v: protocolVersion, session: sessionId, at: clock.now() } as const;
  }

  async function publish(message: UpMessage): Promise<boolean> {
    return (await session?.publish(encodeUp(message))) ?? false;
  }

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
    sessionId = randomBytes(16).toString('hex');
    registered = false;
    guard.begin(sessionId);
    current = opened;
    session = line.begin({
      will: encodeUp({ ...stamp(), type: 'gone', orderly: false, reason: 'the connection broke' }),
      keepalive: options.keepalive ?? rhythm.keepalive,
      onReady: () => {
        log.debug(`Connected to ${line.address}`);
        beat();
      },
      onMessage: receive,
      onClosed: (reason) => {
        routes.gone(transport);
        connectAgain(reason);
      },
    });
  }

  /** Registers until that is answered, and reports from then on. */
  function beat(): void {
    cancelBeat();
    cancelBeat = clock.after(rhythm.heartbeat, beat);
    void (registered ? sendHeartbeat() : sendRegister());
  }

  async function sendRegister(): Promise<void> {
    const { metadata, version, executor, updates } = identity;
    const status = options.status();
    said = JSON.stringify(status);
    const stamped = stamp();
    const registrant = { pool: token.pool, worker: identity.worker, ...stamped };
    const proof = proveRegistration(registrant, options.privateKey);
    await publish({ ...stamped, type: 'register', metadata, version, executor, updates, ...status, proof });
  }

  async function sendHeartbeat(): Promise<void> {
    const status = options.status();
    said = JSON.stringify(status);
    await publish({ ...stamp(), type: 'heartbeat', ...status });
  }

  function receive(payload: Buffer): void {
    if (ended) return;
    const reading = readMessage(payload, signingKey, guard, log);
    if ('dropped' in reading) {
      // A new session learns the control plane's clock anew.
      if (reading.dropped === 'MESSAGE_EXPIRED') session?.cut('a message of the control plane came too late');
      return;
    }
    const time = guard.now();
    if (time !== undefined) {
      lastOffset = time - clock.monotonic();
      clockCheck.compare(clock.now(), time);
      if (!isCurrent(time)) return;
    }
    if (reading.message.type === 'registered') onRegistered(reading.message.drained);
    else if (reading.message.type === 'unregistered') registerAgain();
    else listener.onOrder(reading.message);
  }

  /** What this machine's clock could not judge, judged by the control plane's. */
  function isCurrent(time: number): boolean {
    const validity = current?.line.judgeLater ?? null;
    if (validity === null || (time >= validity.from && time <= validity.to)) return true;
    session?.cut(
      `the certificate of ${current?.line.address ?? ''} is not valid, by the control plane's own clock; restart the control plane`,
    );
    return false;
  }

  /** It was away for too long, or the control plane has lost what it knew. */
  function registerAgain(): void {
    registered = false;
    beat();
  }

  function onRegistered(drained: boolean): void {
    if (registered || current === undefined) return;
    routes.worked(current.transport);
    memory?.worked(current.transport.address);
    registered = true;
    complaints.clear();
    backoff.reset();
    log.info(`Registered at ${current.line.address} as worker ${identity.worker} of pool ${token.pool}`, {
      worker: identity.worker,
      pool: token.pool,
    });
    listener.onRegistered(drained);
    // The status may have changed while `register` was under way.
    if (said !== JSON.stringify(options.status())) void sendHeartbeat();
  }

  function connectAgain(reason: string): void {
    session = undefined;
    registered = false;
    cancelBeat();
    if (ended) return;
    const wait = backoff.next();
    const cause = expiry() ?? reason;
    complain(cause);
    listener.onDisconnected(cause.replace(/\.$/, ''));
    log.debug(`Connecting again in ${String(Math.round(wait))} ms`);
    cancelReconnect = clock.after(wait, connect);
  }

  /** A broker may refuse a certificate without saying why; that it has expired can be seen from here. */
  function expiry(): string | undefined {
    try {
      assertCertificateCurrent(token.certificate, clock.now());
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

  return {
    start: connect,
    report: () => (registered ? sendHeartbeat() : Promise.resolve()),
    now: () => (lastOffset === undefined ? clock.now() : clock.monotonic() + lastOffset),
    async end(reason) {
      ended = true;
      cancelBeat();
      cancelReconnect();
      opening.abort(new Error(reason));
      const last = session;
      if (last === undefined) return;
      await atMost(publish({ ...stamp(), type: 'gone', orderly: true, reason }));
      await atMost(last.close());
      last.cut(reason);
    },
  };

  async function atMost(step: Promise<unknown>): Promise<void> {
    let cancel: () => void = () => undefined;
    const late = new Promise<void>((resolve) => {
      cancel = clock.after(times.farewell, resolve);
    });
    await Promise.race([step, late]);
    cancel();
  }
}

// The line of one worker to the control plane, whatever carries it: registers after each connect, and reports.
import { createPublicKey, randomBytes, type KeyObject } from 'node:crypto';
import { rhythm } from '../../protocol/limits.js';
import { protocolVersion, type UpMessage } from '../../protocol/messages.js';
import { proveRegistration } from '../../protocol/proof.js';
import { createReplayGuard } from '../../protocol/replay.js';
import type { PoolToken } from '../../protocol/token.js';
import { encodeUp } from '../../protocol/wire.js';
import { createClockCheck } from './clock-check.js';
import type { Connection, ConnectionListener, WorkerIdentity, WorkerStatus } from './connection.js';
import { readMessage } from './inbox.js';
import { createKeeper, type KeeperOptions } from './keeper.js';

export interface ConnectionOptions extends Pick<
  KeeperOptions,
  'transports' | 'clock' | 'random' | 'log' | 'memory' | 'keepalive'
> {
  readonly token: PoolToken;
  /** The pool's: a registration proves that this worker has it. */
  readonly privateKey: KeyObject;
  readonly identity: WorkerIdentity;
  readonly status: () => WorkerStatus;
  readonly listener: ConnectionListener;
}

/** One connection at a time; a new session for each. */
export function createConnection(options: ConnectionOptions): Connection {
  const { token, identity, clock, log, listener } = options;
  const signingKey = createPublicKey(token.signingKey);
  const guard = createReplayGuard({
    pool: token.pool,
    worker: identity.worker,
    clock: () => clock.monotonic(),
  });
  const clockCheck = createClockCheck(log);
  const keeper = createKeeper({
    ...options,
    certificate: token.certificate,
    onOpen,
    onReady: beat,
    onMessage: receive,
    onBroken(reason) {
      registered = false;
      cancelBeat();
      listener.onDisconnected(reason);
    },
  });

  let sessionId = '';
  let registered = false;
  /** The status that was last sent, to see whether another one is due. */
  let said = '';
  let ended = false;
  let cancelBeat: () => void = () => undefined;
  /** The control plane's clock minus the monotonic one, kept over sessions. */
  let lastOffset: number | undefined;

  function stamp() {
    return { v: protocolVersion, session: sessionId, at: clock.now() } as const;
  }

  function publish(message: UpMessage): Promise<boolean> {
    return keeper.publish(encodeUp(message));
  }

  function onOpen(): Buffer {
    sessionId = randomBytes(16).toString('hex');
    registered = false;
    guard.begin(sessionId);
    return encodeUp({ ...stamp(), type: 'gone', orderly: false, reason: 'the connection broke' });
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
    const reading = readMessage(payload, signingKey, () => guard, log);
    if ('dropped' in reading) {
      // A new session learns the control plane's clock anew.
      if (reading.dropped === 'MESSAGE_EXPIRED') keeper.cut('a message of the control plane came too late');
      return;
    }
    const time = guard.now();
    if (time !== undefined) {
      lastOffset = time - clock.monotonic();
      clockCheck.compare(clock.now(), time);
      if (!keeper.judge(time)) return;
    }
    if (reading.message.type === 'registered') onRegistered(reading.message.drained);
    else if (reading.message.type === 'unregistered') registerAgain();
    else listener.onOrder(reading.message);
  }

  /** It was away for too long, or the control plane has lost what it knew. */
  function registerAgain(): void {
    registered = false;
    beat();
  }

  function onRegistered(drained: boolean): void {
    if (registered) return;
    registered = true;
    const address = keeper.worked();
    log.info(`Registered at ${address} as worker ${identity.worker} of pool ${token.pool}`, {
      worker: identity.worker,
      pool: token.pool,
    });
    listener.onRegistered(drained);
    // The status may have changed while `register` was under way.
    if (said !== JSON.stringify(options.status())) void sendHeartbeat();
  }

  return {
    start: () => {
      keeper.start();
    },
    report: () => (registered ? sendHeartbeat() : Promise.resolve()),
    now: () => (lastOffset === undefined ? clock.now() : clock.monotonic() + lastOffset),
    async end(reason) {
      ended = true;
      cancelBeat();
      await keeper.end(reason, () => publish({ ...stamp(), type: 'gone', orderly: true, reason }));
    },
  };
}

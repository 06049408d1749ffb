// A worker's own line to the control plane, with the launcher's code and signature check, that runs nothing: it says
// when an assignment is there, and tells the control plane when its hands are free again.
import { createPrivateKey } from 'node:crypto';
import { ulid } from 'ulid';
import { systemClock } from '../../launcher/clock.js';
import { createConnection } from '../../launcher/connection/reconnecting.js';
import { createTransports } from '../../launcher/connection/transports.js';
import { withoutProxies } from '../../launcher/network/proxies.js';
import { decodeToken } from '../../protocol/token.js';
import type { Plane } from './plane.js';

const silent = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

export interface Assigned {
  readonly run: string;
  readonly stack: string;
  /** Of `performance.now()`: when it was verified and parsed. */
  readonly at: number;
}

export interface Line {
  readonly worker: string;
  /** The next assignment that arrives. */
  assigned(): Promise<Assigned>;
  /** Says that it has nothing to do. */
  report(): Promise<void>;
  end(): Promise<void>;
}

/** Resolves when the worker is registered. */
export async function startLine(plane: Pick<Plane, 'token' | 'privateKey'>): Promise<Line> {
  let arrived: (assigned: Assigned) => void = () => undefined;
  let registered: () => void = () => undefined;
  const ready = new Promise<void>((resolve) => {
    registered = resolve;
  });
  const token = decodeToken(plane.token);
  const privateKey = createPrivateKey(plane.privateKey);
  const worker = ulid();
  const connection = createConnection({
    transports: createTransports({
      token,
      privateKey,
      client: () => worker,
      proxies: withoutProxies,
      authorities: () => [],
    }),
    token,
    privateKey,
    identity: { worker, metadata: {}, version: 'bench', executor: 'host' },
    status: () => ({ held: null, leaving: false, drained: false }),
    listener: {
      onRegistered: () => {
        registered();
      },
      onDisconnected: () => undefined,
      onOrder: (order) => {
        if (order.type !== 'assignment') return;
        arrived({ run: order.run, stack: order.stack, at: performance.now() });
      },
    },
    clock: systemClock,
    random: Math.random,
    log: silent,
  });
  connection.start();
  await ready;
  return {
    worker,
    assigned: () =>
      new Promise((resolve) => {
        arrived = resolve;
      }),
    report: () => connection.report(),
    end: () => connection.end('measured'),
  };
}

// One line for many workers, over a mosquitto with the documented access rules: everybody registers, comes back when the broker
// was away, is ended with the pool's certificate, and belongs to the process that may register.
import { createPrivateKey } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ulid } from 'ulid';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { resetPool } from '../../../control-plane/cli/api/pools.js';
import { openAuthority } from '../../../control-plane/pools/authority.js';
import { createFileSecrets } from '../../../control-plane/store/secrets.js';
import { systemClock } from '../../../launcher/clock.js';
import type { Connection, Order } from '../../../launcher/connection/connection.js';
import { createSharedLine } from '../../../launcher/connection/shared-line.js';
import { createTransports } from '../../../launcher/connection/transports.js';
import { withoutProxies } from '../../../launcher/network/proxies.js';
import { decodeToken } from '../../../protocol/token.js';
import { keyAndRequest, rsaSha256 } from '../../protocol/support/fixtures.js';
import { startControlPlane, type TestPlane } from '../../support/control-plane.js';
import { hasMosquitto, startMosquitto, type TestMosquitto } from '../../support/mosquitto.js';
import { recordedLog } from '../support/log.js';
import { until } from '../support/until.js';

const anything = z.unknown();

interface Crew {
  readonly registered: Set<string>;
  readonly orders: { readonly worker: string; readonly order: Order }[];
  may: boolean;
  unavailable: string | null;
  readonly connections: readonly Connection[];
}

const count = 40;

describe.skipIf(!hasMosquitto('shared lines'))('a line that workers share', { timeout: 90_000 }, () => {
  let folder: string;
  let mosquitto: TestMosquitto;
  let plane: TestPlane;
  const workers = Array.from({ length: count }, () => ulid()).sort();
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'poolwright-shared-'));
    const data = join(folder, 'data');
    const { authority } = await openAuthority(createFileSecrets(data), join(data, 'authority'), Date.now());
    mosquitto = await startMosquitto(authority);
    plane = await startControlPlane(folder, { serve: { brokerUrl: mosquitto.url } });
  }, 120_000);
  afterAll(async () => {
    await plane.close();
    await mosquitto.close();
    await rm(folder, { recursive: true, force: true });
  });

  /** All workers on one line, as a controller has them. */
  function start(unavailable: string | null = null): Crew {
    const token = decodeToken(plane.token);
    const privateKey = createPrivateKey(plane.privateKey);
    const crew: Crew = { registered: new Set(), orders: [], may: true, unavailable, connections: [] };
    const line = createSharedLine({
      transports: (client) =>
        createTransports({ token, privateKey, client, proxies: withoutProxies, authorities: () => [] }),
      token,
      privateKey,
      mayRegister: () => crew.may,
      unavailable: () => crew.unavailable,
      clock: systemClock,
      random: () => 0.1,
      log: recordedLog(),
    });
    const connections = workers.map((worker) =>
      line.join({
        workerId: worker,
        identity: () => ({ metadata: { k8s_worker: worker }, version: 'test', executor: 'pod' }),
        status: () => ({ held: null, leaving: false, drained: false }),
        onRegistered: () => crew.registered.add(worker),
        onDisconnected: () => crew.registered.delete(worker),
        onOrder: (order) => crew.orders.push({ worker, order }),
      }),
    );
    for (const connection of connections) connection.start();
    return Object.assign(crew, { connections });
  }

  const all = (crew: Crew) =>
    until(() => crew.registered.size === count, 'all workers to be registered', 60_000);
  const ids = async () => (await plane.workers()).map(({ id }) => id).sort();

  it('has nobody take a run from the first moment while none can be run, and says why', async () => {
    const why = 'the API server of its cluster does not answer';
    const crew = start(why);
    await all(crew);
    const { workerPool } = await plane.client.request(
      'query ($pool: ID!) { workerPool(id: $pool) { workers { unavailable } } }',
      { pool: plane.pool },
      z.object({
        workerPool: z.object({ workers: z.array(z.object({ unavailable: z.string().nullable() })) }),
      }),
    );
    expect(workerPool.workers).toEqual(workers.map(() => ({ unavailable: why })));
    await Promise.all(crew.connections.map((connection) => connection.end('test')));
    await until(async () => (await ids()).length === 0, 'all workers to be gone', 30_000);
  });

  it('registers them all, brings them back, yields to the next one, and ends with the certificate', async () => {
    const crew = start();
    await all(crew);
    expect(await ids()).toEqual(workers);
    await mosquitto.end('SIGKILL');
    await until(() => crew.registered.size === 0, 'the loss to be noticed');
    await mosquitto.start();
    await all(crew);
    expect(await ids()).toEqual(workers);

    // Another process takes over, as the next leader of controllers does.
    crew.may = false;
    const next = start();
    await all(next);
    const first = workers[0] ?? '';
    await crew.connections[0]?.report();
    await plane.client.request(
      'mutation ($pool: ID!, $id: ID!) { workerDrainSet(workerPool: $pool, id: $id, drain: true) { busy } }',
      { pool: plane.pool, id: first },
      anything,
    );
    await until(() => isTold(next, first), 'the drain to be heard by the one that has the worker now');
    expect(isTold(crew, first)).toBe(false);

    // One goes, the others stay.
    await next.connections[0]?.end('test');
    await until(async () => (await ids()).length === count - 1, 'one worker to be gone');

    // With its certificate, the pool takes all of them away.
    const { csr: request } = await keyAndRequest(rsaSha256);
    await resetPool(plane.client, { id: plane.pool, certificateSigningRequest: request });
    await until(
      () => next.orders.filter(({ order }) => order.type === 'leave').length >= count - 1,
      'everybody to be told to leave',
      30_000,
    );
    await Promise.all(next.connections.map((connection) => connection.end('test')));
    await until(async () => (await ids()).length === 0, 'all workers to be gone', 30_000);
    crew.may = true;
    await until(
      () => crew.orders.filter(({ order }) => order.type === 'leave').length >= 1,
      'the old certificate to be refused',
      40_000,
    );
    expect(await ids()).toEqual([]);
    await Promise.all(crew.connections.map((connection) => connection.end('test')));
  });
});

const isTold = (crew: Crew, worker: string) =>
  crew.orders.some((entry) => entry.worker === worker && entry.order.type === 'drain');

// The launcher's line to the control plane, against a real broker over real TLS.
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { ulid } from 'ulid';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '../../../launcher/clock.js';
import type { Connection, Order, WorkerStatus } from '../../../launcher/connection/connection.js';
import { createConnection } from '../../../launcher/connection/reconnecting.js';
import { createTransports } from '../../../launcher/connection/transports.js';
import { withoutProxies, type ProxySettings } from '../../../launcher/network/proxies.js';
import { issueServerCertificate } from '../../../protocol/certificates.js';
import { createSigningKey } from '../../../protocol/signing.js';
import type { PoolToken } from '../../../protocol/token.js';
import { encodeDown } from '../../../protocol/signing.js';
import { assignment } from '../../protocol/support/messages.js';
import { startBroker, type TestBroker } from '../support/broker.js';
import { recordedLog, type RecordedLog } from '../support/log.js';
import { makePool, type TestPool } from '../support/pool.js';
import { startProxy, type Proxy } from '../support/proxy.js';
import { until } from '../support/until.js';

let pool: TestPool;
let other: TestPool;
beforeAll(async () => {
  [pool, other] = await Promise.all([makePool(), makePool()]);
});

const opened: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const part of opened.splice(0).reverse()) await part.close();
});

function kept<Part extends { close(): Promise<void> }>(part: Part): Part {
  opened.push(part);
  return part;
}

interface Worker {
  readonly id: string;
  readonly connection: Connection;
  readonly log: RecordedLog;
  readonly orders: Order[];
  /** Why it was not connected, each time that it noticed. */
  readonly losses: string[];
  status: WorkerStatus;
}

function startWorker(
  token: PoolToken,
  options: { keepalive?: number; key?: TestPool; proxies?: ProxySettings } = {},
): Worker {
  const log = recordedLog();
  const orders: Order[] = [];
  const losses: string[] = [];
  const id = ulid();
  const worker: Worker = {
    id,
    log,
    orders,
    losses,
    status: { held: null, leaving: false, drained: false },
    connection: createConnection({
      privateKey: (options.key ?? pool).key,
      transports: createTransports({
        token,
        privateKey: (options.key ?? pool).key,
        client: () => id,
        proxies: options.proxies ?? withoutProxies,
        authorities: () => [...token.authorities],
      }),
      token,
      identity: { worker: id, metadata: { instance_id: 'i-0123' }, version: 'test', executor: 'host' },
      status: () => worker.status,
      listener: {
        onRegistered: () => undefined,
        onDisconnected: (reason) => losses.push(reason),
        onOrder: (order) => orders.push(order),
      },
      clock: systemClock,
      random: () => 0.1,
      log,
      ...(options.keepalive === undefined ? {} : { keepalive: options.keepalive }),
    }),
  };
  worker.connection.start();
  kept({ close: () => worker.connection.end('the test is over') });
  return worker;
}

const registered = (worker: Worker) =>
  until(() => worker.log.lines.some(({ message }) => message.startsWith('Registered')), 'registration');
const warned = (worker: Worker, pattern: RegExp) =>
  until(
    () => worker.log.lines.find(({ level, message }) => level === 'warn' && pattern.test(message))?.message,
    `a warning like ${String(pattern)}; there was ${JSON.stringify(worker.log.lines)}`,
  );
const saidBy = (broker: TestBroker, type: string) =>
  broker.said.filter(({ message }) => message.type === type);

describe('a launcher that connects', () => {
  test('registers with its metadata, version and executor before anything else', async () => {
    const broker = kept(await startBroker(pool));
    const worker = startWorker(pool.token(broker.port));
    await registered(worker);
    expect(broker.said[0]).toMatchObject({
      worker: worker.id,
      message: {
        type: 'register',
        metadata: { instance_id: 'i-0123' },
        version: 'test',
        executor: 'host',
        held: null,
        leaving: false,
      },
    });
  });

  test('says a changed status at once', async () => {
    const broker = kept(await startBroker(pool));
    const worker = startWorker(pool.token(broker.port));
    await registered(worker);
    worker.status = { held: null, leaving: true, drained: false };
    await worker.connection.report();
    expect(saidBy(broker, 'heartbeat').at(-1)?.message).toMatchObject({ leaving: true });
  });

  test('says what changed while it registered', async () => {
    const broker = kept(await startBroker(pool));
    broker.answering = false;
    const worker = startWorker(pool.token(broker.port));
    await until(() => saidBy(broker, 'register').length === 1, 'register');
    worker.status = { held: null, leaving: true, drained: false };
    await broker.order(worker.id, { type: 'registered', drained: false });
    await until(() => saidBy(broker, 'heartbeat').length === 1, 'a heartbeat');
    expect(saidBy(broker, 'heartbeat')[0]?.message).toMatchObject({ leaving: true });
  });

  test('leaves in order: says so, and leaves no will', async () => {
    const broker = kept(await startBroker(pool));
    const worker = startWorker(pool.token(broker.port));
    await registered(worker);
    await worker.connection.end('told to');
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(saidBy(broker, 'gone').map(({ message }) => message)).toMatchObject([
      { orderly: true, reason: 'told to' },
    ]);
  });

  test('does not register once it has said goodbye, however late the broker is', async () => {
    const broker = kept(await startBroker(pool));
    broker.holding = true;
    const worker = startWorker(pool.token(broker.port));
    await until(() => broker.held.length === 1, 'the subscription');
    const ended = worker.connection.end('told to');
    await until(() => broker.held.length === 2, 'the goodbye');
    const [subscription, goodbye] = broker.held.splice(0);
    broker.holding = false;
    subscription?.();
    await new Promise((resolve) => setTimeout(resolve, 100));
    goodbye?.();
    await ended;
    expect(broker.said.map(({ message }) => message.type)).toEqual(['gone']);
  });

  test('knows the time by the clock of the control plane', async () => {
    const broker = kept(await startBroker(pool));
    broker.ahead = 3_600_000;
    const worker = startWorker(pool.token(broker.port));
    await registered(worker);
    expect(Math.abs(worker.connection.now() - (Date.now() + 3_600_000))).toBeLessThan(2_000);
    await broker.order(worker.id, { type: 'drain', drained: true });
    await until(() => worker.orders.length === 1, 'the order');
  });
});

describe("a machine whose clock is not the control plane's", () => {
  const day = 86_400_000;

  test.each([
    [3_725_000, /clock is 1 hour 2 minutes behind the control plane's/],
    [-180_000 - 2_000, /clock is 3 minutes( \d seconds?)? ahead of the control plane's/],
  ])('by %d ms is told so, and works', async (ahead, words) => {
    const broker = kept(await startBroker(pool));
    broker.ahead = ahead;
    const worker = startWorker(pool.token(broker.port));
    await warned(worker, words);
    await registered(worker);
    await broker.order(worker.id, { type: 'drain', drained: true });
    await until(() => worker.orders.length === 1, 'the order');
  });

  test('by less than a minute is not', async () => {
    const broker = kept(await startBroker(pool));
    broker.ahead = 50_000;
    const worker = startWorker(pool.token(broker.port));
    await registered(worker);
    expect(worker.log.lines.filter(({ level }) => level === 'warn')).toEqual([]);
  });

  test.each([
    ['is not valid yet', 30 * day],
    ['has ended', -900 * day],
  ])('takes a certificate that by its own %s, when it is valid by the other', async (_what, ahead) => {
    const now = Date.now() + ahead;
    const { authority } = pool;
    const server = await issueServerCertificate({ authority, hosts: ['localhost'], now });
    const broker = kept(await startBroker(pool, { server }));
    broker.ahead = ahead;
    const worker = startWorker(pool.token(broker.port));
    await registered(worker);
    await warned(worker, /clock is \d+ days/);
  });

  test('refuses a certificate that has ended by both', async () => {
    const { authority } = pool;
    const now = Date.now() - 900 * day;
    const server = await issueServerCertificate({ authority, hosts: ['localhost'], now });
    const broker = kept(await startBroker(pool, { server }));
    const worker = startWorker(pool.token(broker.port));
    await warned(worker, /is not valid, by the control plane's own clock/);
    expect(worker.log.lines.some(({ message }) => message.startsWith('Registered'))).toBe(false);
  });

  test('does not take one that is for another host besides', async () => {
    const { authority } = pool;
    const now = Date.now() + 30 * day;
    const server = await issueServerCertificate({ authority, hosts: ['elsewhere'], now });
    const broker = kept(await startBroker(pool, { server }));
    await warned(startWorker(pool.token(broker.port)), /Not connected: .*is refused/);
    expect(broker.said).toEqual([]);
  });
});

describe('a connection that breaks', () => {
  test('is made again, with a new session, and the broker publishes the will', async () => {
    const broker = kept(await startBroker(pool));
    const worker = startWorker(pool.token(broker.port));
    await registered(worker);
    broker.cutAll();
    await until(() => saidBy(broker, 'register').length === 2, 'the second registration');
    const sessions = saidBy(broker, 'register').map(({ message }) => message.session);
    expect(new Set(sessions).size).toBe(2);
    expect(saidBy(broker, 'gone')[0]?.message).toMatchObject({ orderly: false, session: sessions[0] });
  });

  test('without a FIN is noticed by the keep-alive and made again', async () => {
    const broker = kept(await startBroker(pool));
    const proxy: Proxy = kept(await startProxy(broker.port));
    const worker = startWorker(pool.token(proxy.port), { keepalive: 1_000 });
    await registered(worker);
    proxy.freeze();
    const begun = performance.now();
    await until(() => saidBy(broker, 'register').length === 2, 'the second registration');
    expect(performance.now() - begun).toBeLessThan(4_000);
  });

  test('is made again when the control plane comes back after a while', async () => {
    const first = await startBroker(pool);
    const worker = startWorker(pool.token(first.port));
    await registered(worker);
    await first.close();
    await warned(worker, /nothing listens at ssl:\/\/localhost/);
    const second = kept(await startBroker(pool, { port: first.port }));
    await until(() => saidBy(second, 'register').length === 1, 'registration at the second');
  });

  test('says the same reason once, not at each try', async () => {
    const worker = startWorker(pool.token(await unusedPort()));
    await warned(worker, /nothing listens/);
    await until(
      () => worker.log.lines.filter(({ message }) => message.startsWith('Connecting again')).length > 3,
      'tries',
    );
    expect(worker.log.lines.filter(({ level }) => level === 'warn')).toHaveLength(1);
  });
});

describe('an order', () => {
  async function pair(): Promise<{ broker: TestBroker; worker: Worker }> {
    const broker = kept(await startBroker(pool));
    const worker = startWorker(pool.token(broker.port));
    await registered(worker);
    return { broker, worker };
  }

  /** True when the worker took the order that is sent last, and only that. */
  async function tookOnly(broker: TestBroker, worker: Worker): Promise<void> {
    await broker.order(worker.id, { type: 'leave', immediate: false, reason: 'last' });
    await until(() => worker.orders.at(-1)?.type === 'leave', 'the last order');
    expect(worker.orders).toHaveLength(1);
  }

  test('that the control plane signed is handed on', async () => {
    const { broker, worker } = await pair();
    await broker.order(worker.id, { type: 'drain', drained: true });
    await until(() => worker.orders.length === 1, 'the order');
    expect(worker.orders[0]).toMatchObject({ type: 'drain', drained: true });
  });

  test('that somebody else signed is dropped', async () => {
    const { broker, worker } = await pair();
    const session = saidBy(broker, 'register')[0]!.message.session;
    const now = Date.now();
    const forged = { ...assignment, worker: worker.id, session, issuedAt: now, expiresAt: now + 10_000 };
    await broker.publish(worker.id, encodeDown(forged, createSigningKey().privateKey));
    await broker.publish(
      worker.id,
      Buffer.from(JSON.stringify({ payload: JSON.stringify(forged), signature: '' })),
    );
    await broker.publish(worker.id, Buffer.from('rubbish'));
    await tookOnly(broker, worker);
    expect(worker.log.lines.flatMap(({ code }) => code ?? [])).toEqual([
      'BAD_SIGNATURE',
      'BAD_SIGNATURE',
      'INVALID_MESSAGE',
    ]);
  });

  test('that comes twice is taken once', async () => {
    const { broker, worker } = await pair();
    const payload = await broker.order(worker.id, { type: 'leave', immediate: false, reason: 'last' });
    await broker.publish(worker.id, payload);
    await warned(worker, /received before/);
    expect(worker.orders).toHaveLength(1);
  });

  test('of an earlier session is dropped', async () => {
    const { broker, worker } = await pair();
    const session = saidBy(broker, 'register')[0]!.message.session;
    broker.cutAll();
    await until(() => saidBy(broker, 'register').length === 2, 'the second registration');
    await broker.order(worker.id, { type: 'drain', drained: true }, { session });
    await tookOnly(broker, worker);
    expect(worker.log.lines.flatMap(({ code }) => code ?? [])).toEqual(['MESSAGE_REPLAYED']);
  });

  test('that comes after its end is dropped, and the launcher connects again to learn the time', async () => {
    const { broker, worker } = await pair();
    const now = Date.now();
    await broker.order(
      worker.id,
      { type: 'drain', drained: true },
      { issuedAt: now - 20_000, expiresAt: now - 5_000 },
    );
    await warned(worker, /after its end/);
    await until(() => saidBy(broker, 'register').length === 2, 'the second registration');
    expect(worker.orders).toHaveLength(0);
  });
});

describe('a launcher that is refused says why:', () => {
  test('no such name', async () => {
    const token = { ...pool.token(1), broker: { endpoint: 'ssl://no-such-host.invalid:8883' } };
    expect(await warned(startWorker(token), /looked up/)).toContain('no-such-host.invalid');
  });

  test('a broker with a certificate of another authority', async () => {
    const broker = kept(await startBroker(pool, { server: other.server }));
    expect(await warned(startWorker(pool.token(broker.port)), /not from the authority/)).toContain(
      'new token',
    );
  });

  test('a broker whose certificate is for another name', async () => {
    const broker = kept(await startBroker(pool));
    const token = { ...pool.token(1), broker: { endpoint: `ssl://127.0.0.2:${String(broker.port)}` } };
    const proxy = createServer((socket) => socket.destroy());
    expect(await warned(startWorker(token), /nothing listens|not for the address/)).toBeDefined();
    proxy.close();
  });

  test('a broker that does not know the certificate of the pool', async () => {
    const broker = kept(await startBroker(pool, { clientAuthority: other.authority.certificate }));
    expect(await warned(startWorker(pool.token(broker.port)), /certificate/)).toContain('new token');
  });

  test('a certificate that has expired', async () => {
    const long = 11 * 365 * 24 * 3_600_000;
    const old = await makePool(Date.now() - long);
    const now = await makePool();
    const broker = kept(await startBroker(now, { clientAuthority: old.authority.certificate }));
    const token = { ...old.token(broker.port), authorities: [now.authority.certificate] };
    expect(await warned(startWorker(token, { key: old }), /ended at/)).toContain('new token');
  });

  test('something that is no TLS server', async () => {
    const server = createServer((socket) => socket.resume().end('HTTP/1.1 400 Bad Request\r\n\r\n'));
    await new Promise<void>((resolve) => server.listen(0, resolve));
    kept({
      close: () =>
        new Promise((resolve) =>
          server.close(() => {
            resolve();
          }),
        ),
    });
    const { port } = server.address() as AddressInfo;
    expect(await warned(startWorker(pool.token(port)), /Not connected/)).toContain("the broker's port");
  });

  test('a broker that cuts the connection off', async () => {
    const server = createServer((socket) => socket.on('data', () => socket.resetAndDestroy()));
    await new Promise<void>((resolve) => server.listen(0, resolve));
    kept({
      close: () =>
        new Promise((resolve) =>
          server.close(() => {
            resolve();
          }),
        ),
    });
    const { port } = server.address() as AddressInfo;
    const worker = startWorker(pool.token(port));
    expect(await warned(worker, /Not connected/)).toContain('ended the connection during the TLS handshake');
    // Every failed try is told, though the log says the same reason only once.
    await until(() => worker.losses.length > 1, 'a second try');
    expect(worker.losses[0]).toMatch(/ended the connection during the TLS handshake/);
    expect(worker.losses[0]).not.toMatch(/\.$/);
  });
});

async function unusedPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

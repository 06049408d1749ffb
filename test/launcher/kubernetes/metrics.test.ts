// The controller's figures: the names and labels that people graph, and who may read them.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import https from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { expect, onTestFinished, test } from 'vitest';
import { createAccessCheck } from '../../../launcher/kubernetes/metrics-access.js';
import { serveMetrics } from '../../../launcher/kubernetes/metrics-endpoint.js';
import { createMetrics } from '../../../launcher/kubernetes/metrics.js';
import { readControllerArguments } from '../../../launcher/kubernetes/arguments.js';
import { createAuthority, issueServerCertificate } from '../../../protocol/certificates.js';
import { manualClock } from '../support/manual-clock.js';
import { recordedLog } from '../support/log.js';
import { until } from '../support/until.js';

test('names, kinds and labels are those that people graph', async () => {
  const metrics = createMetrics(
    () => [{ pool: '01POOL', workers: 3, idle: 2 }],
    () => 7,
  );
  metrics.created(0.02);
  metrics.running(3);
  metrics.notCreated();
  const text = await metrics.text();
  const kinds = [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name = '', kind = '']) => [name, kind]);
  const prefix = 'spacelift_workerpool_controller_';
  expect(Object.fromEntries(kinds)).toEqual({
    [`${prefix}worker_total`]: 'gauge',
    [`${prefix}worker_idle_total`]: 'gauge',
    [`${prefix}worker_creation_duration_seconds`]: 'histogram',
    [`${prefix}worker_creation_errors_total`]: 'counter',
    [`${prefix}pod_creation_duration_seconds`]: 'histogram',
    [`${prefix}api_requests_total`]: 'counter',
  });
  const values = Object.fromEntries(
    [...text.matchAll(/^([^#\s]+) (\S+)$/gm)].map(([, name = '', value = '']) => [name, value]),
  );
  expect(values).toMatchObject({
    [`${prefix}worker_total{pool_ulid="01POOL"}`]: '3',
    [`${prefix}worker_idle_total{pool_ulid="01POOL"}`]: '2',
    [`${prefix}worker_creation_duration_seconds_sum`]: '3',
    [`${prefix}worker_creation_duration_seconds_bucket{le="2.5"}`]: '0',
    [`${prefix}worker_creation_duration_seconds_bucket{le="5"}`]: '1',
    [`${prefix}worker_creation_errors_total`]: '1',
    [`${prefix}api_requests_total`]: '7',
  });
});

/** An API server that knows `good`, who may read, and `other`, who may not. */
function reviews() {
  const asked: string[] = [];
  let away = false;
  return {
    asked,
    goAway: () => (away = true),
    create: <Item>(path: string, body: object) => {
      if (away) return Promise.reject(new Error('it is away'));
      asked.push(path.split('/').at(-1) ?? '');
      const { spec } = body as { spec: { token?: string; user?: string; nonResourceAttributes?: object } };
      const status =
        spec.token === undefined
          ? { allowed: spec.user === 'good' }
          : { authenticated: spec.token !== 'wrong', user: { username: spec.token } };
      return Promise.resolve({ status } as Item);
    },
  };
}

test('an answer of the API server counts for a minute, a refusal for ten seconds', async () => {
  const clock = manualClock();
  const api = reviews();
  const check = createAccessCheck(api, clock);
  expect(await check('Bearer good', '/metrics')).toBe('allowed');
  expect(await check('bearer good', '/metrics')).toBe('allowed');
  expect(api.asked).toEqual(['tokenreviews', 'subjectaccessreviews']);
  expect(await check('Bearer other', '/metrics')).toBe('forbidden');
  expect(await check('Bearer wrong', '/metrics')).toBe('unknown');
  expect(await check(undefined, '/metrics')).toBe('unknown');
  expect(await check('Basic Z29vZA==', '/metrics')).toBe('unknown');
  expect(api.asked).toHaveLength(5);
  clock.advance(10_000);
  await check('Bearer other', '/metrics');
  await check('Bearer good', '/metrics');
  expect(api.asked).toHaveLength(7);
  clock.advance(50_000);
  await check('Bearer good', '/metrics');
  expect(api.asked).toHaveLength(9);
  api.goAway();
  clock.advance(60_000);
  await expect(check('Bearer good', '/metrics')).rejects.toThrow('it is away');
});

test('the certificate is that of the folder, and follows it; who cannot be judged gets nothing', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'poolwright-test-'));
  const authority = await createAuthority({ now: Date.now() });
  const write = async (host: string) => {
    const issued = await issueServerCertificate({ authority, hosts: [host], now: Date.now() });
    await writeFile(join(folder, 'tls.crt'), issued.certificate);
    await writeFile(join(folder, 'tls.key'), issued.privateKey);
  };
  await write('first');
  const clock = manualClock(Date.now());
  const api = reviews();
  const log = recordedLog();
  const endpoint = await serveMetrics({
    address: '127.0.0.1:0',
    secure: true,
    certificates: folder,
    metrics: createMetrics(() => []),
    api,
    clock,
    log,
  });
  onTestFinished(async () => {
    endpoint.close();
    await rm(folder, { recursive: true });
  });
  const get = (servername: string, token: string) =>
    new Promise<number | undefined>((resolve, reject) => {
      const request = https.get(
        {
          ...{ host: '127.0.0.1', port: endpoint.port, path: '/metrics', servername, agent: false },
          ca: authority.certificate,
          headers: { authorization: `Bearer ${token}` },
        },
        (response) => {
          response.resume();
          expect((response.socket as TLSSocket).authorized).toBe(true);
          resolve(response.statusCode);
        },
      );
      request.on('error', reject);
    });
  expect(await get('first', 'good')).toBe(200);
  await write('second');
  clock.advance(60_000);
  await until(() => log.lines.some(({ message }) => message.includes('was exchanged')), 'the exchange');
  expect(await get('second', 'good')).toBe(200);
  await writeFile(join(folder, 'tls.key'), 'none');
  await writeFile(join(folder, 'tls.crt'), 'none');
  clock.advance(60_000);
  await until(() => log.lines.some(({ message }) => message.includes('stays the one')), 'the refusal');
  expect(await get('second', 'other')).toBe(403);
  api.goAway();
  expect(await get('second', 'new')).toBe(503);
});

test('switches are taken as programs in Go take them', () => {
  const read = (...args: string[]) => readControllerArguments(['--launcher-image=i', ...args], {});
  expect(read().metrics).toEqual({ address: '0', secure: true, certificates: '' });
  expect(read('--metrics-secure=false', '--leader-elect=true').metrics.secure).toBe(false);
  expect(read('--leader-elect=true').leaderElect).toBe(true);
  expect(read('--leader-elect=false').leaderElect).toBe(false);
  expect(() => read('--leader-elect=maybe')).toThrow(/leader-elect/);
});

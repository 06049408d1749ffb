// Traces from end to end: a control plane and a launcher, a collector that takes what they send, or does not.
import { spawn } from 'node:child_process';
import { access, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { runSpanIdOf, staySpanIdOf, traceIdOf } from '../../../control-plane/traces/ids.js';
import { traceSettings } from '../../../control-plane/traces/settings.js';
import type { RunState } from '../../../protocol/runs.js';
import { until } from '../../launcher/support/until.js';
import { startCollector, type CollectedSpan, type Collector } from '../../support/collector.js';
import { startControlPlane, type TestPlane } from '../../support/control-plane.js';
import { loadedOfTraces } from '../../support/loaded.js';

const secret = 'a-secret-of-the-collector';
let folder: string;
let collector: Collector;
let plane: TestPlane;
const lines: Record<string, unknown>[] = [];
const log = pino({}, { write: (line) => lines.push(JSON.parse(line) as Record<string, unknown>) });
const warnings = () => lines.filter(({ level }) => Number(level) >= 40).map(({ msg }) => String(msg));

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'poolwright-traces-'));
  collector = await startCollector();
  vi.stubEnv('OTEL_BSP_SCHEDULE_DELAY', '50');
  const traces = traceSettings({
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
    OTEL_EXPORTER_OTLP_HEADERS: `api-key=${secret}`,
    OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=test',
  });
  plane = await startControlPlane(folder, { launchers: 1, serve: { traces, log } });
}, 180_000);
afterAll(async () => {
  vi.unstubAllEnvs();
  await plane.close();
  await collector.close();
  await rm(folder, { recursive: true });
});

const named = (name: string) => collector.spans.filter((span) => span.name === name);
const sent = (name: string, fits: (span: CollectedSpan) => boolean = () => true) =>
  until(
    () => named(name).find(fits),
    `the span ${name}; there are ${collector.spans.map((span) => span.name).join(', ')}`,
  );

describe('a control plane with a collector', () => {
  let run: string;
  let stack: string;
  beforeAll(async () => {
    ({ stack, run } = await plane.triggerRun({
      planCommands: ['true'],
      applyCommands: ['true'],
      autodeploy: true,
    }));
    await plane.reached(stack, run, 'FINISHED');
    await sent('run');
  }, 60_000);

  it('sends every state that a run was in, in order, below the run', async () => {
    const { history } = await plane.run(stack, run);
    const trace = collector.spans.filter(({ traceId }) => traceId === traceIdOf(run));
    const whole = trace.find(({ spanId }) => spanId === runSpanIdOf(run));
    const states = trace.filter((span) => span !== whole);
    // Told newest first.
    const expected = history
      .map(({ state }) => state)
      .toReversed()
      .filter((state) => state !== 'FINISHED');
    expect(expected).toContain('APPLYING');
    expect(states.map(({ name }) => name).toSorted()).toEqual(expected.toSorted());
    expect(states.every(({ parentSpanId }) => parentSpanId === runSpanIdOf(run))).toBe(true);
    for (const { name, spanId, attributes } of states)
      expect(spanId).toBe(staySpanIdOf(run, Number(attributes['poolwright.run.attempt']), name as RunState));
    // One ends where the next one begins, and together they are the run.
    const inOrder = expected.map((name) => states.find((span) => span.name === name)!);
    const edges = inOrder.map(({ startTimeUnixNano }) => startTimeUnixNano);
    expect(inOrder.map(({ endTimeUnixNano }) => endTimeUnixNano)).toEqual([
      ...edges.slice(1),
      whole!.endTimeUnixNano,
    ]);
    expect(edges[0]).toBe(whole!.startTimeUnixNano);
    expect(whole!.attributes).toMatchObject({
      'poolwright.run.id': run,
      'poolwright.run.state': 'FINISHED',
      'poolwright.stack.id': stack,
      'poolwright.space.id': 'root',
      'poolwright.pool.id': plane.pool,
    });
  });

  it('sends what was done for the run, each linked with it', async () => {
    for (const name of ['assign', 'mutation', 'POST /worker/v1/runs/:run/attempts/:attempt/begin'])
      await sent(name, ({ links }) => links.some(({ traceId }) => traceId === traceIdOf(run)));
    expect((await sent('process register')).attributes).toMatchObject({
      'messaging.system': 'mqtt',
      'poolwright.pool.id': plane.pool,
    });
    expect(named('process heartbeat').filter(({ status }) => status.code === 2)).toEqual([]);
  });

  it('says who sends, with the headers that are set', () => {
    expect(loadedOfTraces()).toBeGreaterThan(10);
    expect(collector.spans[0]?.resource).toMatchObject({
      'service.name': 'poolwright',
      'service.version': expect.stringMatching(/^\d+\.\d+\.\d+/) as string,
      'service.instance.id': expect.stringMatching(/^[0-9A-Z]{26}$/) as string,
      'deployment.environment.name': 'test',
    });
    expect(collector.requests[0]).toMatchObject({ path: '/v1/traces', headers: { 'api-key': secret } });
  });

  it('puts a request into the trace of its client, under the name of its operation, without its variables', async () => {
    const traceId = 'c'.repeat(32);
    const ask = (body: object) =>
      fetch(`${plane.url}/graphql`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', traceparent: `00-${traceId}-${'d'.repeat(16)}-01` },
        body: JSON.stringify(body),
      });
    const query = 'mutation SignIn($id: ID!) { apiKeyUser(id: $id, secret: "word-of-the-document") { jwt } }';
    await ask({ query, variables: { id: 'word-of-a-variable' } });
    await ask({ query: 'query Pools { workerPools { id } }' });
    await ask({ query: '{ workerPools { id ' });
    const ofClient = (span: CollectedSpan) => span.traceId === traceId;
    expect(await sent('mutation SignIn', ofClient)).toMatchObject({
      ...{ kind: 2, parentSpanId: 'd'.repeat(16) },
      attributes: {
        'graphql.operation.name': 'SignIn',
        'graphql.operation.type': 'mutation',
        'http.route': '/graphql',
      },
    });
    expect((await sent('query Pools', ofClient)).attributes['error.type']).toBe('UNAUTHORIZED');
    expect((await sent('POST /graphql', ofClient)).attributes['error.type']).toBe('INVALID_ARGUMENT');
    expect(JSON.stringify(collector.spans)).not.toContain('word-of');
  });

  it('calls a request by its route, not by its address, and says nothing of those that watch it', async () => {
    for (const path of [
      '/healthz',
      '/readyz',
      '/metrics',
      '/sign-in?code=word-of-a-link',
      '/nothing/word-of-a-path',
    ])
      await fetch(`${plane.url}${path}`, { redirect: 'manual' });
    await fetch(`${plane.url}/webhooks/word-of-a-hook`, { method: 'POST' });
    expect((await sent('POST /webhooks/:id')).attributes).toEqual({
      'http.request.method': 'POST',
      'http.route': '/webhooks/:id',
      'http.response.status_code': 401,
      'error.type': 'UNAUTHORIZED',
    });
    await sent('GET /sign-in');
    expect((await sent('GET')).attributes).toEqual({
      'http.request.method': 'GET',
      'http.response.status_code': 303,
      'error.type': 'UNAUTHORIZED',
    });
    expect(JSON.stringify(collector.spans)).not.toContain('word-of');
    expect(collector.spans.filter(({ name }) => /healthz|readyz|metrics/.test(name))).toEqual([]);
  });

  it('has every span and attribute in docs/traces.md', async () => {
    const file = fileURLToPath(new URL('../../../docs/traces.md', import.meta.url));
    const text = (await readFile(file, 'utf8')).replace(/^```.*?^```$/gms, '');
    const known = new Set([...text.matchAll(/`([^`]+)`/g)].map(([, word]) => word));
    const used = new Set(collector.spans.flatMap(({ attributes }) => Object.keys(attributes)));
    expect([...used].filter((name) => !known.has(name))).toEqual([]);
  });
});

describe('a collector that is away', () => {
  it('holds nothing up, and is told of once when it goes and once when it is back', async () => {
    expect(warnings()).toEqual([]);
    collector.answer = 400;
    const asked = () => collector.requests.length;
    for (let failed = 0; failed < 3; failed += 1) {
      const before = asked();
      await fetch(`${plane.url}/sign-in`);
      await until(() => asked() > before, 'another batch');
    }
    await until(() => warnings().length > 0, 'the warning');
    collector.answer = 200;
    await fetch(`${plane.url}/sign-in`);
    await until(() => lines.some(({ msg }) => msg === 'traces are sent again'), 'the end of it');
    expect(warnings()).toEqual([expect.stringContaining('traces cannot be sent')]);
    expect(JSON.stringify(lines)).not.toContain(secret);
  });

  it('does not keep a process that is told to end', async () => {
    const black = await startCollector();
    black.answer = 'silent';
    const { child, output, ended } = program({
      OTEL_EXPORTER_OTLP_ENDPOINT: black.url,
      OTEL_BSP_SCHEDULE_DELAY: '50',
    });
    await until(() => output().includes('apiUrl'), 'the control plane', 40_000);
    const [url = ''] = /http:[^"]+/.exec(output()) ?? [];
    await fetch(`${url}/sign-in`);
    await until(() => black.requests.length > 0, 'a batch');
    const began = performance.now();
    child.kill('SIGTERM');
    expect(await ended).toBe(0);
    // Two seconds for the collector; without an end to it, it would be asked for ten.
    expect(performance.now() - began).toBeLessThan(8000);
    await black.close();
  }, 60_000);
});

describe('a start with wrong settings', () => {
  it('is refused before anything is made', async () => {
    const { output, ended } = program({ OTEL_TRACES_EXPORTER: 'console' }, 'refused');
    expect(await ended).toBe(1);
    expect(output()).toContain('INVALID_SETTINGS');
    expect(output()).toContain('OTEL_TRACES_EXPORTER: expected otlp or none');
    await expect(access(join(folder, 'refused'))).rejects.toThrow();
  });
});

/** The built program; `data`: its folder. */
function program(environment: Readonly<Record<string, string>>, data = 'own') {
  const file = fileURLToPath(new URL('../../../dist/control-plane/main.js', import.meta.url));
  const places = ['--listen', '127.0.0.1:0', '--broker-listen', '127.0.0.1:0'];
  const child = spawn(
    process.execPath,
    [file, 'serve', '--data-dir', join(folder, data), ...places, '--json'],
    { env: { PATH: process.env['PATH'], ...environment }, stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  const ended = new Promise<number | null>((resolve) => {
    child.once('close', resolve);
  });
  return { child, output: () => output, ended };
}

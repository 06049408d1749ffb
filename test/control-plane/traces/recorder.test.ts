// Spans as OpenTelemetry's own classes make them of what the control plane tells, and what becomes of them when nobody takes them.
import * as api from '@opentelemetry/api';
import {
  AlwaysOnSampler,
  BasicTracerProvider,
  InMemorySpanExporter,
  ParentBasedSampler,
  RandomIdGenerator,
  SimpleSpanProcessor,
  TraceIdRatioBasedSampler,
  type ReadableSpan,
  type Sampler,
  type SpanExporter,
} from '@opentelemetry/sdk-trace-base';
import { pino } from 'pino';
import { ulid } from 'ulid';
import { describe, expect, it } from 'vitest';
import { PoolwrightError } from '../../../protocol/errors.js';
import { runSpanIdOf, traceIdOf } from '../../../control-plane/traces/ids.js';
import { chosenIds, recordTraces } from '../../../control-plane/traces/recorder.js';
import { watched } from '../../../control-plane/traces/watched.js';

function recording(sampler: Sampler = new AlwaysOnSampler()) {
  const exporter = new InMemorySpanExporter();
  const ids = chosenIds(new RandomIdGenerator());
  const provider = new BasicTracerProvider({
    idGenerator: ids,
    sampler,
    spanProcessors: [new SimpleSpanProcessor(exporter)],
  });
  return {
    traces: recordTraces(api, provider.getTracer('test'), ids),
    spans: () => exporter.getFinishedSpans(),
  };
}

const time = (span: ReadableSpan, which: 'startTime' | 'endTime') =>
  span[which][0] * 1000 + span[which][1] / 1e6;
const idsOf = (span: ReadableSpan) => span.spanContext();
const nothing = () => Promise.resolve();

describe('a run', () => {
  // Long before this process began, and before its clock.
  const stay = {
    state: 'PLANNING',
    attempt: 2,
    from: 1000,
    until: 61_000,
    attributes: {},
    failure: null,
  } as const;

  it('has one trace, whichever process tells of it', () => {
    const run = ulid();
    const [one, other] = [recording(), recording()];
    one.traces.left({ run, ...stay, attributes: { 'poolwright.run.id': run, none: undefined } });
    other.traces.left({ run, ...stay, state: 'APPLYING', attempt: 3, failure: 'COMMAND_FAILED' });
    other.traces.ended({ run, from: 500, until: 90_000, attributes: {}, failure: 'COMMAND_FAILED' });
    const [planning] = one.spans();
    const [applying, whole] = other.spans();
    expect([planning, applying, whole].map((span) => idsOf(span!).traceId)).toEqual(
      Array(3).fill(traceIdOf(run)),
    );
    expect([planning!.parentSpanContext?.spanId, applying!.parentSpanContext?.spanId]).toEqual([
      idsOf(whole!).spanId,
      idsOf(whole!).spanId,
    ]);
    expect(whole!.parentSpanContext).toBeUndefined();
    expect([planning!.name, time(planning!, 'startTime'), time(planning!, 'endTime')]).toEqual([
      'PLANNING',
      1000,
      61_000,
    ]);
    expect([time(whole!, 'startTime'), time(whole!, 'endTime')]).toEqual([500, 90_000]);
    expect(planning!.attributes).toEqual({ 'poolwright.run.id': run });
    expect(planning!.status).toEqual({ code: api.SpanStatusCode.UNSET });
    expect(applying!.status).toEqual({ code: api.SpanStatusCode.ERROR, message: 'COMMAND_FAILED' });
    expect(new Set([planning, applying, whole].map((span) => idsOf(span!).spanId)).size).toBe(3);
  });

  it('is recorded with all its spans or with none, by the ratio that is wanted', () => {
    const sampler = () => new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(0.5) });
    const [one, other] = [recording(sampler()), recording(sampler())];
    const runs = Array.from({ length: 200 }, () => ulid());
    for (const run of runs) {
      one.traces.left({ run, ...stay });
      other.traces.ended({ run, from: 0, until: 1, attributes: {}, failure: null });
    }
    const traces = one.spans().map((span) => idsOf(span).traceId);
    expect(traces).toEqual(other.spans().map((span) => idsOf(span).traceId));
    expect(traces.length).toBeGreaterThan(50);
    expect(traces.length).toBeLessThan(150);
  });

  it('ends no sooner than it begins, whatever two clocks say', () => {
    const { traces, spans } = recording();
    traces.left({ run: ulid(), ...stay, from: 5000, until: 4000 });
    expect(time(spans()[0]!, 'endTime')).toBe(5000);
  });
});

describe('work', () => {
  it('is a part of what it is done for, and linked with the runs that it concerns', async () => {
    const { traces, spans } = recording();
    const run = ulid();
    await traces.span({ name: 'outer', kind: 'server', attributes: { a: 1 } }, async () => {
      await nothing();
      await traces.span({ name: 'inner' }, async (inner) => {
        await nothing();
        expect(traces.current()).toBe(inner);
        inner.concerns(run);
        inner.concerns(run);
        traces.ended({ run, from: 0, until: 1, attributes: {}, failure: null });
      });
      traces.current().rename('renamed');
    });
    const [whole, inner, outer] = spans();
    expect([whole!.name, inner!.name, outer!.name]).toEqual(['run', 'inner', 'renamed']);
    expect(inner!.parentSpanContext?.spanId).toBe(idsOf(outer!).spanId);
    expect(inner!.links.map(({ context }) => [context.traceId, context.spanId])).toEqual([
      [traceIdOf(run), runSpanIdOf(run)],
    ]);
    expect(whole!.links.map(({ context }) => context.spanId)).toEqual([idsOf(inner!).spanId]);
    expect([outer!.kind, inner!.kind, outer!.attributes]).toEqual([1, 0, { a: 1 }]);
  });

  it('of its own kind begins a trace, linked with what it was begun by', async () => {
    const { traces, spans } = recording();
    await traces.span({ name: 'outer' }, () => traces.span({ name: 'own', root: true }, nothing));
    const [own, outer] = spans();
    expect(own!.parentSpanContext).toBeUndefined();
    expect(own!.links[0]?.context.spanId).toBe(idsOf(outer!).spanId);
  });

  it('belongs to the trace that a client has begun', async () => {
    const { traces, spans } = recording();
    const parent = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), sampled: true, state: 'k=v' };
    await traces.span({ name: 'request', parent }, nothing);
    expect(idsOf(spans()[0]!).traceId).toBe(parent.traceId);
    expect(spans()[0]!.parentSpanContext).toMatchObject({ spanId: parent.spanId, isRemote: true });
    expect(idsOf(spans()[0]!).traceState?.serialize()).toBe('k=v');
  });

  it('that fails says with which code, and throws what it threw', async () => {
    const { traces, spans } = recording();
    const refused = new PoolwrightError('CONFLICT', 'with secret words');
    await expect(traces.span({ name: 'one' }, () => Promise.reject(refused))).rejects.toBe(refused);
    await expect(traces.span({ name: 'two' }, () => Promise.reject(new Error('secret')))).rejects.toThrow();
    expect(spans().map(({ status, attributes, events }) => [status.message, attributes, events])).toEqual([
      ['CONFLICT', { 'error.type': 'CONFLICT' }, []],
      ['INTERNAL', { 'error.type': 'INTERNAL' }, []],
    ]);
  });

  it('that happens again and again is told when something is done in it, however deep, or it fails', async () => {
    const { traces, spans } = recording();
    const quiet = (name: string, work: () => Promise<void>) => traces.span({ name, quiet: true }, work);
    await quiet('idle', nothing);
    await quiet('did', async () => {
      await nothing();
      traces.current().did({ count: 3 });
    });
    await quiet('above', () =>
      quiet('below', async () => {
        await nothing();
        traces.current().concerns(ulid());
      }),
    );
    await quiet('failed', () => Promise.reject(new Error('no'))).catch(nothing);
    expect(spans().map(({ name }) => name)).toEqual(['did', 'below', 'above', 'failed']);
  });

  it('that is over is not changed by what goes on after it', async () => {
    const { traces, spans } = recording();
    let late = nothing;
    await traces.span({ name: 'request' }, async (span) => {
      await nothing();
      late = async () => {
        await nothing();
        span.did({ late: true });
        span.concerns(ulid());
        span.fail('INTERNAL');
      };
    });
    await late();
    expect([spans()[0]!.attributes, spans()[0]!.links, spans()[0]!.status.code]).toEqual([{}, [], 0]);
  });

  it('is linked with a hundred runs at most', async () => {
    const { traces, spans } = recording();
    await traces.span({ name: 'pass' }, async (span) => {
      await nothing();
      for (let count = 0; count < 200; count += 1) span.concerns(ulid());
    });
    expect(spans()[0]!.links.length).toBe(100);
  });
});

type Result = Parameters<Parameters<SpanExporter['export']>[1]>[0];

describe('an exporter that fails', () => {
  it('is told of once, with how much was lost when it works again, and never to those who trace', () => {
    const lines: Record<string, unknown>[] = [];
    const log = pino({}, { write: (line) => lines.push(JSON.parse(line) as Record<string, unknown>) });
    const result = (error?: Error) => ({ code: error === undefined ? 0 : 1, error }) as unknown as Result;
    let answer = result();
    const inner: SpanExporter = {
      export: (_spans, done) => {
        done(answer);
      },
      shutdown: nothing,
    };
    const told: unknown[] = [];
    const exporter = watched(inner, {
      log,
      place: 'collector:4318',
      clean: (text) => text.replace('key', '***'),
    });
    const send = (count: number) => {
      exporter.export(Array(count).fill({}) as ReadableSpan[], (result) => told.push(result));
    };
    send(1);
    answer = result(Object.assign(new Error(''), { code: 'ECONNREFUSED' }));
    send(2);
    answer = result(new Error('wrong key'));
    send(3);
    answer = result();
    send(4);
    send(5);
    answer = result(new Error('wrong key'));
    send(6);
    expect(told).toEqual(Array(6).fill({ code: 0 }));
    expect(lines.map(({ level, msg, reason, lost }) => [level, msg, reason ?? lost])).toEqual([
      [40, expect.stringContaining('traces cannot be sent'), 'ECONNREFUSED'],
      [30, 'traces are sent again', 5],
      [40, expect.stringContaining('traces cannot be sent'), 'wrong ***'],
    ]);
  });

  it('is not waited for any longer once it is given up', () => {
    const inner: SpanExporter = { export: () => undefined, shutdown: nothing };
    const told: unknown[] = [];
    const exporter = watched(inner, { log: pino({ level: 'silent' }), place: '', clean: (text) => text });
    exporter.export([], (result) => told.push(result));
    expect(told).toEqual([]);
    exporter.giveUp();
    exporter.giveUp();
    expect(told).toEqual([{ code: 0 }]);
  });
});

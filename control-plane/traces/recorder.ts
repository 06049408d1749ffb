// Records what the control plane tells of its work as spans of OpenTelemetry.
import { AsyncLocalStorage } from 'node:async_hooks';
import type * as Api from '@opentelemetry/api';
import type { IdGenerator } from '@opentelemetry/sdk-trace-base';
import { PoolwrightError } from '../../protocol/errors.js';
import { runSpanIdOf, staySpanIdOf, traceIdOf } from './ids.js';
import { unseenSpan, type Attributes, type RemoteSpan, type Span, type Traces } from './traces.js';

/** Random ids, but for the spans of runs. */
export interface ChosenIds extends IdGenerator {
  /** The span that `start` starts gets these; the trace's is not asked for where it has a parent. */
  choose(ids: { readonly traceId: string; readonly spanId: string }, start: () => Api.Span): Api.Span;
}

export function chosenIds(random: IdGenerator): ChosenIds {
  let chosen: { readonly traceId: string; readonly spanId: string } | undefined;
  return {
    generateTraceId: () => chosen?.traceId ?? random.generateTraceId(),
    generateSpanId: () => chosen?.spanId ?? random.generateSpanId(),
    choose(ids, start) {
      chosen = ids;
      try {
        return start();
      } finally {
        chosen = undefined;
      }
    },
  };
}

/** Runs that a span is linked with; a pass over a long queue may concern a thousand. */
const mostLinks = 100;

interface Recorded extends Span {
  readonly context: Api.SpanContext;
  end(): void;
}

/** `ids` must be those that the tracer's provider uses. */
export function recordTraces(api: typeof Api, tracer: Api.Tracer, ids: ChosenIds): Traces {
  const { ROOT_CONTEXT, SpanKind, SpanStatusCode, TraceFlags, createTraceState, trace } = api;
  /** What is under way, as long as its promises go on. */
  const underWay = new AsyncLocalStorage<Recorded>();
  const inside = (context: Api.SpanContext) => trace.setSpanContext(ROOT_CONTEXT, context);

  /** Started anew wherever one of its trace is wanted, so that the sampler decides the same everywhere; ended once. */
  const runSpan = (run: string, options: Api.SpanOptions = {}) =>
    ids.choose({ traceId: traceIdOf(run), spanId: runSpanIdOf(run) }, () =>
      tracer.startSpan('run', options, ROOT_CONTEXT),
    );

  /** What is under way now is why something is over. */
  const causes = (): Api.Link[] => {
    const cause = underWay.getStore();
    return cause === undefined ? [] : [{ context: cause.context }];
  };

  function finish(span: Api.Span, failure: string | null, from: number, until: number): void {
    if (failure !== null) markFailed(span, failure);
    // The clocks of two processes may differ.
    span.end(new Date(Math.max(from, until)));
  }

  function markFailed(span: Api.Span, code: string): void {
    span.setAttribute('error.type', code);
    span.setStatus({ code: SpanStatusCode.ERROR, message: code });
  }

  function remote({ traceId, spanId, sampled, state }: RemoteSpan): Api.SpanContext {
    return {
      ...{ traceId, spanId, isRemote: true },
      traceFlags: sampled ? TraceFlags.SAMPLED : TraceFlags.NONE,
      ...(state === undefined ? {} : { traceState: createTraceState(state) }),
    };
  }

  function recorded(span: Api.Span, quiet: boolean, outer: Recorded | undefined): Recorded {
    const runs = new Set<string>();
    let worth = !quiet;
    let over = false;
    const did = (attributes: Attributes) => {
      if (over) return;
      span.setAttributes(given(attributes));
      worth = true;
      // What it is a part of would be missed otherwise.
      outer?.did({});
    };
    return {
      context: span.spanContext(),
      rename(name) {
        if (!over) span.updateName(name);
      },
      set(attributes) {
        if (!over) span.setAttributes(given(attributes));
      },
      did,
      concerns(run) {
        did({});
        if (over || runs.has(run) || runs.size >= mostLinks) return;
        runs.add(run);
        span.addLink({ context: runSpan(run).spanContext() });
      },
      fail(code) {
        did({});
        if (!over) markFailed(span, code);
      },
      end() {
        over = true;
        if (worth) span.end();
      },
    };
  }

  return {
    on: true,
    async span(start, work) {
      const { name, kind, attributes, quiet = false, root = false, parent } = start;
      const outer = root ? undefined : underWay.getStore();
      const above = parent === undefined ? outer?.context : remote(parent);
      const span = recorded(
        tracer.startSpan(
          name,
          {
            kind:
              kind === 'server'
                ? SpanKind.SERVER
                : kind === 'consumer'
                  ? SpanKind.CONSUMER
                  : SpanKind.INTERNAL,
            attributes: given(attributes),
            links: root ? causes() : [],
          },
          above === undefined ? ROOT_CONTEXT : inside(above),
        ),
        quiet,
        outer,
      );
      try {
        return await underWay.run(span, () => work(span));
      } catch (error) {
        span.fail(error instanceof PoolwrightError ? error.code : 'INTERNAL');
        throw error;
      } finally {
        span.end();
      }
    },
    current: () => underWay.getStore() ?? unseenSpan,
    left({ run, state, attempt, from, until, attributes, failure }) {
      const context = runSpan(run).spanContext();
      const chosen = { traceId: context.traceId, spanId: staySpanIdOf(run, attempt, state) };
      const options = { startTime: new Date(from), attributes: given(attributes), links: causes() };
      const span = ids.choose(chosen, () => tracer.startSpan(state, options, inside(context)));
      finish(span, failure, from, until);
    },
    ended({ run, from, until, attributes, failure }) {
      const options = { startTime: new Date(from), attributes: given(attributes), links: causes() };
      finish(runSpan(run, options), failure, from, until);
    },
  };
}

function given(attributes: Attributes = {}): Api.Attributes {
  return Object.fromEntries(Object.entries(attributes).filter(([, value]) => value !== undefined));
}

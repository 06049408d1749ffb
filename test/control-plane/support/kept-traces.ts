// Traces that a test reads: what was told, in order, without any package that sends it.
import { AsyncLocalStorage } from 'node:async_hooks';
import {
  unseenSpan,
  type Attributes,
  type Span,
  type SpanStart,
  type Stay,
  type Traces,
} from '../../../control-plane/traces/traces.js';

export interface KeptSpan extends SpanStart {
  readonly attributes: Record<string, Attributes[string]>;
  readonly runs: string[];
  /** Something was done in it, or it failed. */
  worth: boolean;
  failure?: string;
}

export interface KeptTraces extends Traces {
  readonly stays: Stay[];
  readonly runs: Omit<Stay, 'state' | 'attempt'>[];
  /** Those that are over. */
  readonly spans: KeptSpan[];
}

export function keptTraces(): KeptTraces {
  const underWay = new AsyncLocalStorage<Span>();
  const kept: KeptTraces = {
    ...{ on: true, stays: [], runs: [], spans: [] },
    async span(start, work) {
      const span: KeptSpan = { ...start, attributes: { ...start.attributes }, runs: [], worth: false };
      const set = (attributes: Attributes) => {
        Object.assign(span.attributes, attributes);
      };
      const handle: Span = {
        rename: (name) => {
          Object.assign(span, { name });
        },
        set,
        did(attributes) {
          set(attributes);
          span.worth = true;
        },
        concerns(run) {
          span.runs.push(run);
          span.worth = true;
        },
        fail(code) {
          span.failure = code;
          span.worth = true;
        },
      };
      try {
        return await underWay.run(handle, () => work(handle));
      } finally {
        kept.spans.push(span);
      }
    },
    current: () => underWay.getStore() ?? unseenSpan,
    left: (stay) => kept.stays.push(stay),
    ended: (run) => kept.runs.push(run),
  };
  return kept;
}

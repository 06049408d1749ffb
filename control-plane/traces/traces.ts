// What the control plane tells of its work to whoever follows it as traces. docs/traces.md lists every span; open.ts sends
// them, where the environment says where to.
import type { RunState } from '../../protocol/runs.js';

/** Ids, states, codes and counts. Never a secret, a variable, a text of a log, an address with an id in it. */
export type Attributes = Readonly<Record<string, string | number | boolean | undefined>>;

/** A span of somebody else, as the header `traceparent` names it. */
export interface RemoteSpan {
  /** 32 and 16 hexadecimal digits. */
  readonly traceId: string;
  readonly spanId: string;
  /** Whether it is recorded there. */
  readonly sampled: boolean;
  /** The header `tracestate` as it came. */
  readonly state?: string | undefined;
}

export interface SpanStart {
  /** The same for all work of a kind: what tells one from the other is an attribute. */
  readonly name: string;
  /** Who asked for it: a client by HTTP, a worker by a message, nobody. Default: nobody. */
  readonly kind?: 'server' | 'consumer';
  readonly attributes?: Attributes;
  /** Sent only when something is done in it, or it fails: for what happens again and again. */
  readonly quiet?: boolean;
  /** Begins a trace of its own, linked to what is under way. Default: a part of what is under way, if anything is. */
  readonly root?: boolean;
  readonly parent?: RemoteSpan | undefined;
}

/** Work that is under way. After its end nothing of this has an effect. */
export interface Span {
  rename(name: string): void;
  set(attributes: Attributes): void;
  /** The same, and worth to be told though the span is quiet. */
  did(attributes: Attributes): void;
  /** It made or changed a run: linked with the run's trace. */
  concerns(run: string): void;
  /** It did not end well. `code`: as in protocol/errors.ts. */
  fail(code: string): void;
}

interface Past {
  readonly run: string;
  /** Unix milliseconds. */
  readonly from: number;
  readonly until: number;
  readonly attributes: Attributes;
  /** The code that it failed with; null when it did not. */
  readonly failure: string | null;
}

/** One stay of a run in a state, which is over. Within a run, no two have the same attempt and state. */
export interface Stay extends Past {
  readonly state: RunState;
  /** Of the run when it entered the state. */
  readonly attempt: number;
}

export interface Traces {
  /** Whether anybody follows: what has to be looked up for them alone is not looked up otherwise. */
  readonly on: boolean;
  /** Does the work in a span. What it throws ends the span as failed, and is thrown on. */
  span<Result>(start: SpanStart, work: (span: Span) => Promise<Result>): Promise<Result>;
  /** The innermost span under way; one that nobody sees when there is none. */
  current(): Span;
  /** A run has left a state, which is committed. */
  left(stay: Stay): void;
  /** A run has ended, which is committed. */
  ended(run: Past): void;
}

const nothing = () => undefined;

const unseen: Span = { rename: nothing, set: nothing, did: nothing, concerns: nothing, fail: nothing };

/** Where nobody follows. */
export const noTraces: Traces = {
  on: false,
  span: (_start, work) => work(unseen),
  current: () => unseen,
  left: nothing,
  ended: nothing,
};

/** For what is under way outside of any span. */
export const unseenSpan = unseen;

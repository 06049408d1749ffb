// What the life of a run should be: its state after each thing that people, workers and the clock can do, and the shortest
// way to each edge of the table of states.
import type { RunState, RunType } from '../../../../protocol/runs.js';
import { isEnd, stopWithin, transitions } from '../../../../control-plane/runs/transitions.js';

/** What the run is, which nothing changes. */
export interface Kind {
  readonly type: RunType;
  /** Its stack applies plans by itself. */
  readonly autodeploy: boolean;
}

export const kinds: readonly Kind[] = [
  ...(['TRACKED', 'PROPOSED', 'TASK', 'TESTING', 'DESTROY'] as const).map((type) => ({
    type,
    autodeploy: false,
  })),
  { type: 'TRACKED', autodeploy: true },
];

/** What the model knows of the run. */
export interface Model {
  state: RunState;
  /** Waits with a plan. */
  applying: boolean;
  /** A worker has it. */
  held: boolean;
  begun: boolean;
  /** Milliseconds that it has to stop; null while nobody has asked for that. */
  stopping: number | null;
  /** Workers in a row that did not begin. */
  unbegun: number;
}

export const fresh: Readonly<Model> = {
  state: 'QUEUED',
  applying: false,
  held: false,
  begun: false,
  stopping: null,
  unbegun: 0,
};

/** Event → how often it is drawn where it can happen: what brings the run on more than what ends it. */
const weights = {
  assign: 12,
  accept: 12,
  reject: 2,
  begin: 12,
  work: 12,
  finish: 12,
  'finish without changes': 1,
  fail: 1,
  'end by itself': 1,
  confirm: 12,
  discard: 1,
  cancel: 1,
  stop: 1,
  lose: 1,
  retry: 2,
  promote: 2,
  prioritise: 1,
  'wait 16 s': 1,
} as const;
export type Event = keyof typeof weights;
export const events = Object.keys(weights) as Event[];

export const workOf: Readonly<Record<RunType, RunState>> = {
  TRACKED: 'PLANNING',
  PROPOSED: 'PLANNING',
  TESTING: 'PLANNING',
  TASK: 'PERFORMING',
  DESTROY: 'DESTROYING',
};

/** What the model leaves out, as no worker does it. */
export function leavesOut({ state, held, begun, applying }: Model, { type }: Kind, event: Event): boolean {
  // A worker accepts first; the rules take its begin as that, too, where nothing stands between.
  if (event === 'begin') return held && state === 'READY';
  // Of an assignment of the apply stage that was accepted, the deadline is another.
  if (event === 'accept') return applying;
  // A plan comes from the state that makes plans.
  return event === 'finish' && begun && state === 'INITIALIZING' && type === 'TRACKED';
}

/** The state after an event, or undefined where it must be refused. Changes the model. */
export function after(model: Model, { type, autodeploy }: Kind, event: Event): RunState | undefined {
  const { state } = model;
  const go = (next: RunState): RunState => {
    model.state = next;
    if (isEnd(next)) Object.assign(model, { held: false, begun: false, stopping: null });
    return next;
  };
  const back = (): RunState => {
    model.held = false;
    model.unbegun += 1;
    return go(model.unbegun === 3 ? 'FAILED' : model.applying ? 'CONFIRMED' : 'QUEUED');
  };
  const waits = !model.held && (state === 'QUEUED' || state === 'CONFIRMED');
  const works = model.held && model.begun;
  switch (event) {
    case 'assign':
      if (!waits) return undefined;
      model.held = true;
      return go(model.applying ? 'CONFIRMED' : 'READY');
    case 'accept':
      if (!model.held) return undefined;
      return model.begun ? state : go('PREPARING');
    case 'reject':
      return model.held && !model.begun ? back() : undefined;
    case 'begin':
      if (!model.held) return undefined;
      if (model.begun) return state;
      Object.assign(model, { begun: true, unbegun: 0 });
      return go(model.applying ? 'APPLYING' : 'INITIALIZING');
    case 'work':
      return works && state === 'INITIALIZING' ? go(workOf[type]) : undefined;
    case 'finish':
    case 'finish without changes': {
      if (!works) return undefined;
      const plans = type === 'TRACKED' && !model.applying && event === 'finish';
      if (!plans) return go('FINISHED');
      if (model.stopping !== null) return go('STOPPED');
      Object.assign(model, { held: false, begun: false, applying: true });
      return go(autodeploy ? 'CONFIRMED' : 'UNCONFIRMED');
    }
    case 'fail':
      return model.held ? go('FAILED') : undefined;
    case 'end by itself':
      if (!model.held) return undefined;
      return go(model.stopping === null ? 'FAILED' : 'STOPPED');
    case 'confirm':
      return state === 'UNCONFIRMED' ? go('CONFIRMED') : undefined;
    case 'discard':
      return !model.begun && (state === 'UNCONFIRMED' || state === 'CONFIRMED') ? go('DISCARDED') : undefined;
    case 'cancel':
      return !isEnd(state) && !model.begun && !model.applying ? go('CANCELED') : undefined;
    case 'stop':
      if (isEnd(state)) return undefined;
      if (!model.begun) return go(model.applying ? 'DISCARDED' : 'CANCELED');
      model.stopping ??= stopWithin;
      return state;
    case 'lose':
      if (!model.held) return state;
      if (!model.begun) return back();
      return go(model.stopping === null ? 'FAILED' : 'STOPPED');
    case 'retry':
      return isEnd(state) && state !== 'FINISHED' ? state : undefined;
    case 'promote':
      return type === 'PROPOSED' && state === 'FINISHED' ? state : undefined;
    case 'prioritise':
      return waits ? state : undefined;
    case 'wait 16 s':
      // An assignment that nobody accepts goes to another worker, and a stop is waited for a minute; other waits are longer.
      if (model.stopping !== null) {
        model.stopping -= 16_000;
        return model.stopping > 0 ? state : go('STOPPED');
      }
      return state === 'READY' || (state === 'CONFIRMED' && model.held) ? back() : state;
  }
}

/** An event that may come next, most often one that is not refused. `drawn`: any number from 0 on. */
export function draw(model: Model, kind: Kind, drawn: number): Event {
  const modelled = events.filter((event) => !leavesOut(model, kind, event));
  const anything = drawn % 5 === 0;
  const likely = modelled
    .filter((event) => anything || after({ ...model }, kind, event) !== undefined)
    .flatMap((event) => Array.from({ length: anything ? 1 : weights[event] }, () => event));
  return likely[Math.floor(drawn / 5) % likely.length] ?? 'wait 16 s';
}

/** How a plan comes to be applied when nothing goes wrong: what paths start with, as far as they like. */
export const smoothly: readonly Event[] = [
  ...(['assign', 'accept', 'begin', 'work', 'finish'] as const),
  ...(['confirm', 'assign', 'begin'] as const),
];

export interface Edge {
  readonly from: RunState;
  readonly to: RunState;
}

export const edges: readonly Edge[] = (Object.keys(transitions) as RunState[]).flatMap((from) =>
  transitions[from].next.map((to) => ({ from, to })),
);

export interface Way {
  readonly kind: Kind;
  readonly steps: readonly Event[];
}

/**
 * The shortest way on which a run goes over an edge; undefined when nothing that can happen leads there. A stack that
 * applies plans by itself goes over two at once, and over none of its own.
 */
export function wayTo({ from, to }: Edge): Way | undefined {
  const ways = kinds
    .filter(({ autodeploy }) => !autodeploy)
    .map((kind) => ({ kind, steps: [] as readonly Event[], model: { ...fresh } }));
  const known = new Set<string>();
  for (const { kind, steps, model } of ways) {
    for (const event of events) {
      if (leavesOut(model, kind, event)) continue;
      const next = { ...model };
      if (after(next, kind, event) === undefined) continue;
      if (model.state === from && next.state === to) return { kind, steps: [...steps, event] };
      const key = JSON.stringify([kind, next]);
      if (known.has(key)) continue;
      known.add(key);
      ways.push({ kind, steps: [...steps, event], model: next });
    }
  }
  return undefined;
}

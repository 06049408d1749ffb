// The life of a run against a model of it: whatever people, workers and the clock do in any order, the run is in the
// state that the model says, what the model refuses is refused, and its history follows the table of states.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PoolwrightError } from '../../../protocol/errors.js';
import type { RunState, RunType } from '../../../protocol/runs.js';
import { assignNext, type Match } from '../../../control-plane/queue/assign.js';
import { sweep } from '../../../control-plane/queue/reconciler.js';
import { acceptRun, beginRun, rejectRun } from '../../../control-plane/runs/attempts.js';
import {
  cancelRun,
  confirmRun,
  discardRun,
  prioritizeRun,
  stopRun,
} from '../../../control-plane/runs/decisions.js';
import { retryRun } from '../../../control-plane/runs/repeat.js';
import { runHistory } from '../../../control-plane/runs/runs.js';
import { isEnd, transitions } from '../../../control-plane/runs/transitions.js';
import { expectFiguresToHold } from '../support/figures.js';
import { isOnPostgres } from '../support/rules-database.js';
import {
  eachWithRules,
  find,
  makePool,
  makeRun,
  makeStack,
  makeWorker,
  report,
  type Rules,
  type SimulatedWorker,
} from '../support/rules.js';

/** What the model knows of the run. */
interface Model {
  state: RunState;
  /** Waits with a plan. */
  applying: boolean;
  /** A worker has it. */
  held: boolean;
  begun: boolean;
  stopping: boolean;
  /** Workers in a row that did not begin. */
  unbegun: number;
}

const events = [
  'assign',
  'accept',
  'reject',
  'begin',
  'work',
  'finish',
  'finish without changes',
  'fail',
  'confirm',
  'discard',
  'cancel',
  'stop',
  'lose',
  'retry',
  'prioritise',
  'wait 16 s',
] as const;
type Event = (typeof events)[number];

const workOf: Readonly<Record<RunType, RunState>> = {
  TRACKED: 'PLANNING',
  PROPOSED: 'PLANNING',
  TESTING: 'PLANNING',
  TASK: 'PERFORMING',
  DESTROY: 'DESTROYING',
};

/** The state after an event, or undefined where it must be refused. Changes the model. */
function after(model: Model, type: RunType, event: Event): RunState | undefined {
  const { state } = model;
  const go = (next: RunState): RunState => {
    model.state = next;
    if (isEnd(next)) Object.assign(model, { held: false, begun: false });
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
      return model.begun || model.applying ? state : go('PREPARING');
    case 'reject':
      return model.held && !model.begun ? back() : undefined;
    case 'begin':
      if (!model.held) return undefined;
      if (model.begun) return state;
      // A worker accepts first; the rules take its begin as that, too, where nothing stands between.
      if (!model.applying && state !== 'PREPARING') return undefined;
      Object.assign(model, { begun: true, unbegun: 0 });
      return go(model.applying ? 'APPLYING' : 'INITIALIZING');
    case 'work':
      return works && state === 'INITIALIZING' ? go(workOf[type]) : undefined;
    case 'finish':
    case 'finish without changes': {
      if (!works || state === 'INITIALIZING') return undefined;
      const plans = type === 'TRACKED' && !model.applying && event === 'finish';
      if (!plans) return go('FINISHED');
      if (model.stopping) return go('STOPPED');
      Object.assign(model, { held: false, begun: false, applying: true });
      return go('UNCONFIRMED');
    }
    case 'fail':
      return works ? go('FAILED') : undefined;
    case 'confirm':
      return state === 'UNCONFIRMED' ? go('CONFIRMED') : undefined;
    case 'discard':
      return !model.begun && (state === 'UNCONFIRMED' || state === 'CONFIRMED') ? go('DISCARDED') : undefined;
    case 'cancel':
      return !isEnd(state) && !model.begun && !model.applying ? go('CANCELED') : undefined;
    case 'stop':
      if (isEnd(state)) return undefined;
      if (!model.begun) return go(model.applying ? 'DISCARDED' : 'CANCELED');
      model.stopping = true;
      return state;
    case 'lose':
      if (!model.held) return state;
      if (!model.begun) return back();
      return go(model.stopping ? 'STOPPED' : 'FAILED');
    case 'retry':
      return isEnd(state) && state !== 'FINISHED' ? state : undefined;
    case 'prioritise':
      return waits ? state : undefined;
    case 'wait 16 s':
      // An assignment that nobody accepts goes to another worker; other waits are longer.
      return state === 'READY' || (state === 'CONFIRMED' && model.held) ? back() : state;
  }
}

describe('the life of a run', () => {
  let rules: Rules;
  eachWithRules((given) => {
    rules = given.rules;
  });

  it('is as the model says', { timeout: 240_000 }, async () => {
    const type = fc.constantFrom<RunType>('TRACKED', 'TRACKED', 'PROPOSED', 'TASK', 'DESTROY');
    const path = fc.array(fc.constantFrom(...events), { minLength: 4, maxLength: 24 });
    await fc.assert(
      fc.asyncProperty(type, path, async (runType, steps) => {
        await rules.reset();
        const pool = await makePool(rules);
        const worker = await makeWorker(rules, pool);
        const stack = await makeStack(rules, pool);
        const task = runType === 'TASK' ? { task: 'true' } : {};
        const { id } = await makeRun(rules, stack, { type: runType, ...task });
        const model: Model = {
          state: 'QUEUED',
          applying: false,
          held: false,
          begun: false,
          stopping: false,
          unbegun: 0,
        };
        let match: Match | undefined;
        let number = 0;
        for (const step of steps) {
          const before = model.state;
          if (step === 'begin' && model.held && before === 'READY') continue;
          // Of an assignment of the apply stage that was accepted, the deadline is another; the model leaves it out.
          if (step === 'accept' && model.applying) continue;
          const expected = after(model, runType, step);
          const done = await perform(step, { id, stack, pool, worker, match, number: (number += 2) });
          if (done.match !== undefined) {
            match = done.match;
            number = 0;
          }
          expect(done.refused, `${step} at ${before}`).toBe(expected === undefined);
          const run = await find(rules, id);
          expect(run.state, `after ${step} at ${before}`).toBe(model.state);
          expect(run.worker_id !== null, `held after ${step} at ${before}`).toBe(model.held);
          expect(run.begun).toBe(model.begun);
          expect(run.deadline_at === null).toBe(isEnd(run.state));
          await ready(worker, model);
        }
        await expectFiguresToHold(rules.context.db);
        const history = (await runHistory(rules.context, id)).map(({ state }) => state);
        for (const [index, state] of history.slice(1).entries())
          expect(transitions[history[index]!].next, `${history[index]!} → ${state}`).toContain(state);
      }),
      { numRuns: isOnPostgres() ? 25 : 50, endOnFailure: true },
    );
  });

  /** The worker is there, and free unless it has the run: so only the run's own rules decide. */
  async function ready(worker: SimulatedWorker, model: Model): Promise<void> {
    if (model.held) return;
    await worker.register(null);
    await rules.context.db.updateTable('workers').set({ run_id: null }).where('id', '=', worker.id).execute();
    await rules.context.db.deleteFrom('runs').where('origin', 'is not', null).execute();
  }

  async function perform(
    step: Event,
    at: {
      id: string;
      stack: string;
      pool: string;
      worker: SimulatedWorker;
      match: Match | undefined;
      number: number;
    },
  ): Promise<{ refused: boolean; match?: Match }> {
    const { context } = rules;
    const { id, stack, worker, number } = at;
    const by = { run: id, username: 'test' };
    const attempt = at.match?.run.attempt ?? 1;
    if (step === 'assign') {
      const match = await assignNext(context, at.pool);
      return match === undefined ? { refused: true } : { refused: false, match };
    }
    const held = { run: id, attempt, begun: true };
    const changes = { add: 1, change: 0, destroy: 0, any: step === 'finish' };
    const none: Match = at.match ?? ({ run: { id, attempt }, worker: { id: worker.id } } as Match);
    const work: Record<Exclude<Event, 'assign'>, () => Promise<unknown>> = {
      accept: () => acceptRun(context, id, attempt, worker.id),
      reject: () => rejectRun(context, id, attempt, worker.id, { code: 'X', message: 'x' }),
      begin: () => beginRun(context, id, attempt, worker.id),
      work: async () => {
        const run = await find(rules, id);
        if (run.state !== 'INITIALIZING') throw new PoolwrightError('CONFLICT', 'nothing to enter');
        await report(rules, none, number, { k: 'state', s: workOf[run.type] });
      },
      finish: () => finish(none, number, { changes, workspace: '01HZ0000000000000000000WWW' }),
      'finish without changes': () => finish(none, number, { changes }),
      fail: () => finish(none, number, { outcome: 'failed', code: 'X', message: 'x' }, true),
      confirm: () => confirmRun(context, by),
      discard: () => discardRun(context, by),
      cancel: () => cancelRun(context, by),
      stop: () => stopRun(context, by),
      lose: async () => {
        await worker.gone(false);
        rules.now += 9000;
        await sweep(context);
      },
      retry: () => retryRun(context, { stack, ...by }),
      prioritise: () => prioritizeRun(context, { ...by, prioritize: true }),
      'wait 16 s': async () => {
        rules.now += 16_000;
        const { worker_id, begun } = await find(rules, id);
        await worker.heartbeat(worker_id === null ? null : { ...held, begun });
        await sweep(context);
      },
    };
    try {
      await work[step]();
      return { refused: false };
    } catch (error) {
      if (error instanceof PoolwrightError && ['CONFLICT', 'STALE_ATTEMPT'].includes(error.code))
        return { refused: true };
      throw error;
    }
  }

  /** A result that comes again is no news, so for the model only that of a run that works counts. */
  async function finish(match: Match, number: number, result: object, always = false): Promise<void> {
    const run = await find(rules, match.run.id);
    if (!run.begun || (!always && run.state === 'INITIALIZING'))
      throw new PoolwrightError('CONFLICT', 'nothing to finish');
    await report(rules, match, number, result);
  }
});

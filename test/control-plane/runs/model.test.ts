// The life of a run against a model of it: whatever people, workers and the clock do in any order, the run is in the
// state that the model says, what the model refuses is refused, and its history follows the table of states.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PoolwrightError } from '../../../protocol/errors.js';
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
import { promoteRun, retryRun } from '../../../control-plane/runs/repeat.js';
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
import {
  after,
  draw,
  edges,
  fresh,
  kinds,
  smoothly,
  wayTo,
  workOf,
  type Event,
  type Kind,
  type Model,
} from './support/model.js';

describe('the life of a run', () => {
  let rules: Rules;
  eachWithRules((given) => {
    rules = given.rules;
  });

  /** States that followed one another in a run, as its history has them: `PLANNING → UNCONFIRMED`. */
  const visited = new Set<string>();

  /** A run from its beginning, each step of which has to end as the model says. `next`: undefined at the end. */
  async function live(kind: Kind, next: (model: Model, steps: number) => Event | undefined): Promise<void> {
    await rules.reset();
    const pool = await makePool(rules);
    const worker = await makeWorker(rules, pool);
    const stack = await makeStack(rules, pool, { autodeploy: kind.autodeploy });
    const task = kind.type === 'TASK' ? { task: 'true' } : {};
    const { id } = await makeRun(rules, stack, { type: kind.type, ...task });
    const model: Model = { ...fresh };
    let match: Match | undefined;
    let number = 0;
    for (let steps = 0; ; steps += 1) {
      const step = next(model, steps);
      if (step === undefined) break;
      const before = model.state;
      const expected = after(model, kind, step);
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
    for (const [index, state] of history.slice(1).entries()) {
      const edge = `${history[index]!} → ${state}`;
      expect(transitions[history[index]!].next, edge).toContain(state);
      visited.add(edge);
    }
  }

  it('is as the model says', { timeout: 240_000 }, async () => {
    const path = fc.array(fc.nat(9999), { minLength: 4, maxLength: 20 });
    const start = fc.nat(smoothly.length);
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...kinds), start, path, async (kind, prepared, drawn) => {
        // What makes no plan would have ended by then.
        const first = kind.type === 'TRACKED' ? prepared : prepared % 5;
        let ended = 0;
        await live(kind, (model, steps) => {
          if (steps < first) return smoothly[steps];
          const number = drawn[steps - first];
          // Of what has ended, a few things are asked, and not all the rest of the path.
          if (isEnd(model.state)) ended += 1;
          return number === undefined || ended > 3 ? undefined : draw(model, kind, number);
        });
      }),
      { numRuns: isOnPostgres() ? 20 : 40, endOnFailure: true },
    );
  });

  it(
    'goes over every edge of the table of states, and each is in the table because something leads there',
    {
      timeout: 240_000,
    },
    async () => {
      const ways = edges.map((edge) => ({ edge: `${edge.from} → ${edge.to}`, way: wayTo(edge) }));
      expect(ways.filter(({ way }) => way === undefined)).toEqual([]);
      // The longest first: they go over the edges of others.
      for (const { edge, way } of ways.toSorted(
        (one, two) => two.way!.steps.length - one.way!.steps.length,
      )) {
        if (visited.has(edge)) continue;
        await live(way!.kind, (_, steps) => way!.steps[steps]);
        expect([...visited]).toContain(edge);
      }
    },
  );

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
      fail: () => finish(none, number, { outcome: 'failed', code: 'X', message: 'x' }),
      'end by itself': () => finish(none, number, { outcome: 'stopped', code: 'X', message: 'x' }),
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
      promote: () => promoteRun(context, { stack, ...by }),
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

  /** A result that comes again is no news, so for the model only that of a run that a worker has counts. */
  async function finish(match: Match, number: number, result: object): Promise<void> {
    const run = await find(rules, match.run.id);
    if (run.worker_id === null) throw new PoolwrightError('CONFLICT', 'nothing to finish');
    await report(rules, match, number, result);
  }
});

// Drain, assignment, loss, return, stop and results in any order: a run is never lost, never at two workers, never
// begun twice, and never starts on a worker that answered "drained and not busy".
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PoolwrightError } from '../../../protocol/errors.js';
import { noteSignOfLife } from '../../../control-plane/pools/signs-of-life.js';
import { setDrained } from '../../../control-plane/pools/workers.js';
import { assignNext } from '../../../control-plane/queue/assign.js';
import { sweep } from '../../../control-plane/queue/reconciler.js';
import { acceptRun, beginRun, rejectRun } from '../../../control-plane/runs/attempts.js';
import { confirmRun, prioritizeRun, stopRun } from '../../../control-plane/runs/decisions.js';
import { releaseLock, setDisabled, setLock } from '../../../control-plane/stacks/locks.js';
import type { RunRow } from '../../../control-plane/store/schema.js';
import { isEnd } from '../../../control-plane/runs/transitions.js';
import {
  makePool,
  makeRun,
  makeStack,
  makeWorker,
  openRules,
  report,
  type Rules,
  type SimulatedWorker,
} from '../support/rules.js';
import type { Match } from '../../../control-plane/queue/assign.js';
import { isOnPostgres } from '../support/rules-database.js';

const workerActions = [
  ...(['drain', 'undrain', 'lose', 'return', 'reject', 'begin', 'finish', 'report'] as const),
  'sign',
] as const;
type WorkerAction = (typeof workerActions)[number];
type Action =
  | { readonly kind: 'assign' }
  | { readonly kind: 'worker'; readonly what: WorkerAction; readonly worker: number }
  | { readonly kind: 'stop' | 'confirm'; readonly run: number }
  | { readonly kind: 'time'; readonly seconds: number }
  | { readonly kind: 'trigger' }
  | {
      readonly kind: 'stack';
      readonly what: 'lock' | 'unlock' | 'disable' | 'enable';
      readonly stack: number;
    }
  | { readonly kind: 'prioritize'; readonly run: number; readonly on: boolean };

const worker = fc.nat({ max: 2 });
const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 6, arbitrary: fc.constant({ kind: 'assign' } as const) },
  { weight: 3, arbitrary: fc.constant({ kind: 'trigger' } as const) },
  {
    weight: 12,
    arbitrary: fc.record({
      kind: fc.constant('worker' as const),
      what: fc.constantFrom(...workerActions),
      worker,
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('stop', 'confirm'), run: fc.nat({ max: 3 }) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('stack' as const),
      what: fc.constantFrom('lock', 'unlock', 'disable', 'enable'),
      stack: fc.nat({ max: 1 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('prioritize' as const),
      run: fc.nat({ max: 3 }),
      on: fc.boolean(),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('time' as const),
      seconds: fc.constantFrom(1, 6, 9, 16, 40, 290),
    }),
  },
);

describe('any order of events', () => {
  let rules: Rules;
  beforeAll(async () => {
    rules = await openRules();
  });
  afterAll(() => rules.close());

  /** Errors that a rule gives to whoever came too late are part of the game; anything else is a fault. */
  const allowed = async (work: Promise<unknown>) => {
    await work.catch((error: unknown) => {
      if (error instanceof PoolwrightError && ['STALE_ATTEMPT', 'CONFLICT', 'NOT_FOUND'].includes(error.code))
        return;
      throw error;
    });
  };

  it('keeps every run, once', { timeout: 240_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(action, { minLength: 5, maxLength: 40 }),
        fc.boolean(),
        async (actions, together) => {
          await rules.reset();
          const pool = await makePool(rules);
          const workers: SimulatedWorker[] = [];
          for (const executor of ['host', 'pod', 'pod'] as const)
            workers.push(await makeWorker(rules, pool, executor));
          const stacks = [await makeStack(rules, pool), await makeStack(rules, pool, { autodeploy: true })];
          const runs: string[] = [];
          /** What each worker was given last. */
          const given = new Map<string, Match>();
          const begins = new Map<string, number>();
          /** Workers that are promised to be left alone: drain answered "not busy", and nobody took it back since. */
          const quiet = new Set<string>();
          /** How often a promise was taken back, counted when that is asked for. */
          const releases = new Map<string, number>();
          const released = (id: string) => {
            quiet.delete(id);
            releases.set(id, (releases.get(id) ?? 0) + 1);
          };

          const perform = async (step: Action): Promise<void> => {
            switch (step.kind) {
              case 'trigger':
                await allowed(makeRun(rules, stacks[runs.length % 2] ?? '').then(({ id }) => runs.push(id)));
                return;
              case 'stack': {
                const stack = stacks[step.stack] ?? '';
                const { context } = rules;
                const work = {
                  lock: () => setLock(context, stack, { by: 'somebody', note: null }),
                  unlock: () => releaseLock(context, stack),
                  disable: () => setDisabled(context, stack, true),
                  enable: () => setDisabled(context, stack, false),
                };
                await allowed(work[step.what]());
                return;
              }
              case 'prioritize': {
                const run = runs[step.run];
                if (run === undefined) return;
                await allowed(prioritizeRun(rules.context, { run, username: 'test', prioritize: step.on }));
                return;
              }
              case 'assign': {
                const promised = new Set(quiet);
                const match = await assignNext(rules.context, pool);
                if (match === undefined) return;
                const broken = promised.has(match.worker.id) && quiet.has(match.worker.id);
                expect(broken, 'assigned to a worker that is drained and not busy').toBe(false);
                given.set(match.worker.id, match);
                return;
              }
              case 'time':
                rules.now += step.seconds * 1000;
                await sweep(rules.context);
                return;
              case 'stop':
              case 'confirm': {
                const run = runs[step.run];
                const decide = step.kind === 'stop' ? stopRun : confirmRun;
                if (run !== undefined) await allowed(decide(rules.context, { run, username: 'test' }));
                return;
              }
              case 'worker':
                await byWorker(step.what, workers[step.worker] as SimulatedWorker);
            }
          };

          const byWorker = async (kind: WorkerAction, by: SimulatedWorker): Promise<void> => {
            const match = given.get(by.id);
            switch (kind) {
              case 'drain':
              case 'undrain': {
                if (kind === 'undrain') released(by.id);
                const asked = releases.get(by.id);
                await allowed(
                  setDrained(rules.context, pool, by.id, kind === 'drain').then(({ drained, run_id }) => {
                    const promised = drained && run_id === null && releases.get(by.id) === asked;
                    if (promised) quiet.add(by.id);
                  }),
                );
                return;
              }
              case 'lose':
                await by.gone(false);
                return;
              case 'return':
                released(by.id);
                await by.register(null);
                return;
              case 'report':
                await by.heartbeat(
                  match === undefined
                    ? null
                    : { run: match.run.id, attempt: match.run.attempt, begun: false },
                );
                return;
              case 'sign': {
                if (match === undefined) return;
                const { run, attempt } = { run: match.run.id, attempt: match.run.attempt };
                await allowed(noteSignOfLife(rules.context, { run, attempt, worker: by.id }));
                return;
              }
              case 'reject':
                if (match !== undefined) {
                  await allowed(
                    rejectRun(rules.context, match.run.id, match.run.attempt, by.id, {
                      code: 'X',
                      message: 'x',
                    }),
                  );
                }
                return;
              case 'begin':
                if (match === undefined) return;
                await allowed(
                  acceptRun(rules.context, match.run.id, match.run.attempt, by.id)
                    .then(() => beginRun(rules.context, match.run.id, match.run.attempt, by.id))
                    .then(() => {
                      const key = `${match.run.id} ${match.run.stage}`;
                      const before = begins.get(key);
                      expect(
                        before === undefined || before === match.run.attempt,
                        'a stage begun twice',
                      ).toBe(true);
                      begins.set(key, match.run.attempt);
                    }),
                );
                return;
              case 'finish': {
                if (match === undefined) return;
                const changes = { add: 1, change: 0, destroy: 0, any: true };
                await allowed(
                  report(
                    rules,
                    match,
                    1,
                    { k: 'state', s: match.run.stage === 'APPLY' ? 'APPLYING' : 'PLANNING' },
                    match.run.stage === 'APPLY' ? {} : { changes, workspace: match.run.id },
                  ),
                );
                await by.heartbeat(null);
                return;
              }
            }
          };

          if (together) {
            // All at once: the database alone orders them.
            for (let at = 0; at < actions.length; at += 4)
              await Promise.all(actions.slice(at, at + 4).map(perform));
          } else {
            for (const step of actions) {
              await perform(step);
              await holds();
            }
          }
          await holds();

          for (const stack of stacks) {
            await allowed(releaseLock(rules.context, stack));
            await setDisabled(rules.context, stack, false);
          }
          // Whatever happened: once it is quiet and every worker is back with empty hands, each run can be brought to its end.
          for (let round = 0; round < 60; round += 1) {
            rules.now += 9000;
            await sweep(rules.context);
            for (const by of workers) {
              await allowed(setDrainedIfThere(by.id));
              await by.register(null);
              await by.heartbeat(null);
            }
            const match = await assignNext(rules.context, pool);
            if (match !== undefined) {
              given.set(match.worker.id, match);
              const by = workers.find(({ id }) => id === match.worker.id) as SimulatedWorker;
              await byWorker('begin', by);
              await byWorker('finish', by);
            }
            for (const run of runs) await allowed(confirmRun(rules.context, { run, username: 'test' }));
            if (await allEnded()) break;
          }
          const rows = await rules.context.db.selectFrom('runs').selectAll().execute();
          expect(rows).toHaveLength(runs.length);
          for (const { state } of rows) expect(isEnd(state), state).toBe(true);

          /** Of a stack's waiting runs that change things, at most the first may go, and it does unless something is in the way. */
          async function holdsAreRight(all: readonly RunRow[]): Promise<void> {
            const rows = await rules.context.db.selectFrom('stacks').selectAll().execute();
            for (const { id, disabled, locked_by } of rows) {
              const writes = all.filter(({ stack_id, state }) => stack_id === id && !isEnd(state));
              const waiting = writes.filter(
                ({ state, worker_id }) => state === 'QUEUED' && worker_id === null,
              );
              const open = waiting.filter(({ hold }) => hold === null);
              const free = writes.length === waiting.length && waiting.length > 0;
              const mayGo = free && !disabled && locked_by === null;
              expect(open.length, `open runs of ${id}`).toBe(mayGo ? 1 : 0);
            }
          }

          async function allEnded(): Promise<boolean> {
            const states = await rules.context.db.selectFrom('runs').select('state').execute();
            return states.every(({ state }) => isEnd(state));
          }

          async function setDrainedIfThere(id: string): Promise<void> {
            released(id);
            await setDrained(rules.context, pool, id, false);
          }

          async function holds(): Promise<void> {
            const all = await rules.context.db.selectFrom('runs').selectAll().execute();
            const holders = all.flatMap(({ worker_id }) => worker_id ?? []);
            expect(new Set(holders).size, 'a worker with two runs').toBe(holders.length);
            for (const run of all) {
              expect(isEnd(run.state) || run.deadline_at !== null, `${run.state} without a deadline`).toBe(
                true,
              );
              if (run.worker_id === null)
                expect(run.begun, `${run.state} begun without a worker`).toBe(false);
            }
            await holdsAreRight(all);
          }
        },
      ),
      { numRuns: isOnPostgres() ? 8 : 60, endOnFailure: true, interruptAfterTimeLimit: 120_000 },
    );
  });
});

// One round: starts the runs of a schedule and brings its faults about, waits until everything has ended, and looks
// whether all invariants hold.
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  createTask,
  getRun,
  newestRun,
  triggerRun,
  type RunWithHistory,
} from '../../../control-plane/cli/api/runs.js';
import { createStack } from '../../../control-plane/cli/api/stacks.js';
import { massLossPatience } from '../../../control-plane/queue/mass-loss.js';
import { messageOf, PoolwrightError } from '../../../protocol/errors.js';
import { idle, type Fleet } from './fleet.js';
import { inject } from './inject/inject.js';
import type { StartedRun } from './inject/stage.js';
import { startedWhileDrained } from './drains.js';
import { judge, type Ended, type Happened } from './judge.js';
import { leftovers } from './leftovers.js';
import { readLog } from './log.js';
import { isUnavailable, patiently } from './patience.js';
import type { Schedule } from './schedule.js';
import {
  readWitness,
  stackOf,
  stepsOf,
  taskOf,
  workStates,
  type PlannedRun,
  type WorkingState,
} from './work.js';

export interface RoundReport {
  readonly seed: number;
  readonly seconds: number;
  /** How many runs ended in each way: a state, or a failure's code. */
  readonly ends: Readonly<Record<string, number>>;
  readonly happened: readonly Happened[];
  /** What was wrong; empty for a clean round. */
  readonly violations: readonly string[];
}

/**
 * Milliseconds that all runs of a round have after its last fault is over. When faults happen to hit most of a pool at
 * once, runs of workers that are gone are left as they are for as long as the alarm says.
 */
const endWithin = 240_000 + massLossPatience;

/** Milliseconds between two questions after a run: every one costs the control plane about as much as a step of a run. */
const polled = 500;

interface Sample {
  readonly run: string;
  readonly state: WorkingState;
  readonly text: string;
}

export async function performRound(fleet: Fleet, schedule: Schedule): Promise<RoundReport> {
  const begin = performance.now();
  const violations: string[] = [];
  const happened: Happened[] = [];
  const started: (StartedRun | undefined)[] = schedule.runs.map(() => undefined);
  const samples: Sample[] = [];
  const until = (at: number) => sleep(Math.max(0, at - (performance.now() - begin)));
  let over = false;

  const runs = schedule.runs.map(async (planned, index) => {
    await until(planned.at);
    started[index] = await startRun(fleet, planned, markerOf(schedule, index));
  });
  const faults = schedule.faults.map(async (fault) => {
    await until(fault.at);
    const result = await inject({ fleet, started }, fault);
    if (result !== undefined) happened.push(result);
  });
  const sampling = takeSamples(fleet, started, samples, happened, () => over);
  try {
    await allOf([...runs, ...faults]);
    const states = await allOf(started.map((run) => (run === undefined ? missing() : ended(fleet, run))));
    await idle(fleet);
    over = true;
    await sampling;
    const witness = readWitness(await readFile(fleet.witness, 'utf8').catch(() => ''));
    for (const [index, planned] of schedule.runs.entries()) {
      const run = states[index];
      const marker = markerOf(schedule, index);
      if (run === undefined) continue;
      const known = await look(fleet, planned, marker, run, samples, witness);
      for (const fault of judge(known, happened))
        violations.push(`run ${marker} (${run.id}, ${planned.type.toLowerCase()}): ${fault}`);
    }
    violations.push(...startedWhileDrained(witness, happened), ...(await leftovers(fleet)));
    return { seed: schedule.seed, seconds: since(begin), ends: countEnds(states), happened, violations };
  } catch (error) {
    violations.push(messageOf(error));
    return { seed: schedule.seed, seconds: since(begin), ends: {}, happened, violations };
  } finally {
    over = true;
    await Promise.allSettled([...runs, ...faults, sampling]);
  }
}

function since(begin: number): number {
  return (performance.now() - begin) / 1000;
}

function missing(): Promise<never> {
  return Promise.reject(new Error('a run of the schedule was not started'));
}

/** All results, or all faults in one. */
async function allOf<Value>(work: readonly Promise<Value>[]): Promise<Value[]> {
  const results = await Promise.allSettled(work);
  const faults = results
    .filter((result) => result.status === 'rejected')
    .map(({ reason }) => messageOf(reason));
  if (faults.length > 0) throw new Error(faults.join('\n'));
  return results.filter((result) => result.status === 'fulfilled').map(({ value }) => value);
}

function markerOf({ seed }: Schedule, index: number): string {
  return `round-${String(seed)}-run-${String(index)}`;
}

/** Each once, also when an answer is lost with the control plane that gave it. */
async function startRun(
  { client, pool, witness }: Fleet,
  planned: PlannedRun,
  marker: string,
): Promise<StartedRun> {
  const input = { ...stackOf(planned, marker, witness), id: marker, workerPool: pool };
  await patiently(() =>
    createStack(client, input).catch((error: unknown) => {
      if (error instanceof PoolwrightError && error.code === 'CONFLICT') return;
      throw error;
    }),
  );
  const run = await patiently(async () => {
    const there = await newestRun(client, marker);
    if (there !== undefined) return there;
    return planned.type === 'TASK'
      ? createTask(client, marker, taskOf(planned, marker, witness))
      : triggerRun(client, { stack: marker, runType: planned.type });
  });
  return { stack: marker, run: run.id };
}

async function ended({ client }: Fleet, { stack, run }: StartedRun): Promise<RunWithHistory> {
  const end = performance.now() + endWithin;
  for (;;) {
    const row = await patiently(() => getRun(client, stack, run));
    if (row.finished) return row;
    if (performance.now() > end)
      throw new Error(
        `run ${stack} (${run}) has not ended; it is ${row.state}: ${String(row.waitReason)} ${JSON.stringify(row.history)}`,
      );
    await sleep(polled);
  }
}

/** Milliseconds that no answer takes, unless the machine has no time for what runs on it. */
const stalled = 4_000;

/**
 * Reads logs now and then while runs are under way: what was there once must stay. Notices by it when the machine is so
 * busy that programs on it count as gone to each other.
 */
async function takeSamples(
  fleet: Fleet,
  started: readonly (StartedRun | undefined)[],
  samples: Sample[],
  happened: Happened[],
  over: () => boolean,
): Promise<void> {
  for (let turn = 0; !over(); turn += 1) {
    const from = Date.now();
    await sleep(polled);
    const run = started[turn % started.length];
    if (run === undefined) continue;
    try {
      const { state } = await getRun(fleet.client, run.stack, run.run);
      const working = workStates.find((each) => each === state);
      if (working === undefined) continue;
      samples.push({ run: run.run, state: working, text: await readLog(fleet.client, run, working) });
    } catch (error) {
      if (!isUnavailable(error)) throw error;
    }
    const to = Date.now();
    if (to - from > stalled)
      happened.push({
        fault: { kind: 'stall', at: 0 },
        from: from - stalled,
        to: to + stalled,
        workers: everyoneEver(fleet),
      });
  }
}

function everyoneEver({ places }: Fleet): Set<string> {
  return new Set(places.flatMap(({ launcher, workers }) => [...workers, ...launcher.workers]));
}

async function look(
  { client }: Fleet,
  planned: PlannedRun,
  marker: string,
  run: RunWithHistory,
  samples: readonly Sample[],
  witness: ReturnType<typeof readWitness>,
): Promise<Ended> {
  const logs: Partial<Record<WorkingState, string>> = {};
  const workers = new Set<string>();
  for (const { state, stateVersion, hasLogs } of run.history) {
    if (!hasLogs) continue;
    const text = await patiently(() => readLog(client, { stack: marker, run: run.id }, state, stateVersion));
    const working = workStates.find((each) => each === state);
    if (working !== undefined) logs[working] = text;
    for (const [, worker] of text.matchAll(/^Worker (\w{26}) \(launcher/gm)) workers.add(worker ?? '');
  }
  for (const [, worker] of JSON.stringify(run).matchAll(/[Ww]orker (\w{26})/g)) workers.add(worker ?? '');
  const seconds = run.history.map(({ timestamp }) => timestamp);
  return {
    id: run.id,
    marker,
    steps: stepsOf(planned),
    state: run.state,
    failure: run.failure,
    ends: run.history.filter(({ terminal }) => terminal).length,
    from: run.createdAt * 1000,
    to: (Math.max(...seconds) + 1) * 1000,
    workers,
    logs,
    earlier: samples.filter((sample) => sample.run === run.id),
    witnessed: witness.filter((each) => each.marker === marker),
  };
}

function countEnds(runs: readonly RunWithHistory[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { state, failure } of runs) {
    const end = state === 'FAILED' ? (failure?.code ?? state) : state;
    counts[end] = (counts[end] ?? 0) + 1;
  }
  return counts;
}

// A round as data: which runs are started when, and what goes wrong when. Everything in it comes from one seed.
import fc from 'fast-check';
import type { PlannedRun, PlannedStep } from './work.js';

/** Launchers of a fleet. */
export const launcherCount = 3;
/** Milliseconds within which a round's runs and faults begin. */
const begins = 2_500;

/** Times in milliseconds; `at` counts from the begin of the round. `launcher` and `run` are numbers from 0. */
export type Fault =
  /** kill -9 of a launcher; the next one comes after `down`, on the same state folder. */
  | { readonly kind: 'kill-launcher'; readonly at: number; readonly launcher: number; readonly down: number }
  /** The line of a launcher to the broker is cut, or all lines are. */
  | {
      readonly kind: 'cut-line';
      readonly at: number;
      readonly launcher: number | null;
      readonly lasts: number;
    }
  /** Somebody stops a run. */
  | { readonly kind: 'stop-run'; readonly at: number; readonly run: number };

export type FaultKind = Fault['kind'];

export interface Schedule {
  readonly seed: number;
  readonly runs: readonly PlannedRun[];
  /** In the order of their begin. */
  readonly faults: readonly Fault[];
}

const time = (most: number) => fc.integer({ min: 0, max: most });
const launcher = fc.integer({ min: 0, max: launcherCount - 1 });

const step: fc.Arbitrary<PlannedStep> = fc.record({
  lines: fc.integer({ min: 0, max: 40 }),
  takes: fc.oneof(fc.constant(0), time(300), { weight: 1, arbitrary: time(1_500) }),
});

const run: fc.Arbitrary<PlannedRun> = fc.record({
  at: time(1_500),
  type: fc.constantFrom('PROPOSED', 'TRACKED', 'TASK', 'DESTROY'),
  hook: fc.option(step, { freq: 2 }),
  steps: fc.array(step, { minLength: 1, maxLength: 3 }),
  apply: step,
  fails: fc.integer({ min: 0, max: 9 }).map((number) => number === 0),
});

const faults: Readonly<Record<FaultKind, { weight: number; arbitrary: fc.Arbitrary<Fault> }>> = {
  'kill-launcher': {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('kill-launcher'),
      at: time(begins),
      launcher,
      down: time(1_500),
    }),
  },
  'cut-line': {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('cut-line'),
      at: time(begins),
      launcher: fc.option<number>(launcher, { freq: 3 }),
      lasts: time(2_000),
    }),
  },
  'stop-run': {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('stop-run'),
      at: time(begins),
      run: fc.integer({ min: 0, max: 11 }),
    }),
  },
};

const schedule: fc.Arbitrary<Omit<Schedule, 'seed'>> = fc.record({
  runs: fc.array(run, { minLength: 4, maxLength: 10 }),
  faults: fc
    .array(fc.oneof(...Object.values(faults)), { minLength: 1, maxLength: 4 })
    .map((list) => list.toSorted((left, right) => left.at - right.at)),
});

/** The same for the same seed, on every machine. */
export function scheduleOf(seed: number): Schedule {
  const [drawn] = fc.sample(fc.noBias(schedule), { seed, numRuns: 1 });
  if (drawn === undefined) throw new Error('the generator gave nothing');
  return { seed, ...drawn };
}

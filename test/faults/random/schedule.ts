// A round as data: which runs are started when, and what goes wrong when. Everything in it comes from one seed.
import fc from 'fast-check';
import type { PlannedRun, PlannedStep } from './work.js';

/** Launchers of a fleet. */
export const launcherCount = 3;

/**
 * What a round is performed on. `host`: steps are processes, the broker is in the control plane. The others are the
 * same but for one thing. `machines`: each launcher has a small disk and a clock of its own. `broker`: mosquitto.
 * `containers`: steps run in containers, of an engine of the fleet's own.
 */
export const fleetKinds = ['host', 'machines', 'broker', 'containers'] as const;
export type FleetKind = (typeof fleetKinds)[number];

/** Milliseconds within which a round's runs and faults begin. */
const begins = 2_500;

/** Times in milliseconds; `at` counts from the begin of the round. `launcher` and `run` are numbers from 0. */
export type Fault = { readonly at: number } & (
  | { readonly kind: 'kill-launcher'; readonly launcher: number; readonly down: number }
  | { readonly kind: 'lose-machine'; readonly launcher: number }
  | { readonly kind: 'end-launcher'; readonly launcher: number }
  | { readonly kind: 'stop-launcher'; readonly launcher: number; readonly after: number }
  | { readonly kind: 'kill-control-plane'; readonly down: number }
  /** Every process of a run, or one of them. */
  | { readonly kind: 'kill-run'; readonly launcher: number; readonly whole: boolean }
  /** Of one launcher, or of all. */
  | { readonly kind: 'cut-line' | 'freeze-line'; readonly launcher: number | null; readonly lasts: number }
  | { readonly kind: 'cut-api' | 'freeze-api'; readonly lasts: number }
  | { readonly kind: 'slow'; readonly by: number; readonly lasts: number }
  | { readonly kind: 'drain'; readonly launcher: number; readonly lasts: number }
  | { readonly kind: 'stop-run'; readonly run: number }
  /** Seconds ahead, or behind when below zero; back again after `lasts`. */
  | { readonly kind: 'jump-clock'; readonly launcher: number; readonly by: number; readonly lasts: number }
  | { readonly kind: 'fill-disk'; readonly launcher: number; readonly lasts: number }
  | { readonly kind: 'kill-broker' | 'end-broker'; readonly down: number }
  /** Between it and the control plane. */
  | { readonly kind: 'cut-broker' | 'freeze-broker'; readonly lasts: number }
  /** `keeps`: containers go on without it (live-restore). */
  | { readonly kind: 'kill-engine' | 'end-engine'; readonly keeps: boolean; readonly down: number }
  | { readonly kind: 'stall' }
);

/** What is drawn; that the machine itself stalls is only noticed. */
export type FaultKind = Exclude<Fault['kind'], 'stall'>;

export interface Schedule {
  readonly seed: number;
  readonly fleet: FleetKind;
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

interface Draw {
  /** How often it comes. */
  readonly weight: number;
  /** What is random in it. */
  readonly draw: Readonly<Record<string, fc.Arbitrary<unknown>>>;
  /** The only kind of fleet that it can be brought about on. */
  readonly on?: FleetKind;
}

const minute = 60;
const faults: Readonly<Record<FaultKind, Draw>> = {
  'kill-launcher': { weight: 8, draw: { launcher, down: time(1_500) } },
  'lose-machine': { weight: 3, draw: { launcher } },
  'end-launcher': { weight: 4, draw: { launcher } },
  'stop-launcher': { weight: 3, draw: { launcher, after: time(500) } },
  'kill-control-plane': { weight: 6, draw: { down: time(1_000) } },
  'kill-run': { weight: 5, draw: { launcher, whole: fc.boolean() } },
  'cut-line': { weight: 6, draw: { launcher: fc.option(launcher, { freq: 3 }), lasts: time(2_000) } },
  // Noticed by silence alone, after many seconds.
  'freeze-line': { weight: 1, draw: { launcher: fc.option(launcher, { freq: 3 }), lasts: time(2_000) } },
  'cut-api': { weight: 5, draw: { lasts: time(2_000) } },
  'freeze-api': { weight: 1, draw: { lasts: time(1_000) } },
  slow: { weight: 4, draw: { by: time(400), lasts: time(3_000) } },
  drain: { weight: 5, draw: { launcher, lasts: time(2_500) } },
  'stop-run': { weight: 5, draw: { run: fc.integer({ min: 0, max: 11 }) } },
  'jump-clock': {
    weight: 15,
    draw: {
      launcher,
      by: fc.oneof(
        fc.integer({ min: -10, max: 10 }),
        fc.integer({ min: -90 * minute, max: 90 * minute }),
        fc.constantFrom(-365 * 24 * 60 * minute, 365 * 24 * 60 * minute),
      ),
      lasts: time(3_000),
    },
    on: 'machines',
  },
  'fill-disk': { weight: 15, draw: { launcher, lasts: time(2_000) }, on: 'machines' },
  'kill-broker': { weight: 15, draw: { down: time(2_000) }, on: 'broker' },
  'end-broker': { weight: 15, draw: { down: time(2_000) }, on: 'broker' },
  'cut-broker': { weight: 8, draw: { lasts: time(3_000) }, on: 'broker' },
  'freeze-broker': { weight: 2, draw: { lasts: time(3_000) }, on: 'broker' },
  'kill-engine': { weight: 10, draw: { keeps: fc.boolean(), down: time(2_000) }, on: 'containers' },
  'end-engine': { weight: 10, draw: { keeps: fc.boolean(), down: time(2_000) }, on: 'containers' },
};

const faultOn = (kind: FleetKind) =>
  fc.oneof(
    ...Object.entries(faults)
      .filter(([, { on }]) => on === undefined || on === kind)
      .map(([name, { weight, draw }]) => ({
        weight,
        arbitrary: fc.record({
          kind: fc.constant(name),
          at: time(begins),
          ...draw,
        }) as unknown as fc.Arbitrary<Fault>,
      })),
  );

/** Most are of the quickest kind. */
const fleet = fc.oneof(
  { weight: 11, arbitrary: fc.constant<FleetKind>('host') },
  ...fleetKinds.slice(1).map((kind) => ({ weight: 3, arbitrary: fc.constant(kind) })),
);

const schedule: fc.Arbitrary<Omit<Schedule, 'seed'>> = fleet.chain((kind) =>
  fc.record({
    fleet: fc.constant(kind),
    runs: fc.array(run, { minLength: 4, maxLength: 10 }),
    faults: fc
      .array(faultOn(kind), { minLength: 1, maxLength: 4 })
      .map((list) => list.toSorted((left, right) => left.at - right.at)),
  }),
);

/** The same for the same seed, on every machine. */
export function scheduleOf(seed: number): Schedule {
  const [drawn] = fc.sample(fc.noBias(schedule), { seed, numRuns: 1 });
  if (drawn === undefined) throw new Error('the generator gave nothing');
  return { seed, ...drawn };
}

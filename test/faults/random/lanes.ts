// Performs rounds side by side: much of a round is waiting, for a lost worker or for the next try to connect.
import { messageOf } from '../../../protocol/errors.js';
import type { FaultsOptions } from './arguments.js';
import { startFleet, type Fleet } from './fleet.js';
import { lackingFor } from './kinds.js';
import type { Reporter } from './report.js';
import { performRound } from './round.js';
import { fleetKinds, scheduleOf, type FleetKind, type Schedule } from './schedule.js';

/** Every round once, each on one of the fleets. A fleet that a round has failed on is kept to look at and replaced. */
export async function performAll(
  schedules: readonly Schedule[],
  lanes: number,
  reporter: Reporter,
  signal: AbortSignal,
): Promise<void> {
  const ready = new Map(fleetKinds.map((kind) => [kind, schedules.filter(({ fleet }) => fleet === kind)]));
  for (const [kind, waiting] of ready) {
    const lacking = waiting.length === 0 ? undefined : lackingFor(kind);
    if (lacking === undefined) continue;
    for (const schedule of waiting) reporter.broken(schedule, `not performed: this machine lacks ${lacking}`);
    ready.delete(kind);
  }
  /** Of the kind that the lane's fleet has, as long as there are some: another fleet takes seconds to start. */
  const take = (kind: FleetKind | undefined) => {
    if (signal.aborted) return undefined;
    const own = kind === undefined ? undefined : ready.get(kind)?.shift();
    if (own !== undefined) return own;
    const most = [...ready.values()].toSorted((left, right) => right.length - left.length)[0];
    return most?.shift();
  };
  await Promise.all(Array.from({ length: Math.min(lanes, schedules.length) }, () => lane(take, reporter)));
}

/** In the order of their seeds. */
export function schedulesOf({
  seed,
  rounds,
  fleet,
}: Pick<FaultsOptions, 'seed' | 'rounds' | 'fleet'>): Schedule[] {
  const schedules: Schedule[] = [];
  for (let next = seed; schedules.length < rounds; next += 1) {
    const schedule = scheduleOf(next);
    if (fleet === undefined || schedule.fleet === fleet) schedules.push(schedule);
  }
  return schedules;
}

async function lane(
  take: (kind: FleetKind | undefined) => Schedule | undefined,
  reporter: Reporter,
): Promise<void> {
  let fleet: Fleet | undefined;
  try {
    for (let schedule = take(undefined); schedule !== undefined; schedule = take(fleet?.kind)) {
      try {
        if (fleet?.kind !== schedule.fleet) {
          await fleet?.close();
          fleet = undefined;
          fleet = await startFleet(schedule.fleet);
        }
      } catch (error) {
        reporter.broken(schedule, `The fleet did not start: ${messageOf(error)}`);
        continue;
      }
      const report = await performRound(fleet, schedule);
      if (report.violations.length === 0) {
        reporter.clean(report);
        continue;
      }
      await reporter.failed(schedule, report, fleet);
      await fleet.close({ keep: true });
      fleet = undefined;
    }
  } finally {
    await fleet?.close();
  }
}

// Performs rounds side by side: much of a round is waiting, for a lost worker or for the next try to connect.
import { messageOf } from '../../../protocol/errors.js';
import type { FaultsOptions } from './arguments.js';
import { startFleet, type Fleet } from './fleet.js';
import type { Reporter } from './report.js';
import { performRound } from './round.js';
import { scheduleOf, type Schedule } from './schedule.js';

/** Every round once, each on one of the fleets. A fleet that a round has failed on is kept to look at and replaced. */
export async function performAll(
  { seed, rounds, lanes }: Pick<FaultsOptions, 'seed' | 'rounds' | 'lanes'>,
  reporter: Reporter,
  signal: AbortSignal,
): Promise<void> {
  const schedules = Array.from({ length: rounds }, (_, index) => scheduleOf(seed + index));
  let next = 0;
  const take = () => (signal.aborted ? undefined : schedules[next++]);
  await Promise.all(Array.from({ length: Math.min(lanes, rounds) }, () => lane(take, reporter)));
}

async function lane(take: () => Schedule | undefined, reporter: Reporter): Promise<void> {
  let fleet: Fleet | undefined;
  try {
    for (let schedule = take(); schedule !== undefined; schedule = take()) {
      try {
        fleet ??= await startFleet();
      } catch (error) {
        reporter.broken(schedule, `The fleet did not start: ${messageOf(error)}`);
        return;
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

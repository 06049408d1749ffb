// What the suite says: a line while it goes on, the whole story of a round that failed, and the figures at the end.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { FaultsOptions } from './arguments.js';
import type { Fleet } from './fleet.js';
import type { RoundReport } from './round.js';
import type { Schedule } from './schedule.js';

export interface Reporter {
  clean(report: RoundReport): void;
  /** Tells what was wrong, and writes what the programs said into the fleet's folder. */
  failed(schedule: Schedule, report: RoundReport, fleet: Fleet): Promise<void>;
  /** The round could not be performed. */
  broken(schedule: Schedule, why: string): void;
  /** Prints the figures. Answers the exit code. */
  close(cutShort: boolean): number;
}

export function createReporter(
  { seed, rounds, json }: Pick<FaultsOptions, 'seed' | 'rounds' | 'json'>,
  out: { readonly answer: (text: string) => void; readonly progress: (text: string) => void },
): Reporter {
  const begin = performance.now();
  const failures: number[] = [];
  const seconds: number[] = [];
  const ends = new Map<string, number>();
  const faults = new Map<string, number>();
  let done = 0;

  const line = (value: object) => {
    if (json) out.answer(`${JSON.stringify(value)}\n`);
  };
  const elapsed = () => (performance.now() - begin) / 1000;

  function count(report: RoundReport): void {
    done += 1;
    seconds.push(report.seconds);
    for (const [end, number] of Object.entries(report.ends)) ends.set(end, (ends.get(end) ?? 0) + number);
    for (const { fault } of report.happened) faults.set(fault.kind, (faults.get(fault.kind) ?? 0) + 1);
    const { seed: round, violations, ends: own } = report;
    line({ round, clean: violations.length === 0, seconds: report.seconds, ends: own, violations });
    if (done % 10 === 0 || done === rounds)
      out.progress(
        `${String(done)} of ${String(rounds)} rounds, ${String(failures.length)} not clean, ${elapsed().toFixed(0)} s\n`,
      );
  }

  return {
    clean: count,
    async failed(schedule, report, fleet) {
      failures.push(schedule.seed);
      out.progress(await story(schedule, report, fleet));
      count(report);
    },
    broken(schedule, why) {
      failures.push(schedule.seed);
      out.progress(`round ${String(schedule.seed)}: ${why}\n`);
      line({ round: schedule.seed, clean: false, violations: [why] });
    },
    close(cutShort) {
      const runs = [...ends.values()].reduce((sum, number) => sum + number, 0);
      const sum = {
        seed,
        rounds: done,
        notClean: failures,
        seconds: Math.round(elapsed()),
        runs,
        faults: Object.fromEntries([...faults].sort()),
        ends: Object.fromEntries([...ends].sort()),
        longestRound: Math.round(Math.max(0, ...seconds)),
      };
      if (json) line(sum);
      else out.answer(table(sum));
      return failures.length === 0 && done === rounds && !cutShort ? 0 : 1;
    },
  };
}

function table(sum: {
  readonly seed: number;
  readonly rounds: number;
  readonly notClean: readonly number[];
  readonly seconds: number;
  readonly runs: number;
  readonly longestRound: number;
  readonly faults: Readonly<Record<string, number>>;
  readonly ends: Readonly<Record<string, number>>;
}): string {
  const list = (counts: Readonly<Record<string, number>>) =>
    Object.entries(counts)
      .map(([name, number]) => `${name} ${String(number)}`)
      .join(', ');
  const rows = [
    [
      'rounds',
      `${String(sum.rounds)} from seed ${String(sum.seed)} in ${String(sum.seconds)} s, the longest ${String(sum.longestRound)} s`,
    ],
    ['not clean', sum.notClean.length === 0 ? 'none' : sum.notClean.join(', ')],
    ['runs', `${String(sum.runs)}: ${list(sum.ends)}`],
    ['faults', list(sum.faults)],
  ] as const;
  return rows.map(([name, text]) => `${name.padEnd(10)} ${text}\n`).join('');
}

async function story(schedule: Schedule, report: RoundReport, fleet: Fleet): Promise<string> {
  const seed = String(schedule.seed);
  const first = Math.min(...report.happened.map(({ from }) => from));
  const lines = [
    `round ${seed} is not clean:`,
    ...report.violations.map((violation) => `  - ${violation}`),
    `  faults:`,
    ...report.happened.map(
      ({ fault, from, to, workers }) =>
        `    ${String(from - first)}–${String(to - first)} ms ${JSON.stringify(fault)} ${[...workers].join(' ')}`,
    ),
    `  schedule: ${JSON.stringify(schedule)}`,
    `  what the programs said and kept: ${fleet.folder}`,
    `  again: npm run test:faults -- --seed ${seed} --rounds 1`,
  ];
  for (const [index, { launcher }] of fleet.places.entries())
    await writeFile(join(fleet.folder, `place-${String(index)}.log`), launcher.program.said());
  await writeFile(join(fleet.folder, 'control-plane.out'), fleet.controlPlane.program.said());
  await writeFile(join(fleet.folder, 'round.txt'), lines.join('\n'));
  return `${lines.join('\n')}\n`;
}

// From the start of user data on a machine until its worker is IDLE, on each cloud, with nothing to install.
import { z } from 'zod';
import { canBoot, createScene, type Scene } from '../test/boot/support/create-scene.js';
import { createEmulators, type Emulators } from '../test/boot/support/emulators.js';
import type { Cloud } from '../components/machines.js';
import type { Bench } from './main.js';
import { figure, quantile } from './figure.js';
import { notBuilt } from './support/built.js';

const clouds: readonly Cloud[] = ['aws', 'azure', 'google'];
const rounds = 3;
const milliseconds = 120_000;

/** What it was doing, and since when: milliseconds of the clock that machine and host share. */
type Mark = readonly [what: string, since: number];

export const bench: Bench = async () => {
  const missing = notBuilt('dist/launchers.json');
  if (missing !== null) return missing;
  if (!canBoot('boot')) {
    return 'machines cannot be booted here: that needs a container engine and what npm run test:tools brings';
  }
  const emulators = createEmulators();
  try {
    const figures = [];
    for (const cloud of clouds) {
      const boots: Mark[][] = [];
      // One more, untimed: the first one reads files that are then in the page cache.
      for (let round = 0; round <= rounds; round += 1) boots.push(await boot(cloud, emulators));
      const timed = boots.slice(1);
      figures.push(
        figure({
          name: `boot ${cloud}: user data → IDLE`,
          unit: 's',
          samples: timed.map((marks) => ((marks.at(-1)?.[1] ?? 0) - (marks[0]?.[1] ?? 0)) / 1000),
          goal: { of: 'value', atMost: 5 },
          note: `ms: ${breakdown(timed)}. The machine shares its cores with its cloud and its control plane`,
        }),
      );
    }
    return figures;
  } finally {
    await emulators.close();
  }
};

/** A new machine, from its start to its worker. The last mark is the end. */
async function boot(cloud: Cloud, emulators: Emulators): Promise<Mark[]> {
  const removals: (() => Promise<void>)[] = [];
  try {
    const scene = await createScene(cloud, {}, emulators, (remove) => removals.push(remove));
    await scene.boot();
    const end = performance.now() + milliseconds;
    while (!(await scene.plane.workers()).some(({ status }) => status === 'IDLE')) {
      if (performance.now() > end) throw new Error(`no worker is idle\n${await scene.machine.console()}`);
      // Asking takes from what the machine has to boot with.
      await new Promise((done) => setTimeout(done, 25));
    }
    const idle = Number(process.hrtime.bigint()) / 1e6;
    return [...(await marksOf(scene)), ['IDLE', idle]];
  } finally {
    for (const remove of removals.reverse()) await remove();
  }
}

const entrySchema = z.object({ MESSAGE: z.string(), __MONOTONIC_TIMESTAMP: z.coerce.number() });

/** As the machine's journal and its units tell them. */
async function marksOf({ machine }: Scene): Promise<Mark[]> {
  const started = async (unit: string) =>
    Number(await machine.exec(`systemctl show -P ExecMainStartTimestampMonotonic ${unit}`)) / 1000;
  const journal = async (match: string): Promise<Mark[]> =>
    (await machine.exec(`journalctl ${match} -o json --output-fields=MESSAGE`))
      .trim()
      .split('\n')
      .map((line) => entrySchema.parse(JSON.parse(line)))
      .map(({ MESSAGE, __MONOTONIC_TIMESTAMP: at }) => [MESSAGE, at / 1000]);
  return [
    ['user data', await started('test-user-data')],
    ...(await journal('-t poolwright')).flatMap(([line, since]): Mark[] => {
      const step = /^step (\d)\/\d \((.*)\)$/.exec(line);
      return step === null ? [] : [[`${step[1] ?? ''} ${step[2] ?? ''}`, since]];
    }),
    ['preparation', await started('poolwright-prepare')],
    ['credentials again and launcher', await started('poolwright-launcher')],
  ];
}

/** Of each part the median. */
function breakdown(boots: readonly (readonly Mark[])[]): string {
  const [first = []] = boots;
  return first
    .slice(0, -1)
    .map(([what], index) => {
      const times = boots.map((marks) => (marks[index + 1]?.[1] ?? 0) - (marks[index]?.[1] ?? 0));
      return `${what} ${quantile(times, 0.5).toFixed(0)}`;
    })
    .join(', ');
}

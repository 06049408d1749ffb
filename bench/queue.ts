// From a worker that says that it is free to its next assignment, on PostgreSQL: by the number of runs that wait and by
// the number of workers that are connected. The worker is the launcher's own connection, signature check included; the
// others are simulated sessions in processes of their own, with all that a connected worker says.
import { sql, type Kysely } from 'kysely';
import { pino } from 'pino';
import { decideRun, triggerRun } from '../control-plane/cli/api/runs.js';
import { openPostgres } from '../control-plane/store/postgres.js';
import type { Database } from '../control-plane/store/schema.js';
import { copyRun } from '../test/control-plane/support/copies.js';
import { hasPostgres, startPostgres } from '../test/support/postgres.js';
import { figure, quantile, type Figure } from './figure.js';
import { startCrowd, type Crowd } from './support/crowd-process.js';
import { startLine, type Line } from './support/line.js';
import { startPlane, type Plane } from './support/plane.js';

const samples = 100;
const crowd = 1000;
/** A million runs and ten thousand workers take minutes to make, so they are asked for. */
const large = process.env['BENCH_LARGE'] === 'true';
const queues = large ? [100_000, 1_000_000] : [100_000];
const workers = large ? [crowd, 10 * crowd] : [crowd];

export async function bench(): Promise<Figure[] | string> {
  if (!hasPostgres('the queue')) return 'PostgreSQL is not installed';
  const server = await startPostgres();
  const databaseUrl = await server.database();
  const plane = await startPlane({ databaseUrl });
  const db = await openPostgres({ url: databaseUrl, now: 0, log: pino({ level: 'silent' }) });
  const crowds: Crowd[] = [];
  try {
    const stage: Stage = { plane, db, line: await startLine(plane), stack: await plane.stack({}) };
    const figures: Figure[] = [];
    const short = await measure(stage);
    for (const count of workers) {
      while (crowds.length * crowd < count) crowds.push(await startCrowd(plane, crowd));
      // They stay connected and report; drained, so that each run goes to the one that is measured.
      await db.updateTable('workers').set({ drained: true }).where('id', '!=', stage.line.worker).execute();
      figures.push(
        ...compare(`${count.toLocaleString('en')} more workers`, '1 worker', await measure(stage), short),
      );
    }
    for (const each of crowds) await each.close();
    for (const count of queues) {
      await fill(stage, count);
      const long = await measure(stage);
      figures.push(...compare(`${count.toLocaleString('en')} runs queued`, '1 run queued', long, short));
    }
    await stage.line.end();
    return figures;
  } finally {
    for (const each of crowds) await each.close();
    await db.destroy();
    await plane.close();
    await server.close();
  }
}

interface Stage {
  readonly plane: Plane;
  readonly db: Kysely<Database>;
  readonly line: Line;
  readonly stack: string;
}

function compare(
  what: string,
  beside: string,
  ours: readonly number[],
  reference: readonly number[],
): Figure[] {
  return [0.5, 0.99].map((p) =>
    figure({
      name: `next run p${String(p * 100)}, ${what}`,
      unit: 'ms',
      samples: [quantile(ours, p)],
      reference: { what: beside, samples: [quantile(reference, p)] },
      ...(p === 0.5 ? { goal: { of: 'ratio', atMost: 1.5 } as const } : {}),
    }),
  );
}

/** Milliseconds from the report of free hands until the next assignment is there; one run more is queued for each. */
async function measure({ plane, db, line, stack }: Stage): Promise<number[]> {
  const times: number[] = [];
  const trigger = () => triggerRun(plane.client, { stack, runType: 'PROPOSED' });
  const drain = (drained: boolean) =>
    db.updateTable('workers').set({ drained }).where('id', '=', line.worker).execute();
  let coming = line.assigned();
  await drain(false);
  await trigger();
  let held = await coming;
  for (let sample = 0; sample < samples; sample += 1) {
    await trigger();
    // Set up first: the worker may report by itself as soon as the run is canceled.
    coming = line.assigned();
    await decideRun(plane.client, 'cancel', held.stack, held.run);
    const free = performance.now();
    await line.report();
    held = await coming;
    if (held.at > free) times.push(held.at - free);
  }
  await drain(true);
  await decideRun(plane.client, 'cancel', held.stack, held.run);
  await line.report();
  return times;
}

/** Queues copies of a run of the stack; no worker takes any now. */
async function fill({ plane, db, stack }: Stage, count: number): Promise<void> {
  const { id } = await triggerRun(plane.client, { stack, runType: 'PROPOSED' });
  await copyRun(db, id, count);
  await sql`analyze runs`.execute(db);
}

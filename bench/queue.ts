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
import { startLine, type Assigned, type Line } from './support/line.js';
import { startPlane, type Plane } from './support/plane.js';

const samples = Number(process.env['POOLWRIGHT_BENCH_SAMPLES'] ?? '100');
const crowd = 1000;
/** Runs queued and workers connected beside the one; a million runs and ten thousand workers take minutes to make. */
const queues = numbers('POOLWRIGHT_BENCH_QUEUED', [100_000, 1_000_000]);
const workers = numbers('POOLWRIGHT_BENCH_WORKERS', [1000, 10_000]);

export async function bench(): Promise<Figure[] | string> {
  if (!hasPostgres('the queue')) return 'PostgreSQL is not installed';
  const server = await startPostgres();
  const stages: Stage[] = [];
  const crowds: Crowd[] = [];
  try {
    const open = async () => {
      const stage = await openStage(await server.database());
      stages.push(stage);
      return stage;
    };
    const [short, long] = [await open(), await open()];
    const figures: Figure[] = [];
    let queued = 0;
    for (const count of queues) {
      await fill(long, queued, count);
      queued = count;
      const [ours, reference] = await measure([long, short]);
      figures.push(...compare(`${count.toLocaleString('en')} runs queued`, '1 run queued', ours, reference));
    }
    await long.close();
    // Of before and after: their reports cost the others' time, too, so these cannot be measured in turn.
    const before = (await measure([short]))[0] ?? [];
    for (const count of workers) {
      while (crowds.length * crowd < count) crowds.push(await startCrowd(short.plane, crowd));
      // They stay connected and report; drained, so that each run goes to the one that is measured.
      await short.db
        .updateTable('workers')
        .set({ drained: true })
        .where('id', '!=', short.line.worker)
        .execute();
      const [ours] = await measure([short]);
      figures.push(...compare(`${count.toLocaleString('en')} more workers`, '1 worker', ours, before));
    }
    return figures;
  } finally {
    for (const each of crowds) await each.close();
    for (const stage of stages) await stage.close();
    await server.close();
  }
}

/** A control plane with a database of its own, and the one worker that is measured. */
async function openStage(databaseUrl: string): Promise<Stage> {
  const plane = await startPlane({ databaseUrl });
  const db = await openPostgres({ url: databaseUrl, now: 0, log: pino({ level: 'silent' }) });
  let open = true;
  const line = await startLine(plane);
  return {
    ...{ plane, db, line, stack: await plane.stack({}) },
    async close() {
      if (!open) return;
      open = false;
      await line.end();
      await db.destroy();
      await plane.close();
    },
  };
}

function numbers(variable: string, usual: readonly number[]): readonly number[] {
  const given = process.env[variable];
  return given === undefined
    ? usual
    : given
        .split(',')
        .filter((text) => text !== '')
        .map(Number);
}

interface Stage {
  readonly plane: Plane;
  readonly db: Kysely<Database>;
  readonly line: Line;
  readonly stack: string;
  close(): Promise<void>;
}

function compare(
  what: string,
  beside: string,
  ours: readonly number[] = [],
  reference: readonly number[] = [],
): Figure[] {
  return [0.5, 0.99].map((p) =>
    figure({
      name: `next run p${String(p * 100)}, ${what}`,
      unit: 'ms',
      samples: [quantile(ours, p)],
      reference: { what: beside, samples: [quantile(reference, p)] },
      goal: { of: 'ratio', atMost: 1.5 },
    }),
  );
}

/**
 * Milliseconds from the report of free hands until the next assignment is there, of each stage; one run more is queued for
 * each. The stages take turns, so that whatever else the machine does hits all alike.
 */
async function measure(stages: readonly Stage[]): Promise<number[][]> {
  const held = new Map<Stage, Assigned>();
  for (const stage of stages) held.set(stage, await first(stage));
  const times = stages.map((): number[] => []);
  for (let sample = 0; sample < samples; sample += 1) {
    for (const [index, stage] of stages.entries()) {
      const { plane, line } = stage;
      const { stack, run } = held.get(stage) ?? { stack: '', run: '' };
      await trigger(stage);
      // Set up first: the worker may report by itself as soon as the run is canceled.
      const coming = line.assigned();
      await decideRun(plane.client, 'cancel', stack, run);
      const free = performance.now();
      await line.report();
      const next = await coming;
      held.set(stage, next);
      if (next.at > free) times[index]?.push(next.at - free);
    }
  }
  for (const stage of stages) await rest(stage, held.get(stage));
  return times;
}

const trigger = ({ plane, stack }: Stage) => triggerRun(plane.client, { stack, runType: 'PROPOSED' });
const drain = ({ db, line }: Stage, drained: boolean) =>
  db.updateTable('workers').set({ drained }).where('id', '=', line.worker).execute();

async function first(stage: Stage): Promise<Assigned> {
  const coming = stage.line.assigned();
  await drain(stage, false);
  await trigger(stage);
  return coming;
}

async function rest(stage: Stage, held: Assigned | undefined): Promise<void> {
  await drain(stage, true);
  if (held !== undefined) await decideRun(stage.plane.client, 'cancel', held.stack, held.run);
  await stage.line.report();
}

/** Queues copies of a run of the stack, until there are `count` of them; no worker takes any now. */
async function fill(stage: Stage, from: number, count: number): Promise<void> {
  const { id } = await trigger(stage);
  await copyRun(stage.db, id, count - from, letters[from === 0 ? 0 : 1]);
  await sql`set statement_timeout = 0`.execute(stage.db);
  await sql`vacuum analyze runs`.execute(stage.db);
}

const letters = ['Y', 'Z'] as const;

// Runs per second through queue, assignment, start and finish, beside bare claim transactions on the same database.
import { PGlite } from '@electric-sql/pglite';
import { join } from 'node:path';
import { elapsed } from './clock.js';
import { figure, type Figure } from './figure.js';
import { startCrowd } from './support/crowd-process.js';
import { startPlane, type Plane } from './support/plane.js';
import { createVolleys } from './support/volley.js';

const runs = 400;
const workers = 16;
const rounds = 3;

export async function bench(): Promise<Figure[]> {
  const plane = await startPlane();
  try {
    const volleys = createVolleys();
    const crowd = await startCrowd(plane, workers, volleys.onFinished);
    const stack = await plane.stack({});
    const ours: number[] = [];
    const reference: number[] = [];
    for (let round = 0; round < rounds; round += 1) {
      ours.push(await volleys.fire([plane.client], stack, runs));
      reference.push(await bareClaims(plane, round));
    }
    await crowd.close();
    return [
      figure({
        name: 'throughput',
        unit: 'runs/s',
        samples: ours,
        reference: { what: 'bare claims', samples: reference },
        note:
          'limited by the one core of the control plane, which is busy with statements on the embedded database: ' +
          'a run is triggered, read, assigned, accepted, begun, reported and ended; a bare claim is one statement',
      }),
    ];
  } finally {
    await plane.close();
  }
}

/** Claims per second from a table of the same size in a database of the same kind. */
async function bareClaims(plane: Plane, round: number): Promise<number> {
  const database = await PGlite.create({ dataDir: join(plane.folder, `claims-${String(round)}`) });
  await database.exec(
    `create table queue (id serial primary key, worker text); insert into queue (worker) select null from generate_series(1, ${String(runs)});`,
  );
  const time = await elapsed(async () => {
    for (let run = 0; run < runs; run += 1) {
      await database.query(
        'update queue set worker = $1 where id = (select id from queue where worker is null order by id limit 1 for update skip locked)',
        ['worker'],
      );
    }
  });
  await database.close();
  return runs / (time / 1000);
}

// Two control planes on one PostgreSQL and one mosquitto against one of them: runs per second from the trigger to the end.
import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { pino } from 'pino';
import { createApiClient } from '../control-plane/cli/api/client.js';
import { createHttpClient } from '../control-plane/cli/api/http.js';
import { systemClock } from '../control-plane/clock.js';
import { openAuthority } from '../control-plane/pools/authority.js';
import { openPostgres } from '../control-plane/store/postgres.js';
import { createDatabaseSecrets } from '../control-plane/store/secrets.js';
import { hasMosquitto, startMosquitto, type TestMosquitto } from '../test/support/mosquitto.js';
import { hasPostgres, startPostgres } from '../test/support/postgres.js';
import { figure, quantile, type Figure } from './figure.js';
import { startCrowd } from './support/crowd-process.js';
import { startPlane } from './support/plane.js';
import { startServer } from './support/server.js';
import { createVolleys } from './support/volley.js';

const runs = 200;
const workers = 32;
const rounds = 3;

export async function bench(): Promise<Figure[] | string> {
  if (!hasPostgres('two processes')) return 'PostgreSQL is not installed';
  if (!hasMosquitto('two processes')) return 'mosquitto is not installed';
  const folder = await mkdtemp(join(tmpdir(), 'poolwright-processes-'));
  const postgres = await startPostgres();
  let mosquitto: TestMosquitto | undefined;
  try {
    const databaseUrl = await postgres.database();
    mosquitto = await startBroker(databaseUrl, folder);
    const elsewhere = {
      BROKER_URL: mosquitto.url,
      OBJECT_STORE_URL: pathToFileURL(join(folder, 'objects')).href,
    };
    return await compare(databaseUrl, elsewhere, folder);
  } finally {
    await mosquitto?.close();
    await postgres.close();
    await rm(folder, { recursive: true, force: true });
  }
}

/** Its certificate is of the authority that control planes find in the database. */
async function startBroker(databaseUrl: string, folder: string): Promise<TestMosquitto> {
  const db = await openPostgres({ url: databaseUrl, now: Date.now(), log: pino({ level: 'silent' }) });
  try {
    const secrets = createDatabaseSecrets(db, systemClock);
    return await startMosquitto(
      (await openAuthority(secrets, join(folder, 'authority'), Date.now())).authority,
    );
  } finally {
    await db.destroy();
  }
}

async function compare(
  databaseUrl: string,
  elsewhere: Readonly<Record<string, string>>,
  folder: string,
): Promise<Figure[]> {
  const plane = await startPlane({ databaseUrl, environment: elsewhere });
  const http = await createHttpClient();
  try {
    const volleys = createVolleys();
    const crowd = await startCrowd(plane, workers, volleys.onFinished);
    const stack = await plane.stack({});
    const one: number[] = [];
    const two: number[] = [];
    const busy: number[] = [];
    const own: number[] = [];
    // The first volley finds nothing warm.
    await volleys.fire([plane.client], stack, runs);
    for (let round = 0; round < rounds; round += 1) {
      const before = { machine: machineTime(), plane: await plane.processorTime() };
      one.push(await volleys.fire([plane.client], stack, runs));
      const spent = machineTime() - before.machine;
      busy.push(spent / (runs / (one.at(-1) ?? 1)) / availableParallelism());
      own.push(((await plane.processorTime()) - before.plane) / spent);
      const other = await startServer(join(folder, 'second'), { ...elsewhere, DATABASE_URL: databaseUrl });
      const { id: apiKeyId, secret: apiKeySecret } = plane.key;
      const second = createApiClient({ endpoint: other.url, apiKeyId, apiKeySecret }, http);
      await volleys.fire([second], stack, runs);
      two.push(await volleys.fire([plane.client, second], stack, runs));
      await other.close();
    }
    await crowd.close();
    const percent = (samples: readonly number[]) => `${String(Math.round(quantile(samples, 0.5) * 100))} %`;
    return [
      figure({
        name: 'two processes, PostgreSQL and mosquitto',
        unit: 'runs/s',
        samples: two,
        reference: { what: 'one process', samples: one },
        goal: { of: 'ratio', atLeast: 1.6 },
        note:
          `with one, database, broker, workers and clients on this machine included, ${String(availableParallelism())} cores are ` +
          `${percent(busy)} busy, and ${percent(own)} of that is the control plane: ` +
          `no number of processes is more than ${(1 / quantile(busy, 0.5)).toFixed(2)} x as fast here`,
      }),
    ];
  } finally {
    http.close();
    await plane.close();
  }
}

/** Seconds that all processors of the machine have worked. */
function machineTime(): number {
  return cpus().reduce((sum, { times }) => sum + (times.user + times.nice + times.sys + times.irq) / 1000, 0);
}

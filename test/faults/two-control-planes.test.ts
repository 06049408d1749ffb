// Two control planes on one database, broker and object store, either killed at random under load: every run ends,
// exactly once, none is started twice, and no line of a log is lost or doubled.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { appendFile, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { listRuns, triggerRun } from '../../control-plane/cli/api/runs.js';
import { createStack } from '../../control-plane/cli/api/stacks.js';
import { systemClock } from '../../control-plane/clock.js';
import { openAuthority } from '../../control-plane/pools/authority.js';
import { openPostgres } from '../../control-plane/store/postgres.js';
import { createDatabaseSecrets } from '../../control-plane/store/secrets.js';
import { until } from '../launcher/support/until.js';
import { startBalancer, type Balancer } from '../support/balancer.js';
import { aroundControlPlane, logOf, type TestPlane } from '../support/control-plane.js';
import { hasMosquitto, startMosquitto, type TestMosquitto } from '../support/mosquitto.js';
import { freePort, hasPostgres, startPostgres, type TestPostgres } from '../support/postgres.js';

const program = fileURLToPath(new URL('../../dist/control-plane/main.js', import.meta.url));
const what = 'two control planes side by side';
const stacks = 6;
const linesEach = 40;

interface Server {
  readonly port: number;
  process: ChildProcess;
}

describe.skipIf(!hasPostgres(what) || !hasMosquitto(what))('two control planes', { timeout: 150_000 }, () => {
  let folder: string;
  let postgres: TestPostgres;
  let mosquitto: TestMosquitto;
  let balancer: Balancer;
  let databaseUrl: string;
  let plane: TestPlane;
  const servers: Server[] = [];
  let said = '';

  function spawnServer(name: string, port: number): ChildProcess {
    const child = spawn(
      process.execPath,
      [
        program,
        'serve',
        ...['--data-dir', join(folder, name), '--listen', `127.0.0.1:${String(port)}`],
        ...['--public-url', balancer.url],
      ],
      {
        stdio: ['ignore', 'ignore', 'pipe'],
        env: {
          PATH: process.env['PATH'],
          DATABASE_URL: databaseUrl,
          BROKER_URL: mosquitto.url,
          OBJECT_STORE_URL: pathToFileURL(join(folder, 'shared')).href,
        },
      },
    );
    child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
    return child;
  }

  async function started({ port, process: child }: Server): Promise<void> {
    await until(
      () => {
        if (child.exitCode !== null) throw new Error(`a control plane ended by itself: ${said}`);
        return fetch(`http://127.0.0.1:${String(port)}/healthz`).then(
          ({ ok }) => ok,
          () => false,
        );
      },
      `a control plane; it said ${said}`,
      40_000,
    );
  }

  async function kill(server: Server): Promise<void> {
    const ended = once(server.process, 'exit');
    server.process.kill('SIGKILL');
    await ended;
  }

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'poolwright-two-'));
    postgres = await startPostgres();
    databaseUrl = await postgres.database();
    const db = await openPostgres({ url: databaseUrl, now: Date.now(), log: pino({ level: 'silent' }) });
    const secrets = createDatabaseSecrets(db, systemClock);
    // The broker needs a certificate of the authority that control planes find in the database.
    const { authority } = await openAuthority(secrets, join(folder, 'authority'), Date.now());
    mosquitto = await startMosquitto(authority);
    balancer = await startBalancer();
    for (const name of ['a', 'b']) {
      const port = await freePort();
      servers.push({ port, process: spawnServer(name, port) });
    }
    balancer.to(servers.map(({ port }) => port));
    await Promise.all(servers.map(started));
    const administrator = JSON.parse(
      await secrets.secret('administrator.json', () => {
        throw new Error('no control plane has made a key');
      }),
    ) as { id: string; secret: string };
    await db.destroy();
    plane = await aroundControlPlane(
      folder,
      {
        apiUrl: balancer.url,
        brokerAddress: mosquitto.url.replace('mqtts://', ''),
        administrator: { ...administrator, created: true },
        signInLink: () => Promise.resolve(''),
        lost: new Promise(() => undefined),
        caFile: undefined,
        close: () => Promise.resolve(),
      },
      { launchers: 2 },
    );
  }, 120_000);
  afterAll(async () => {
    await plane.close();
    await Promise.all(servers.map(kill));
    await balancer.close();
    await mosquitto.close();
    await postgres.close();
    await rm(folder, { recursive: true, force: true });
  });

  it('killed at random under load end every run once, with its whole log', async () => {
    const marks = join(folder, 'marks');
    await appendFile(marks, '');
    /** Marks that it was started, and prints numbered lines. */
    const command = (stack: string) =>
      `echo ${stack} >> ${marks}; i=0; while [ $i -lt ${String(linesEach)} ]; do echo "line $i"; i=$((i+1)); sleep 0.02; done`;
    const made: string[] = [];
    for (let number = 0; number < stacks; number += 1) {
      const id = `load-${String(number)}`;
      const stack = await createStack(plane.client, {
        name: id,
        tool: 'commands',
        planCommands: [command(id)],
        workerPool: plane.pool,
      });
      made.push(stack.id);
    }

    const killing = (async () => {
      for (let round = 0; round < 6; round += 1) {
        await sleep(500 + Math.random() * 1500);
        const name = Math.random() < 0.5 ? 'a' : 'b';
        const victim = servers[name === 'a' ? 0 : 1];
        if (victim === undefined) return;
        await kill(victim);
        victim.process = spawnServer(name, victim.port);
        await started(victim);
      }
    })();

    // A request whose answer is lost may have made its run all the same: so two may come of one.
    const again = async <Result>(work: () => Promise<Result>): Promise<Result> => {
      for (let tries = 1; ; tries += 1) {
        try {
          return await work();
        } catch (error) {
          if (tries >= 60) throw error;
          await sleep(200);
        }
      }
    };
    for (let number = 0; number < 2 * stacks; number += 1) {
      const stack = made[number % stacks] ?? '';
      await again(() => triggerRun(plane.client, { stack, runType: 'PROPOSED' }));
      await sleep(150);
    }
    const ends = new Set(['FINISHED', 'FAILED', 'STOPPED', 'CANCELED', 'DISCARDED']);
    const open = async () => {
      const runs = (
        await Promise.all(made.map((stack) => again(() => listRuns(plane.client, stack, 'proposed'))))
      ).flat();
      return runs.filter(({ state }) => !ends.has(state));
    };
    await until(async () => (await open()).length === 0, `every run to end; servers said ${said}`, 90_000);
    await killing;

    const begun = (await readFile(marks, 'utf8')).trim().split('\n');
    for (const stack of made) {
      const runs = await again(() => listRuns(plane.client, stack, 'proposed'));
      expect(runs.length).toBeGreaterThanOrEqual(2);
      expect(runs.map(({ state }) => state)).toEqual(runs.map(() => 'FINISHED'));
      expect(begun.filter((name) => name === stack)).toHaveLength(runs.length);
      for (const { id } of runs) {
        const log = await again(() => logOf(plane, stack, id, 'PLANNING'));
        expect(log.split('\n').filter((line) => line.startsWith('line '))).toEqual(
          Array.from({ length: linesEach }, (_, index) => `line ${String(index)}`),
        );
      }
    }
  });
});

// Backup, restore and the move to PostgreSQL: nothing is lost, nothing is half there, and what waits goes on.
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import pg from 'pg';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createApiClient } from '../../../control-plane/cli/api/client.js';
import { createHttpClient } from '../../../control-plane/cli/api/http.js';
import { decideRun, getRun } from '../../../control-plane/cli/api/runs.js';
import { listSchedules, scheduleRun, type Schedule } from '../../../control-plane/cli/api/schedules.js';
import { serve, type ServeOptions } from '../../../control-plane/serve.js';
import { openPostgres } from '../../../control-plane/store/postgres.js';
import { until } from '../../launcher/support/until.js';
import { logOf, launchLauncher, startControlPlane, type TestPlane } from '../../support/control-plane.js';
import { hasPostgres, startPostgres, type TestPostgres } from '../../support/postgres.js';

const program = fileURLToPath(new URL('../../../dist/control-plane/main.js', import.meta.url));
const run = promisify(execFile);

async function poolwright(environment: Readonly<Record<string, string>>, ...args: readonly string[]) {
  try {
    const { stdout } = await run(process.execPath, [program, ...args, '--json'], {
      env: { PATH: process.env['PATH'], ...environment },
    });
    return { answer: JSON.parse(stdout) as Record<string, unknown>, error: '' };
  } catch (error) {
    return { answer: undefined, error: String((error as { stderr?: string }).stderr) };
  }
}

describe('what a control plane keeps', { timeout: 120_000 }, () => {
  let folder: string;
  let data: string;
  let plane: TestPlane;
  /** Its broker's port is in the token, so every control plane of this suite has the same. */
  let ports: Pick<ServeOptions, 'listen' | 'brokerListen'>;
  let waiting: { stack: string; run: string };
  let finished: { stack: string; run: string };
  let schedule: Schedule;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'poolwright-backup-'));
    data = join(folder, 'data');
    plane = await startControlPlane(folder, { launchers: 1 });
    const portOf = (address: string) => Number(new URL(`tcp://${address}`).port);
    ports = {
      listen: { host: '127.0.0.1', port: Number(new URL(plane.url).port) },
      brokerListen: { host: '127.0.0.1', port: portOf(plane.controlPlane.brokerAddress) },
    };
    finished = await plane.triggerRun({}, { task: 'for i in 1 2 3 4 5; do echo "line $i"; done' });
    await plane.reached(finished.stack, finished.run, 'FINISHED');
    // Its workspace, which only the pool can read, is kept for the apply.
    waiting = await plane.triggerRun({ planCommands: ['echo kept > plan'], applyCommands: ['cat plan'] });
    await plane.reached(waiting.stack, waiting.run, 'UNCONFIRMED');
    schedule = await scheduleRun(plane.client, waiting.stack, {
      ...{
        name: 'yearly',
        cronSchedule: ['0 4 1 1 *'],
        timezone: 'Europe/Berlin',
        timestampSchedule: undefined,
      },
    });
    const busy = await poolwright({}, 'backup', '--data-dir', data, '--out', join(folder, 'busy.tar.gz'));
    expect(busy.error).toContain('DATA_DIR_UNUSABLE');
    expect(existsSync(join(folder, 'busy.tar.gz'))).toBe(false);
    await plane.close();
  }, 120_000);
  afterAll(() => rm(folder, { recursive: true, force: true }));

  /** The same control plane, by its key, its logs, and the run that goes on with what was kept. */
  async function goesOn(options: Partial<ServeOptions> & { readonly dataDirectory: string }): Promise<void> {
    const controlPlane = await serve({ ...ports, ...options });
    const http = await createHttpClient();
    const key = plane.key;
    const client = createApiClient(
      { endpoint: controlPlane.apiUrl, apiKeyId: key.id, apiKeySecret: key.secret },
      http,
    );
    const state = await mkdtemp(join(folder, 'launcher-'));
    const launcher = launchLauncher({
      SPACELIFT_TOKEN: plane.token,
      SPACELIFT_POOL_PRIVATE_KEY: Buffer.from(plane.privateKey).toString('base64'),
      POOLWRIGHT_STATE_DIR: state,
      POOLWRIGHT_EXECUTOR: 'host',
    });
    try {
      const there = { ...plane, client };
      expect(controlPlane.administrator).toEqual({ ...key, created: false });
      const log = await logOf(there, finished.stack, finished.run, 'PERFORMING');
      expect(await listSchedules(client, waiting.stack)).toEqual([schedule]);
      expect(log.match(/line \d/g)).toEqual([1, 2, 3, 4, 5].map((number) => `line ${String(number)}`));
      await decideRun(client, 'confirm', waiting.stack, waiting.run);
      await until(
        async () => (await getRun(client, waiting.stack, waiting.run)).state === 'FINISHED',
        `the apply; the launcher said ${launcher.output()}`,
        60_000,
      );
      expect(await logOf(there, waiting.stack, waiting.run, 'APPLYING')).toContain('kept');
    } finally {
      launcher.process.kill('SIGKILL');
      await launcher.ended;
      http.close();
      await controlPlane.close();
    }
  }

  it('comes back from a backup in another folder; a file that is cut off leaves nothing', async () => {
    const file = join(folder, 'backup.tar.gz');
    const written = await poolwright({}, 'backup', '--data-dir', data, '--out', file);
    expect(written.error).toBe('');
    const cut = join(folder, 'cut.tar.gz');
    await writeFile(cut, await readFile(file));
    await truncate(cut, 5000);
    const target = join(folder, 'restored');
    for (const [wrong, said] of [
      [cut, 'Nothing was restored'],
      [join(data, 'token-secret'), 'INVALID_ARGUMENT'],
      [join(folder, 'nowhere.tar.gz'), 'INVALID_ARGUMENT'],
    ] as const) {
      const refusal = await poolwright({}, 'restore', '--data-dir', target, '--from', wrong);
      expect(refusal.error).toContain(said);
      expect(existsSync(target)).toBe(false);
    }
    expect((await poolwright({}, 'restore', '--data-dir', data, '--from', file)).error).toContain(
      'is not empty',
    );
    const restored = await poolwright({}, 'restore', '--data-dir', target, '--from', file);
    expect(restored.error).toBe('');
    expect(restored.answer).toMatchObject({ objects: 1, logParts: 2 });
    await goesOn({ dataDirectory: target });
  });

  describe.skipIf(!hasPostgres('migrate'))('and PostgreSQL', () => {
    let server: TestPostgres;
    beforeAll(async () => {
      server = await startPostgres();
    });
    afterAll(() => server.close());

    it('moves there, also when it is killed on the way; until it is done neither side starts', async () => {
      const secretsKey = 'a key of the test that nobody else can guess';
      const places = {
        DATABASE_URL: await server.database(),
        OBJECT_STORE_URL: pathToFileURL(join(folder, 'store')).href,
      };
      const variables = { ...places, SECRETS_KEY: secretsKey };
      // The tables are there already, and one of them is not to be had: the move stops half-way.
      await openPostgres({ url: variables.DATABASE_URL, now: 0, log: pino({ level: 'silent' }) }).then((db) =>
        db.destroy(),
      );
      const observer = new pg.Client({ connectionString: variables.DATABASE_URL });
      await observer.connect();
      await observer.query('begin; lock table run_transitions in access exclusive mode');

      const moving = spawn(process.execPath, [program, 'migrate', '--data-dir', data], {
        env: { PATH: process.env['PATH'], ...variables },
        stdio: 'ignore',
      });
      const ended = once(moving, 'exit');
      await until(
        () => existsSync(join(data, 'moving')) || moving.exitCode !== null,
        'the move to begin',
        60_000,
      );
      moving.kill('SIGKILL');
      await ended;
      await observer.query('rollback');
      expect(await readdir(data)).toContain('moving');
      await expect(serve({ ...ports, dataDirectory: data })).rejects.toMatchObject({
        code: 'DATA_DIR_UNUSABLE',
      });
      await expect(
        serve({ ...ports, dataDirectory: data, databaseUrl: variables.DATABASE_URL }),
      ).rejects.toMatchObject({ code: 'DATA_DIR_UNUSABLE' });

      const moved = await poolwright(variables, 'migrate', '--data-dir', data);
      expect(moved.error).toBe('');
      const { rows } = await observer.query<{ count: number }>('select count(*)::int as count from runs');
      expect(rows[0]?.count).toBe(2);
      // Secrets went there sealed; the mark of the move is none.
      const secrets = await observer.query<{ value: string }>(
        "select value from secrets where name <> 'moved-from-data-folder'",
      );
      expect(secrets.rows.length).toBeGreaterThan(3);
      for (const { value } of secrets.rows) expect(value).toMatch(/^sealed:/);
      await observer.end();
      await expect(serve({ ...ports, dataDirectory: data })).rejects.toMatchObject({
        code: 'DATA_DIR_UNUSABLE',
      });
      expect((await poolwright(variables, 'migrate', '--data-dir', data)).error).toContain('CONFLICT');
      const there = {
        dataDirectory: data,
        databaseUrl: variables.DATABASE_URL,
        objectStoreUrl: variables.OBJECT_STORE_URL,
      };
      await expect(serve({ ...ports, ...there })).rejects.toMatchObject({ code: 'DATABASE_UNUSABLE' });
      await goesOn({ ...there, secretsKey });

      // And back again: a backup of there, while it could be at work, into a folder. The key is needed for that, once.
      const file = join(folder, 'from-postgres.tar.gz');
      const target = ['--data-dir', join(folder, 'back'), '--from', file];
      expect((await poolwright(places, 'backup', '--data-dir', data, '--out', file)).error).toBe('');
      expect((await poolwright({}, 'restore', ...target)).error).toContain('SECRETS_KEY_FILE');
      expect(existsSync(join(folder, 'back'))).toBe(false);
      const back = await poolwright({ SECRETS_KEY: secretsKey }, 'restore', ...target);
      expect(back.error).toBe('');
      // What is not a secret of a folder, such as the mark of the move, is none there.
      expect(await readdir(join(folder, 'back'))).not.toContain('moved-from-data-folder');
      const again = await serve({ ...ports, dataDirectory: join(folder, 'back') });
      expect(again.administrator).toEqual({ ...plane.key, created: false });
      await again.close();
    });
  });
});

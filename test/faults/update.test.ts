// Launchers that take another version of themselves: real processes on a real control plane. Whatever happens to the
// update, there is a worker afterwards, and no run is lost or done twice.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createStack } from '../../control-plane/cli/api/stacks.js';
import { createTask } from '../../control-plane/cli/api/runs.js';
import { releaseKeyText } from '../../protocol/release-signing.js';
import { createOperator } from '../launcher/update/support.js';
import { until } from '../launcher/support/until.js';
import { startControlPlane, type TestLauncher, type TestPlane } from '../support/control-plane.js';
import { deployedVersion, otherVersion, release } from './support/release.js';

const operator = createOperator();
const crashing = Buffer.from("process.stderr.write('this version crashes\\n'); process.exit(1);\n");
const hanging = Buffer.from('for (;;);\n');

const failures = [
  ['crashes', crashing, 'it ended (exit code 1) before it was connected', {}],
  ['hangs', hanging, 'it was not connected within 8 s', { POOLWRIGHT_UPDATE_PROBATION: '8s' }],
] as const;
const executable = resolve(`dist/launcher-${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}`);

/** Whether it is there, and of the same sources as the bundle: some commands build that alone. */
function isBuilt(file: string): boolean {
  if (!existsSync(file)) return false;
  const version = execFileSync(file, ['--version'], { encoding: 'utf8' });
  return version === readFileSync('dist/launcher.version', 'utf8');
}

let folder: string;
let plane: TestPlane;
let base: string;
let launchers: TestLauncher[] = [];
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'poolwright-update-'));
  plane = await startControlPlane(folder);
  base = await deployedVersion();
}, 60_000);
afterEach(async () => {
  // Killed, it takes its worker process along only after that one has noticed.
  for (const { process } of launchers) process.kill('SIGTERM');
  await Promise.all(launchers.map(({ ended }) => ended));
  launchers = [];
  await until(async () => (await plane.workers()).length === 0, 'all workers to be gone', 20_000);
});
afterAll(async () => {
  await plane.close();
  await rm(folder, { recursive: true, force: true });
});

async function start(
  environment: Readonly<Record<string, string>> = {},
  executable?: string,
): Promise<TestLauncher> {
  const key = releaseKeyText(operator.publicKey);
  const launcher = await plane.startLauncher({ POOLWRIGHT_UPDATE_KEY: key, ...environment }, executable);
  launchers.push(launcher);
  return launcher;
}

/** Waits for an idle worker in this version, and gives it. */
function idleIn(version: string, launcher: TestLauncher) {
  return until(
    async () =>
      (await plane.workers()).find(
        (worker) => worker.version === version && worker.status === 'IDLE' && worker.connected,
      ),
    `an idle worker in version ${version}`,
    30_000,
  ).catch((error: unknown) => {
    throw new Error(`${String(error)}; it said ${launcher.output()}`);
  });
}

function says(launcher: TestLauncher, text: string) {
  return until(() => launcher.output().includes(text), text, 30_000).catch((error: unknown) => {
    throw new Error(`${String(error)}; it said ${launcher.output()}`);
  });
}

describe('an update', { timeout: 90_000 }, () => {
  it('happens when there is no run, and stays after a start', async () => {
    const state = await mkdtemp(join(folder, 'state-'));
    const launcher = await start({ POOLWRIGHT_STATE_DIR: state });
    const before = await idleIn(base, launcher);
    const bytes = await otherVersion('version-of-may');
    const marker = join(folder, 'may');
    const { stack, run } = await plane.triggerRun(
      {},
      { task: `until [ -e ${marker} ]; do sleep 0.05; done; echo finished` },
    );
    await plane.reached(stack, run, 'PERFORMING');
    await release(plane, operator, bytes, { version: 'version-of-may' });
    await says(launcher, 'Ending after run');
    expect((await plane.workers()).map(({ id }) => id)).toEqual([before.id]);
    await writeFile(marker, '');
    const after = await idleIn('version-of-may', launcher);
    expect(after.launcherUpdate).toEqual({ base, failedVersion: null, failure: null });
    expect((await plane.run(stack, run)).state).toBe('FINISHED');
    launcher.process.kill('SIGTERM');
    expect(await launcher.ended).toBe(0);
    const again = await start({ POOLWRIGHT_STATE_DIR: state });
    await idleIn('version-of-may', again);
    // The same release, offered again, is no news.
    expect(again.output()).not.toContain('is offered');
  });

  it('is not taken without a key', async () => {
    const launcher = await start({ POOLWRIGHT_UPDATE_KEY: '' });
    const { id } = await idleIn(base, launcher);
    await release(plane, operator, await otherVersion('version-of-june'), { version: 'version-of-june' });
    const { stack, run } = await plane.triggerRun({}, { task: 'true' });
    await plane.reached(stack, run, 'FINISHED');
    expect(await idleIn(base, launcher)).toMatchObject({ id, launcherUpdate: null });
  });

  it('is refused when somebody else has signed it', async () => {
    const launcher = await start({ POOLWRIGHT_UPDATE_KEY: releaseKeyText(createOperator().publicKey) });
    const { id } = await idleIn(base, launcher);
    await says(launcher, 'is not signed with a key that this launcher was configured with');
    expect((await idleIn(base, launcher)).id).toBe(id);
  });

  it('is refused when the bytes are not those that were signed', async () => {
    const bytes = await otherVersion('version-of-july');
    await release(plane, operator, bytes, { version: 'version-of-july' });
    const object = (await readdir(join(folder, 'data', 'objects'))).sort().at(-1) ?? '';
    const file = join(folder, 'data', 'objects', object);
    await writeFile(file, Buffer.concat([bytes.subarray(0, -2), Buffer.from('//')]));
    const launcher = await start();
    await says(launcher, 'does not have the SHA-256');
    await idleIn(base, launcher);
    const state = JSON.stringify(await readdir(join(folder)));
    expect(state).not.toContain('.cjs');
  });

  it.each(failures)('is given up when the new version %s', async (what, bytes, failure, environment) => {
    const version = `version-that-${what}`;
    const launcher = await start(environment);
    await release(plane, operator, bytes, { version });
    await says(launcher, `Launcher ${version} was given up: ${failure}`);
    const worker = await idleIn(base, launcher);
    expect(worker.launcherUpdate).toEqual({ base, failedVersion: version, failure });
    // A mended one is taken.
    await release(plane, operator, await otherVersion(`mended-${what}`), { version: `mended-${what}` });
    await idleIn(`mended-${what}`, launcher);
  });

  it.skipIf(!isBuilt(executable))('is taken by the executable, too', async () => {
    const launcher = await start({}, executable);
    const version = 'version-in-an-executable';
    await release(plane, operator, await otherVersion(version), { version });
    await idleIn(version, launcher);
  });

  it('passes signals on, and ends with its worker', async () => {
    const launcher = await start();
    await until(() => launcher.output().includes('Registered'), 'a worker', 30_000);
    const { stack, run } = await plane.triggerRun({}, { task: 'sleep 1; echo finished' });
    await plane.reached(stack, run, 'PERFORMING');
    launcher.process.kill('SIGTERM');
    expect(await launcher.ended).toBe(0);
    expect((await plane.run(stack, run)).state).toBe('FINISHED');
  });

  it('leaves one worker and a good version, whenever everything is killed in the middle', async () => {
    const state = await mkdtemp(join(folder, 'state-'));
    const version = 'version-of-august';
    await release(plane, operator, await otherVersion(version), { version });
    for (let round = 0; round < 6; round += 1) {
      const launcher = await start({ POOLWRIGHT_STATE_DIR: state });
      await new Promise((done) => setTimeout(done, 150 + Math.random() * 900));
      launcher.process.kill('SIGKILL');
      await launcher.ended;
      launchers = [];
    }
    // Workers whose watcher is gone end by themselves.
    const launcher = await start({ POOLWRIGHT_STATE_DIR: state });
    const worker = await until(
      async () => {
        const workers = await plane.workers();
        return workers.length === 1 && workers[0]?.connected === true ? workers[0] : undefined;
      },
      'one worker',
      30_000,
    );
    expect([base, version]).toContain(worker.version);
    // Taken, or started so often in vain that it was given up: the next one is taken in any case.
    const next = 'version-of-september';
    await release(plane, operator, await otherVersion(next), { version: next });
    await idleIn(next, launcher);
  });

  it('loses no run and does none twice, while releases and runs cross', async () => {
    const tasks = 16;
    const done = join(folder, 'done');
    const two = await Promise.all([start(), start()]);
    await plane.idle(2);
    const stacks = await Promise.all(
      Array.from({ length: 4 }, (_, index) =>
        createStack(plane.client, {
          name: `crossing ${String(index)}`,
          tool: 'commands',
          planCommands: ['true'],
          workerPool: plane.pool,
        }),
      ),
    );
    const runs: { stack: string; run: string }[] = [];
    let released = 0;
    for (let number = 0; number < tasks; number += 1) {
      const stack = stacks[number % stacks.length]?.id ?? '';
      const { id } = await createTask(plane.client, stack, `echo ${String(number)} >> ${done}`);
      runs.push({ stack, run: id });
      if (number % 8 === 4) {
        released += 1;
        const version = `crossing-${String(released)}`;
        await release(plane, operator, await otherVersion(version), { version });
      }
      await new Promise((wait) => setTimeout(wait, Math.random() * 120));
    }
    for (const { stack, run } of runs) {
      const { state, failure } = await plane.reached(stack, run, 'FINISHED', 'FAILED');
      expect({ state, failure }).toEqual({ state: 'FINISHED', failure: null });
    }
    const numbers = (await readFile(done, 'utf8')).trim().split('\n').map(Number);
    expect(numbers.sort((a, b) => a - b)).toEqual(Array.from({ length: tasks }, (_, index) => index));
    for (const launcher of two) {
      await until(
        async () => (await plane.workers()).filter(({ version }) => version === 'crossing-2').length === 2,
        'both workers in the last version',
        30_000,
      ).catch((error: unknown) => {
        throw new Error(`${String(error)}; ${launcher.output()}`);
      });
    }
  });
});

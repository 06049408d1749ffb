// What a run leaves on its worker: nothing. And what other users of the machine see of it meanwhile: nothing, too.
import { execFileSync, spawnSync } from 'node:child_process';
import { chmod, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stopRun } from '../../control-plane/cli/api/runs.js';
import { until } from '../launcher/support/until.js';
import { logOf, startControlPlane, type TestLauncher, type TestPlane } from '../support/control-plane.js';
import { hasRunnerImage, runnerImage } from '../support/runner-image.js';
import { available } from '../support/skips.js';

const executors = [
  ['host', true],
  ['docker', hasRunnerImage('traces of runs in containers')],
] as const;
const nobody = available(
  'files of runs and other users',
  process.getuid?.() === 0 && spawnSync('setpriv', ['--version']).status === 0,
  'not root, or no setpriv (Debian: util-linux)',
);

/** Sleeps that nobody else sleeps: what is found under such a number is the run's. */
const duration = (number: number) => `4${String(process.pid)}${String(number)}`;

async function sleepers(seconds: string): Promise<string[]> {
  const found: string[] = [];
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const line = await readFile(`/proc/${name}/cmdline`, 'utf8').catch(() => '');
    if (line.split('\0').slice(0, -1).join(' ').endsWith(`sleep ${seconds}`)) found.push(name);
  }
  return found;
}

describe.each(executors)('a run by %s', (executor, there) => {
  let folder: string;
  let state: string;
  let plane: TestPlane;
  let launcher: TestLauncher;
  let number = executor === 'host' ? 0 : 10;
  beforeAll(async () => {
    if (!there) return;
    folder = await mkdtemp(join(tmpdir(), 'poolwright-traces-'));
    await chmod(folder, 0o755);
    state = await mkdtemp(join(folder, 'state-'));
    await chmod(state, 0o755);
    plane = await startControlPlane(folder);
    launcher = await plane.startLauncher({
      POOLWRIGHT_EXECUTOR: executor,
      POOLWRIGHT_STATE_DIR: state,
      SPACELIFT_DEFAULT_RUNNER_IMAGE: runnerImage,
    });
    await plane.idle(1);
  }, 180_000);
  afterAll(async () => {
    if (!there) return;
    launcher.process.kill('SIGTERM');
    await launcher.ended;
    await plane.close();
    await rm(folder, { recursive: true, force: true });
  });

  /** A task with a child, a grandchild without parent, and one in a session of its own; both closed their output. */
  async function withTree(end: string) {
    number += 1;
    const seconds = duration(number);
    const task = `sleep ${seconds} &
(sleep ${seconds} </dev/null >/dev/null 2>&1 &)
(setsid sleep ${seconds} </dev/null >/dev/null 2>&1 &)
sleep 0.3; echo started; ${end}`;
    const started = await plane.triggerRun({}, { task });
    return { ...started, seconds };
  }

  it.skipIf(!there)('that has ended leaves no process', { timeout: 60_000 }, async () => {
    const { stack, run, seconds } = await withTree('exit 0');
    await plane.reached(stack, run, 'FINISHED');
    await plane.idle(1);
    expect(await sleepers(seconds)).toEqual([]);
  });

  it.skipIf(!there)('that is stopped leaves no process', { timeout: 60_000 }, async () => {
    const { stack, run, seconds } = await withTree('trap "" TERM; sleep 300');
    await until(
      async () => (await logOf(plane, stack, run, 'PERFORMING').catch(() => '')).includes('started'),
      'the first line',
      20_000,
    );
    expect(await sleepers(seconds)).toHaveLength(3);
    await stopRun(plane.client, stack, run, 'enough');
    await plane.reached(stack, run, 'STOPPED');
    await plane.idle(1);
    expect(await sleepers(seconds)).toEqual([]);
  });

  it.skipIf(!there || !nobody)('keeps its files from other users', { timeout: 60_000 }, async () => {
    const task = 'echo secret > file; chmod 644 file; echo started; while [ ! -e go ]; do sleep 0.1; done';
    const { stack, run } = await plane.triggerRun({}, { task });
    await until(
      async () => (await logOf(plane, stack, run, 'PERFORMING').catch(() => '')).includes('started'),
      'the first line',
      20_000,
    );
    const [worker] = await plane.workers();
    const attempt = join(state, worker?.id ?? '', `${run}.1`);
    const file = join(attempt, 'workspace', 'file');
    expect(await readFile(file, 'utf8')).toBe('secret\n');
    for (const path of [file, attempt, join(attempt, 'workspace')]) {
      const other = spawnSync('setpriv', [
        '--reuid=65534',
        '--regid=65534',
        '--clear-groups',
        'ls',
        '-d',
        `${path}/..`,
      ]);
      expect(other.status, path).not.toBe(0);
      const read = spawnSync('setpriv', ['--reuid=65534', '--regid=65534', '--clear-groups', 'cat', path]);
      expect(read.stderr.toString(), path).toContain('Permission denied');
    }
    execFileSync('touch', [join(attempt, 'workspace', 'go')]);
    await plane.reached(stack, run, 'FINISHED');
  });
});

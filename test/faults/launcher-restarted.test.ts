// kill -9 of a launcher in the middle of a run, and a new one on the same state folder: the run goes on where it was,
// no command runs twice, no line of its log is lost or doubled. What cannot go on fails and says why.
import { execFileSync } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, chmod } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { stopRun } from '../../control-plane/cli/api/runs.js';
import type { StackInput } from '../../control-plane/cli/api/stacks.js';
import { setVariable } from '../../control-plane/cli/api/variables.js';
import { markedProcesses } from '../../launcher/executors/host-processes.js';
import { historyFile } from '../../launcher/status/history.js';
import { logOf, startControlPlane, type TestLauncher, type TestPlane } from '../support/control-plane.js';
import { hasRunnerImage, runnerImage } from '../support/runner-image.js';
import { hangingGitServer } from './support/hanging-git.js';
import { until } from '../launcher/support/until.js';

const executors = [
  ['host', true],
  ['docker', hasRunnerImage('launchers that are killed and started again')],
] as const;

describe.each(executors)('a launcher that is killed and started again, with %s', (executor, there) => {
  let folder: string;
  let state: string;
  let witnesses: string;
  let plane: TestPlane;

  const launchers: TestLauncher[] = [];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'poolwright-fault-'));
    await chmod(folder, 0o755);
    if (there) plane = await startControlPlane(folder);
  });
  beforeEach(async () => {
    state = await mkdtemp(join(folder, 'state-'));
    await chmod(state, 0o755);
    witnesses = await mkdtemp(join(folder, 'witnesses-'));
    await chmod(witnesses, 0o777);
  });
  afterEach(async () => {
    // In order, so that no test sees the worker of another.
    for (const launcher of launchers.splice(0)) {
      launcher.process.kill('SIGTERM');
      launcher.process.kill('SIGTERM');
      await launcher.ended;
    }
  });
  afterAll(async () => {
    if (there) await plane.close();
    await rm(folder, { recursive: true });
  });

  async function start(): Promise<TestLauncher> {
    const launcher = await plane.startLauncher({
      POOLWRIGHT_STATE_DIR: state,
      POOLWRIGHT_EXECUTOR: executor,
      SPACELIFT_DEFAULT_RUNNER_IMAGE: runnerImage,
      SPACELIFT_WORKER_NETWORK: 'none',
      SPACELIFT_WORKER_EXTRA_MOUNTS: `${witnesses}:${witnesses}`,
    });
    launchers.push(launcher);
    return launcher;
  }

  async function kill(launcher: TestLauncher): Promise<void> {
    launcher.process.kill('SIGKILL');
    await launcher.ended;
  }

  /** Commands leave a line here each time they are begun. */
  const witnessed = async () =>
    (await readFile(join(witnesses, 'begun'), 'utf8').catch(() => '')).split('\n').filter(Boolean);
  const witness = (word: string) => `echo ${word} >> WITNESSES/begun`;
  const trigger = (stack: StackInput, how?: Parameters<TestPlane['triggerRun']>[1]) =>
    plane.triggerRun(JSON.parse(placed(JSON.stringify(stack))) as StackInput, how);
  const placed = (text: string) => text.replaceAll('WITNESSES', witnesses);
  /** Prints numbered lines, 50 in a second. */
  const print = (count: number) =>
    `${witness('print')}; i=0; while [ $i -lt ${String(count)} ]; do echo "line $i"; i=$((i+1)); sleep 0.02; done`;
  const lines = (count: number) => Array.from({ length: count }, (_, index) => `line ${String(index)}`);
  const printed = async (stack: string, run: string, of: string) =>
    (await logOf(plane, stack, run, of)).split('\n').filter((line) => line.startsWith('line '));
  const leftOver = async (worker: string) => {
    const filter = `label=poolwright.life=${worker}`;
    const containers =
      executor === 'docker'
        ? execFileSync('docker', ['ps', '-aq', '--filter', filter], { encoding: 'utf8' })
        : '';
    // Which way to the control plane worked is for the next launcher, and which runs there were for who looks.
    const folders = (await readdir(state)).filter(
      (name) => !name.startsWith('route.') && name !== historyFile,
    );
    return { folders, containers };
  };

  describe.skipIf(!there)('goes on', { timeout: 120_000 }, () => {
    it.each([
      ['INITIALIZING', { beforeInit: [print(60)], planCommands: [witness('plan')] }],
      ['PLANNING', { planCommands: [print(60), witness('plan')] }],
      ['APPLYING', { planCommands: ['true'], applyCommands: [print(60)], autodeploy: true }],
      ['PERFORMING', { task: print(60) }],
      ['DESTROYING', { destroyCommands: [print(60)] }],
    ] as const)('in %s', async (phase, stack) => {
      const { task, ...fields } = JSON.parse(JSON.stringify(stack)) as StackInput & { task?: string };
      const how =
        task === undefined
          ? ({ runType: phase === 'DESTROYING' ? 'DESTROY' : 'TRACKED' } as const)
          : { task: placed(task) };
      const first = await start();
      await plane.idle(1);
      const [worker] = await plane.workers();
      const { stack: id, run } = await trigger(fields, how);
      await until(async () => (await logOf(plane, id, run, phase)).includes('line 5\n'), 'lines', 20_000);
      await kill(first);
      const second = await start();
      const end = ['INITIALIZING', 'PLANNING'].includes(phase) ? 'UNCONFIRMED' : 'FINISHED';
      const done = await plane.reached(id, run, end, 'FAILED');
      expect(done.failure).toBeNull();
      expect(done.attempt).toBe(phase === 'APPLYING' ? 2 : 1);
      expect(await printed(id, run, phase)).toEqual(lines(60));
      expect((await witnessed()).filter((word) => word === 'print')).toEqual(['print']);
      expect(second.output()).toContain('Goes on with run');
      // The same worker, as the control plane sees it.
      await plane.idle(1);
      expect((await plane.workers()).map((each) => each.id)).toEqual([worker?.id]);
      second.process.kill('SIGTERM');
      expect(await second.ended).toBe(0);
      expect(await leftOver(worker?.id ?? '')).toEqual({ folders: [], containers: '' });
    });

    it('again and again in one run, with secrets in what it prints', async () => {
      let launcher = await start();
      await plane.idle(1);
      const secret = 'a-secret-that-nobody-sees';
      const { stack } = await trigger({ planCommands: ['true'] });
      await setVariable(plane.client, stack, { name: 'SECRET', value: secret, secret: true });
      const { stack: id, run } = await trigger({
        planCommands: [
          `i=0; while [ $i -lt 200 ]; do printf "line $i a-secret-"; sleep 0.01; echo "that-nobody-sees $TEXT"; i=$((i+1)); done`,
        ],
        beforeInit: ['true'],
      });
      await until(async () => (await logOf(plane, id, run, 'PLANNING')).includes('line 3 '), 'lines', 20_000);
      for (let times = 0; times < 4; times += 1) {
        await kill(launcher);
        launcher = await start();
        await until(() => launcher.output().includes('Registered at'), 'the launcher', 20_000);
        await new Promise((resolve) => setTimeout(resolve, 100 + 150 * times));
      }
      const done = await plane.reached(id, run, 'UNCONFIRMED', 'FAILED');
      expect(done.failure).toBeNull();
      expect((await printed(id, run, 'PLANNING')).map((line) => line.split(' ')[1])).toEqual(
        Array.from({ length: 200 }, (_, index) => String(index)),
      );
    });

    it('with a command that ended while no launcher was there', async () => {
      const first = await start();
      await plane.idle(1);
      const { stack, run } = await trigger({
        planCommands: ['echo one; sleep 2; echo two', `${witness('after')}; echo three`],
      });
      await until(async () => (await logOf(plane, stack, run, 'PLANNING')).includes('one'), 'one', 20_000);
      await kill(first);
      await new Promise((resolve) => setTimeout(resolve, 3000));
      await start();
      const done = await plane.reached(stack, run, 'UNCONFIRMED', 'FAILED');
      expect(done.failure).toBeNull();
      expect(await logOf(plane, stack, run, 'PLANNING')).toMatch(/^one\n.*\ntwo\nthree\n/s);
      expect(await witnessed()).toEqual(['after']);
    });

    it('with the failure of a command that nobody was there to see', async () => {
      const first = await start();
      await plane.idle(1);
      const { stack, run } = await trigger({
        planCommands: ['echo one; sleep 2; echo two; exit 9', witness('never')],
      });
      await until(async () => (await logOf(plane, stack, run, 'PLANNING')).includes('one'), 'one', 20_000);
      await kill(first);
      await new Promise((resolve) => setTimeout(resolve, 3000));
      await start();
      const done = await plane.reached(stack, run, 'FAILED');
      expect(done.failure).toMatchObject({
        code: 'COMMAND_FAILED',
        message: expect.stringContaining('exit code 9') as string,
      });
      expect(await witnessed()).toEqual([]);
    });

    it('to stop the run, when that was asked for in between', async () => {
      const first = await start();
      await plane.idle(1);
      const { stack, run } = await trigger({
        planCommands: ['trap "echo cleaned up; exit 1" TERM; echo here; while :; do sleep 0.1; done'],
      });
      await until(async () => (await logOf(plane, stack, run, 'PLANNING')).includes('here'), 'here', 20_000);
      await kill(first);
      await stopRun(plane.client, stack, run, undefined);
      await start();
      const done = await plane.reached(stack, run, 'STOPPED', 'FAILED', 'FINISHED');
      expect(done.state).toBe('STOPPED');
      // Its commands had time to clean up, and the launcher told of the end.
      expect(await logOf(plane, stack, run, 'PLANNING')).toContain('cleaned up');
      expect(done.history[0]?.note).not.toContain('did not report');
      await plane.idle(1);
    });

    it('to prepare a run anew that it prepared, when what fetched its files is gone', async () => {
      const hanging = await hangingGitServer();
      const first = await start();
      await plane.idle(1);
      const [worker] = await plane.workers();
      const { stack, run } = await trigger({
        repository: hanging.http,
        planCommands: [witness('plan')],
      });
      await plane.reached(stack, run, 'PREPARING');
      await until(() => hanging.connections() > 0, 'git to connect');
      await kill(first);
      const left = await markedProcesses(worker?.id ?? '');
      // Git, and the helper that speaks to the server.
      expect(left.length).toBeGreaterThanOrEqual(2);
      await start();
      await until(() => hanging.connections() > 1, 'git to connect again', 20_000);
      const now = await markedProcesses(worker?.id ?? '');
      expect(now.length).toBeGreaterThanOrEqual(2);
      expect(now.filter((pid) => left.includes(pid))).toEqual([]);
      expect(await plane.run(stack, run)).toMatchObject({ state: 'PREPARING', attempt: 1 });
      hanging.close();
      expect((await plane.reached(stack, run, 'FAILED')).failure?.code).toBe('SOURCE_UNAVAILABLE');
      expect(await witnessed()).toEqual([]);
    });

    it('and fails the run with the cause when what it ran in is gone', async () => {
      const first = await start();
      await plane.idle(1);
      const [worker] = await plane.workers();
      const { stack, run } = await trigger({ planCommands: ['echo here; sleep 120'] });
      await until(async () => (await logOf(plane, stack, run, 'PLANNING')).includes('here'), 'here', 20_000);
      await kill(first);
      if (executor === 'docker') {
        const filter = `label=poolwright.run=${run}`;
        const id = execFileSync('docker', ['ps', '-q', '--filter', filter], { encoding: 'utf8' }).trim();
        execFileSync('docker', ['rm', '-f', id], { stdio: 'ignore' });
      } else {
        for (const pid of await markedProcesses(worker?.id ?? '')) process.kill(pid, 'SIGKILL');
      }
      await start();
      const done = await plane.reached(stack, run, 'FAILED');
      expect(done.failure?.code).toBe('RUN_INTERRUPTED');
      expect(done.failure?.message).toContain('cut off');
      await plane.idle(1);
    });
  });
});

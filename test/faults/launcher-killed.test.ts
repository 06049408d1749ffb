// kill -9 of a launcher in every phase of a run: a run that has not begun goes to another worker, one that has
// begun fails and says what is known; none is lost, none runs twice.
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { decideRun } from '../../control-plane/cli/api/runs.js';
import type { StackInput } from '../../control-plane/cli/api/stacks.js';
import { logOf, startControlPlane, type TestPlane } from '../support/control-plane.js';
import { hangingGitServer } from './support/hanging-git.js';
import { until } from '../launcher/support/until.js';

describe('a launcher that is killed', { timeout: 60_000 }, () => {
  let folder: string;
  let plane: TestPlane;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'poolwright-fault-'));
    plane = await startControlPlane(folder);
  });
  afterEach(async () => {
    await plane.close();
    await rm(folder, { recursive: true });
  });

  /** Commands leave a line in a file outside of any workspace each time they are run. */
  const witness = () => join(folder, 'witness');
  const witnessed = async () =>
    (await readFile(witness(), 'utf8').catch(() => '')).split('\n').filter(Boolean);

  it('while it prepares: the run goes to another worker and is run once', async () => {
    const hanging = await hangingGitServer();
    const launcher = await plane.startLauncher();
    await plane.idle(1);
    const { stack, run } = await plane.triggerRun({
      repository: hanging.repository,
      planCommands: [`echo planned >> ${witness()}`],
    });
    await plane.reached(stack, run, 'PREPARING');
    await until(() => hanging.connections() > 0, 'git to connect');
    launcher.process.kill('SIGKILL');
    await plane.startLauncher();
    await until(() => hanging.connections() > 1, 'the second worker to prepare', 30_000);
    const waiting = await plane.run(stack, run);
    expect(waiting.attempt).toBe(2);
    expect(
      waiting.history.some(({ state, note }) => state === 'QUEUED' && note?.includes('is gone') === true),
    ).toBe(true);
    // What it waits for never comes: the run fails by what is wrong with it, not by what happened to the worker.
    hanging.close();
    const done = await plane.reached(stack, run, 'FAILED');
    expect(done.failure?.code).toBe('SOURCE_UNAVAILABLE');
    expect(await witnessed()).toEqual([]);
  });

  it.each([
    ['INITIALIZING', { beforeInit: ['WORK'] }],
    ['PLANNING', { planCommands: ['WORK'] }],
    ['APPLYING', { planCommands: ['true'], applyCommands: ['WORK'], autodeploy: true }],
    ['PERFORMING', { task: 'WORK' }],
    ['DESTROYING', { destroyCommands: ['WORK'] }],
  ] as const)('in %s: the run fails with the cause, and nothing of it goes on', async (state, stack) => {
    const work = `echo begun >> ${witness()}; echo the last line; sleep 120`;
    const input = JSON.parse(JSON.stringify(stack).replace('WORK', work.replaceAll('"', '\\"'))) as object;
    const launcher = await plane.startLauncher({ SPACELIFT_METADATA_instance_id: 'i-0123456789' });
    await plane.idle(1);
    const { task, ...fields } = input as StackInput & { task?: string };
    const how =
      task === undefined ? ({ runType: state === 'DESTROYING' ? 'DESTROY' : 'TRACKED' } as const) : { task };
    const { stack: id, run } = await plane.triggerRun(fields, how);
    await until(async () => (await witnessed()).length === 1, 'the command to run', 20_000);
    await until(
      async () => (await logOf(plane, id, run, state)).includes('the last line'),
      'the line',
      20_000,
    );
    const killedAt = performance.now();
    launcher.process.kill('SIGKILL');
    const other = await plane.startLauncher();
    const done = await plane.reached(id, run, 'FAILED');
    // The will, and the time that a broken connection has to come back: seconds, not minutes.
    expect(performance.now() - killedAt).toBeLessThan(30_000);
    expect(done.failure?.code).toBe('WORKER_LOST');
    expect(done.failure?.message).toContain('i-0123456789');
    expect(done.failure?.message).toContain(state);
    expect(done.failure?.message).toContain('Last log line: the last line');
    expect(await witnessed()).toEqual(['begun']);
    await plane.idle(1);
    expect((await plane.workers()).length).toBe(1);
    expect(other.process.exitCode).toBeNull();
  });

  it('while a plan waits for a confirmation: the apply happens elsewhere', async () => {
    const launcher = await plane.startLauncher();
    await plane.idle(1);
    const { stack, run } = await plane.triggerRun({
      planCommands: ['echo kept > file'],
      applyCommands: ['cat file'],
    });
    await plane.reached(stack, run, 'UNCONFIRMED');
    launcher.process.kill('SIGKILL');
    await decideRun(plane.client, 'confirm', stack, run);
    await plane.startLauncher();
    await plane.reached(stack, run, 'FINISHED');
    expect(await logOf(plane, stack, run, 'APPLYING')).toBe('kept\n');
  });
});

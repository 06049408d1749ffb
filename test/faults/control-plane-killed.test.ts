// kill -9 of the control plane in every phase of a run: launchers come back by themselves, runs go on, and the log
// is complete and in order.
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { decideRun } from '../../control-plane/cli/api/runs.js';
import type { StackInput } from '../../control-plane/cli/api/stacks.js';
import { nextFreePort } from '../../control-plane/local/ports.js';
import type { ControlPlane } from '../../control-plane/serve.js';
import { aroundControlPlane, logOf, type TestPlane } from '../support/control-plane.js';
import { hangingGitServer } from './support/hanging-git.js';
import { until } from '../launcher/support/until.js';

const program = fileURLToPath(new URL('../../dist/control-plane/main.js', import.meta.url));

describe('a control plane that is killed', { timeout: 90_000 }, () => {
  let folder: string;
  let plane: TestPlane;
  let server: ChildProcess;
  let ports: { api: number; broker: number };

  async function startServer(): Promise<void> {
    server = spawn(
      process.execPath,
      [
        program,
        'serve',
        '--data-dir',
        join(folder, 'data'),
        '--listen',
        `127.0.0.1:${String(ports.api)}`,
        '--broker-listen',
        `127.0.0.1:${String(ports.broker)}`,
      ],
      { stdio: 'ignore' },
    );
    await until(
      () =>
        fetch(`http://127.0.0.1:${String(ports.api)}/healthz`).then(
          ({ ok }) => ok,
          () => false,
        ),
      'the control plane',
      20_000,
    );
  }

  async function killServer(): Promise<void> {
    const ended = new Promise((resolve) => server.once('exit', resolve));
    server.kill('SIGKILL');
    await ended;
  }

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'poolwright-fault-'));
    // Below what the system gives to outgoing connections, so that both are free when it comes back to them.
    const api = await nextFreePort('127.0.0.1', 20_000 + Math.floor(Math.random() * 12_000));
    ports = { api, broker: await nextFreePort('127.0.0.1', api + 1) };
    await startServer();
    const administrator = JSON.parse(await readFile(join(folder, 'data', 'administrator.json'), 'utf8')) as {
      id: string;
      secret: string;
    };
    const controlPlane: ControlPlane = {
      apiUrl: `http://127.0.0.1:${String(ports.api)}`,
      brokerAddress: `127.0.0.1:${String(ports.broker)}`,
      administrator: { ...administrator, created: true },
      signInLink: () => Promise.resolve(''),
      lost: new Promise(() => undefined),
      caFile: undefined,
      close: killServer,
    };
    plane = await aroundControlPlane(folder, controlPlane, { launchers: 1 });
  }, 90_000);
  afterAll(async () => {
    await plane.close();
    await rm(folder, { recursive: true });
  });
  beforeEach(async () => {
    // A test that failed in the middle may have left none.
    if (server.exitCode !== null || server.signalCode !== null) await startServer();
    await plane.idle(1);
  });

  const lines = (count: number) => Array.from({ length: count }, (_, index) => `line ${String(index)}`);
  /** What the printer below printed, in the log's order. */
  const printed = async (stack: string, run: string, state: string) =>
    (await logOf(plane, stack, run, state)).split('\n').filter((line) => line.startsWith('line '));
  /** Prints numbered lines for some seconds. */
  const printer = (count: number) =>
    `i=0; while [ $i -lt ${String(count)} ]; do echo "line $i"; i=$((i+1)); sleep 0.02; done`;

  it.each([
    ['INITIALIZING', { beforeInit: [printer(150)] }],
    ['PLANNING', { planCommands: [printer(150)] }],
    ['APPLYING', { planCommands: ['true'], applyCommands: [printer(150)], autodeploy: true }],
    ['PERFORMING', { task: printer(150) }],
    ['DESTROYING', { destroyCommands: [printer(150)] }],
  ] as const)('in %s: the run goes on, no line is lost or doubled', async (state, stack) => {
    const { task, ...fields } = JSON.parse(JSON.stringify(stack)) as StackInput & { task?: string };
    const how =
      task === undefined ? ({ runType: state === 'DESTROYING' ? 'DESTROY' : 'TRACKED' } as const) : { task };
    const { stack: id, run } = await plane.triggerRun({ applyCommands: ['true'], ...fields }, how);
    await until(async () => (await logOf(plane, id, run, state)).includes('line 3\n'), 'some lines', 20_000);
    await killServer();
    // Long enough for the launcher to notice and for lines to pile up.
    await new Promise((resolve) => setTimeout(resolve, 1500));
    await startServer();
    const done = await plane.reached(
      id,
      run,
      ['INITIALIZING', 'PLANNING'].includes(state) ? 'UNCONFIRMED' : 'FINISHED',
      'FAILED',
    );
    expect(done.failure).toBeNull();
    expect(done.attempt).toBe(state === 'APPLYING' ? 2 : 1);
    expect(await printed(id, run, state)).toEqual(lines(150));
  });

  it('again and again during one run: still no line is lost or doubled', async () => {
    const { stack, run } = await plane.triggerRun({ planCommands: [printer(400)] });
    await until(
      async () => (await logOf(plane, stack, run, 'PLANNING')).includes('line 3\n'),
      'some lines',
      20_000,
    );
    for (let kill = 0; kill < 3; kill += 1) {
      await killServer();
      await startServer();
      await new Promise((resolve) => setTimeout(resolve, 800));
    }
    const done = await plane.reached(stack, run, 'UNCONFIRMED', 'FAILED');
    expect(done.failure).toBeNull();
    expect(await printed(stack, run, 'PLANNING')).toEqual(lines(400));
  });

  it('while runs wait: they are there afterwards, in their order', async () => {
    const first = await plane.triggerRun({ planCommands: ['sleep 3'] });
    await plane.reached(first.stack, first.run, 'PLANNING');
    const second = await plane.triggerRun({ planCommands: ['echo second'] });
    const third = await plane.triggerRun({ planCommands: ['echo third'] });
    await killServer();
    await startServer();
    expect(await plane.run(third.stack, third.run)).toMatchObject({ id: third.run });
    for (const { stack, run } of [first, second, third]) await plane.reached(stack, run, 'UNCONFIRMED');
    expect((await plane.run(third.stack, third.run)).attempt).toBe(1);
  });

  it('while a plan waits for its confirmation: it can be confirmed afterwards', async () => {
    const { stack, run } = await plane.triggerRun({
      planCommands: ['echo kept > file'],
      applyCommands: ['cat file'],
    });
    await plane.reached(stack, run, 'UNCONFIRMED');
    await killServer();
    await startServer();
    await decideRun(plane.client, 'confirm', stack, run);
    await plane.reached(stack, run, 'FINISHED');
    expect(await logOf(plane, stack, run, 'APPLYING')).toBe('kept\n');
  });

  // The last one: its second launcher stays.
  it('while a worker prepares: it goes on preparing, and the run is not given to another one', async () => {
    const hanging = await hangingGitServer();
    const { stack, run } = await plane.triggerRun({ repository: hanging.repository });
    await plane.reached(stack, run, 'PREPARING');
    await until(() => hanging.connections() > 0, 'git to connect');
    await plane.startLauncher();
    await killServer();
    await startServer();
    await new Promise((resolve) => setTimeout(resolve, 2000));
    expect(await plane.run(stack, run)).toMatchObject({ state: 'PREPARING', attempt: 1 });
    hanging.close();
    const done = await plane.reached(stack, run, 'FAILED');
    expect(done).toMatchObject({ attempt: 1, failure: { code: 'SOURCE_UNAVAILABLE' } });
  });
});

// The effect of options on the launcher's own process: its limits, its state, its log, its end, and wrong values.
import { spawn } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { launchLauncher, logOf, startControlPlane, type TestPlane } from '../../support/control-plane.js';
import { hasDocker } from '../../support/skips.js';
import { temporaryFolder } from '../../support/temporary.js';
import { startService } from '../notices/support/service.js';
import { makePool } from '../support/pool.js';
import { until } from '../support/until.js';

describe('a launcher', { timeout: 60_000 }, () => {
  let folder: string;
  let plane: TestPlane;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'poolwright-options-'));
    plane = await startControlPlane(folder);
  });
  afterAll(async () => {
    await plane.close();
    await rm(folder, { recursive: true, force: true });
  });

  async function withLauncher(
    environment: Record<string, string>,
    use: (output: () => string) => Promise<void>,
  ): Promise<void> {
    const launcher = await plane.startLauncher(environment);
    await plane.idle(1);
    await use(launcher.output);
    launcher.process.kill('SIGTERM');
    expect(await launcher.ended).toBe(0);
  }

  it('SPACELIFT_LAUNCHER_LOGS_TIMEOUT ends a run that is silent, SPACELIFT_LAUNCHER_RUN_TIMEOUT one that goes on', async () => {
    const limits = { SPACELIFT_LAUNCHER_LOGS_TIMEOUT: '2s500ms', SPACELIFT_LAUNCHER_RUN_TIMEOUT: '0.1m' };
    await withLauncher(limits, async () => {
      const silent = await plane.triggerRun({}, { task: 'sleep 300' });
      const first = await plane.reached(silent.stack, silent.run, 'FAILED');
      expect(first.failure).toMatchObject({
        code: 'RUN_SILENT',
        message:
          'The run was ended in PERFORMING because it printed nothing for 2.5 seconds, the logs timeout of this launcher ' +
          '(SPACELIFT_LAUNCHER_LOGS_TIMEOUT).',
      });
      const talking = await plane.triggerRun({}, { task: 'while :; do echo on; sleep 0.2; done' });
      const second = await plane.reached(talking.stack, talking.run, 'FAILED');
      expect(second.failure).toMatchObject({
        code: 'RUN_TIMED_OUT',
        message:
          'The run was ended in PERFORMING after 6 seconds, the run timeout of this launcher (SPACELIFT_LAUNCHER_RUN_TIMEOUT).',
      });
    });
  });

  it('without SPACELIFT_DEBUG and SPACELIFT_RUN_LOGS_ON_STANDARD_OUTPUT_ENABLED prints neither commands nor run logs', async () => {
    await withLauncher({}, async (output) => {
      const { stack, run } = await plane.triggerRun({}, { task: 'echo $((6 * 7)) is said' });
      await plane.reached(stack, run, 'FINISHED');
      const log = await logOf(plane, stack, run, 'PERFORMING');
      expect(log).toContain('42 is said\n');
      expect(log).not.toContain('$((6 * 7))');
      expect(output()).toContain(`run ${run}`);
      expect(output()).not.toMatch(/is said|run_ulid|"debug"/);
    });
  });

  it('POOLWRIGHT_STATE_DIR is where it keeps what it has of runs', async () => {
    const state = await temporaryFolder();
    await withLauncher({ POOLWRIGHT_STATE_DIR: state }, async () => {
      const [worker] = await plane.workers();
      expect(await readdir(state)).toContain(worker?.id);
    });
  });

  it('POOLWRIGHT_LOG_FORMAT is the form of its own log', async () => {
    await withLauncher({ POOLWRIGHT_LOG_FORMAT: 'json' }, async (output) => {
      await until(() => output().includes('\n'), 'a line');
      expect(JSON.parse(output().split('\n')[0] ?? '')).toHaveProperty('msg');
    });
    await withLauncher({ POOLWRIGHT_LOG_FORMAT: 'pretty' }, async (output) => {
      await until(() => output().includes('\n'), 'a line');
      expect(output()).not.toMatch(/^\{/);
    });
  });

  it('POOLWRIGHT_END_WITH_PARENT makes it end with its standard input', async () => {
    const program = fileURLToPath(new URL('../../../dist/launcher.cjs', import.meta.url));
    const child = spawn(process.execPath, [program], {
      env: {
        PATH: process.env['PATH'],
        SPACELIFT_TOKEN: plane.token,
        SPACELIFT_POOL_PRIVATE_KEY: Buffer.from(plane.privateKey).toString('base64'),
        POOLWRIGHT_STATE_DIR: await temporaryFolder(),
        POOLWRIGHT_EXECUTOR: 'host',
        POOLWRIGHT_END_WITH_PARENT: 'true',
      },
      stdio: ['pipe', 'ignore', 'inherit'],
    });
    const ended = new Promise((resolve) => child.once('close', resolve));
    await plane.idle(1);
    expect(child.exitCode).toBeNull();
    child.stdin.end();
    expect(await ended).toBe(0);
  });

  it('POOLWRIGHT_AZURE_CLIENT_ID is the identity by which it protects its machine, unless POOLWRIGHT_SCALE_IN_PROTECTION is false', async () => {
    const metadata = await startService({
      'GET /metadata/instance/compute': JSON.stringify({
        name: 'builds_3',
        resourceId: '/subscriptions/s/virtualMachineScaleSets/builds/virtualMachines/3',
        location: 'westeurope',
        azEnvironment: 'AzurePublicCloud',
      }),
      'GET /metadata/scheduledevents': JSON.stringify({ DocumentIncarnation: 1, Events: [] }),
      'GET /metadata/identity/oauth2/token': { status: 400, text: '{"error":"no such identity"}' },
    });
    /** As which identity it asked for a token. */
    const clients = () =>
      metadata.asked
        .filter(({ url }) => url.includes('oauth2/token'))
        .map(({ url }) => new URL(url, metadata.url).searchParams.get('client_id'));
    const azure = {
      POOLWRIGHT_CLOUD: 'azure',
      POOLWRIGHT_METADATA_ENDPOINT: metadata.url,
      POOLWRIGHT_CLOUD_ENDPOINT: metadata.url,
      POOLWRIGHT_AZURE_CLIENT_ID: '00000000-aaaa',
    };
    try {
      for (const protection of ['false', 'true']) {
        await withLauncher({ ...azure, POOLWRIGHT_SCALE_IN_PROTECTION: protection }, async () => {
          const { stack, run } = await plane.triggerRun({}, { task: 'true' });
          await plane.reached(stack, run, 'FINISHED');
        });
        expect([...new Set(clients())]).toEqual(protection === 'true' ? ['00000000-aaaa'] : []);
      }
    } finally {
      await metadata.close();
    }
  });
});

describe('wrong values', { timeout: 60_000 }, () => {
  it('are all told at once, with exit code 2, and nothing was started', async () => {
    const state = join(await temporaryFolder(), 'state');
    const launcher = launchLauncher({
      ...(await makePool()).environment(1),
      POOLWRIGHT_STATE_DIR: state,
      SPACELIFT_DEBUG: 'perhaps',
      SPACELIFT_LAUNCHER_RUN_TIMEOUT: '90',
      SPACELIFT_WORKER_EXTRA_MOUNTS: 'relative:/container',
      SPACELIFT_WHITELIST_ENVS: 'SPACELIFT_POOL_PRIVATE_KEY',
      SPACELIFT_PRIVATEVCS_MAPPING_NAME_1: 'gap',
    });
    expect(await launcher.ended).toBe(2);
    expect(launcher.output()).toContain('launcher (INVALID_SETTINGS): ');
    for (const name of [
      'DEBUG',
      'LAUNCHER_RUN_TIMEOUT',
      'WORKER_EXTRA_MOUNTS',
      'WHITELIST_ENVS',
      'MAPPING_NAME_0',
    ])
      expect(launcher.output()).toMatch(new RegExp(`^  SPACELIFT_\\w*${name}: `, 'm'));
    await expect(readdir(state)).rejects.toThrow('ENOENT');
  });

  /** A container engine that has no network and no runtime but its own. */
  async function bareEngine() {
    const networks = JSON.stringify([{ Name: 'bridge' }]);
    return startService({
      'GET /_ping': 'OK',
      'GET /networks': networks,
      'GET /info': JSON.stringify({ Runtimes: { runc: {} } }),
    });
  }

  it('are told at once, whatever they are of: of a value, of the policy, of a folder, of the engine', async () => {
    const engine = await bareEngine();
    const folder = await temporaryFolder();
    const environment = {
      ...(await makePool()).environment(1),
      POOLWRIGHT_STATE_DIR: join(folder, 'state'),
      DOCKER_HOST: engine.url.replace('http:', 'tcp:'),
      SPACELIFT_LAUNCHER_RUN_TIMEOUT: '90',
      SPACELIFT_LAUNCHER_RUN_INITIALIZATION_POLICY: join(folder, 'nowhere.rego'),
      SPACELIFT_DOCKER_CONFIG_DIR: join(folder, 'nowhere'),
      SPACELIFT_WORKER_NETWORK: 'no-such-network',
      SPACELIFT_WORKER_RUNTIME: 'no-such-runtime',
    };
    try {
      const launcher = launchLauncher(environment);
      expect(await launcher.ended).toBe(2);
      const output = launcher.output();
      expect(output).toContain("launcher (INVALID_SETTINGS): The launcher's environment has 5 faults:\n");
      for (const [name, reason] of [
        ['LAUNCHER_RUN_TIMEOUT', 'unit'],
        ['LAUNCHER_RUN_INITIALIZATION_POLICY', 'ENOENT'],
        ['DOCKER_CONFIG_DIR', 'ENOENT'],
        ['WORKER_NETWORK', 'has no network "no-such-network"'],
        ['WORKER_RUNTIME', 'has no runtime "no-such-runtime"'],
      ] as const)
        expect(output).toMatch(new RegExp(`^  SPACELIFT_${name}: .*${reason}`, 'm'));
      await expect(readdir(environment.POOLWRIGHT_STATE_DIR)).rejects.toThrow('ENOENT');

      // What depends on the executor is not looked at while that is wrong itself.
      const other = launchLauncher({ ...environment, POOLWRIGHT_EXECUTOR: 'dokcer' });
      expect(await other.ended).toBe(2);
      expect(other.output()).toMatch(/has 3 faults:/);
      expect(other.output()).toMatch(/^ {2}POOLWRIGHT_EXECUTOR: /m);
      expect(other.output()).not.toMatch(/DOCKER_CONFIG_DIR|WORKER_NETWORK|WORKER_RUNTIME/);
    } finally {
      await engine.close();
    }
  });

  it('of values do not wait for an engine that does not answer', async () => {
    const launcher = launchLauncher({
      ...(await makePool()).environment(1),
      POOLWRIGHT_STATE_DIR: '/dev/null/state',
      DOCKER_HOST: 'unix:///nowhere/engine.sock',
      SPACELIFT_WORKER_NETWORK: 'no-such-network',
      SPACELIFT_DEBUG: 'perhaps',
    });
    expect(await launcher.ended).toBe(2);
    expect(launcher.output()).toMatch(/has 2 faults:\n {2}SPACELIFT_DEBUG: .*\n {2}POOLWRIGHT_STATE_DIR: /);
    expect(launcher.output()).not.toContain('engine');
  });

  it.skipIf(!hasDocker('networks and runtimes that are not there'))(
    'of a network and a runtime that the engine does not have are told with what it has',
    async () => {
      const launcher = launchLauncher({
        ...(await makePool()).environment(1),
        POOLWRIGHT_STATE_DIR: await temporaryFolder(),
        SPACELIFT_WORKER_NETWORK: 'no-such-network',
        SPACELIFT_WORKER_RUNTIME: 'no-such-runtime',
      });
      expect(await launcher.ended).toBe(2);
      expect(launcher.output()).toMatch(
        /SPACELIFT_WORKER_NETWORK: the container engine has no network "no-such-network". It has .*bridge/,
      );
      expect(launcher.output()).toMatch(
        /SPACELIFT_WORKER_RUNTIME: the container engine has no runtime "no-such-runtime". It has .*runc/,
      );
    },
  );
});

// Notices and health on real processes: a control plane, a launcher with a run, and a cloud that takes its machine.
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  launchLauncher,
  logOf,
  startControlPlane,
  type TestLauncher,
  type TestPlane,
} from '../../support/control-plane.js';
import { temporaryFolder } from '../../support/temporary.js';
import { makePool } from '../support/pool.js';
import { until } from '../support/until.js';
import { lifecycleCompleted, roleCredentials } from './support/documents.js';
import { startService, type Service } from './support/service.js';

const meta = (path: string) => `GET /latest/meta-data/${path}`;
const actionOf = (body: string) => new URLSearchParams(body).get('Action');

describe('a launcher on an instance', { timeout: 90_000 }, () => {
  let folder: string;
  let plane: TestPlane;
  let metadata: Service;
  let api: Service;
  /** Calls to EC2 Auto Scaling with the state that the run had when they came. */
  let calls: { action: string; state: string | undefined }[];
  let going: { stack: string; run: string } | undefined;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'poolwright-notices-'));
    plane = await startControlPlane(folder);
  });
  afterAll(async () => {
    await plane.close();
    await rm(folder, { recursive: true });
  });
  beforeEach(async () => {
    calls = [];
    going = undefined;
    metadata = await startService({
      'PUT /latest/api/token': 'token',
      [meta('instance-id')]: 'i-0abc',
      [meta('placement/region')]: 'eu-west-1',
      [meta('services/domain')]: 'amazonaws.com',
      [meta('tags/instance/aws:autoscaling:groupName')]: 'builds',
      [meta('iam/security-credentials/')]: 'workers',
      [meta('iam/security-credentials/workers')]: roleCredentials,
      [meta('autoscaling/target-lifecycle-state')]: 'InService',
    });
    api = await startService({
      'POST /': ({ body }, response) => {
        void (async () => {
          const state = going === undefined ? undefined : (await plane.run(going.stack, going.run)).state;
          const protect = new URLSearchParams(body).get('ProtectedFromScaleIn');
          calls.push({ action: [actionOf(body), protect].filter(Boolean).join(' '), state });
          response.end(lifecycleCompleted);
        })();
      },
    });
    return () => Promise.all([metadata.close(), api.close()]);
  });

  async function withRun(command: string): Promise<TestLauncher> {
    const launcher = await plane.startLauncher({
      POOLWRIGHT_CLOUD: 'aws',
      POOLWRIGHT_LIFECYCLE_HOOK: 'finish-run',
      POOLWRIGHT_METADATA_ENDPOINT: metadata.url,
      POOLWRIGHT_CLOUD_ENDPOINT: api.url,
    });
    await plane.idle(1);
    const triggered = await plane.triggerRun({ planCommands: [command] }, { runType: 'PROPOSED' });
    going = triggered;
    await until(
      async () =>
        (await logOf(plane, triggered.stack, triggered.run, 'PLANNING').catch(() => '')).includes('begun'),
      'the first line',
      20_000,
    );
    return launcher;
  }

  it('finishes its run when the group takes it out, and completes the hook after that', async () => {
    const launcher = await withRun('echo begun; sleep 7; echo ended');
    expect(calls.map(({ action }) => action)).toEqual(['SetInstanceProtection true']);
    expect(['READY', 'PREPARING']).toContain(calls[0]!.state);
    metadata.replies.set(meta('autoscaling/target-lifecycle-state'), 'Terminated');
    await until(
      () => calls.some(({ action }) => action === 'RecordLifecycleActionHeartbeat'),
      'a heartbeat for the hook',
      20_000,
    );
    expect(await launcher.ended).toBe(0);
    expect(await logOf(plane, going!.stack, going!.run, 'PLANNING')).toContain('ended');
    const after = calls.slice(2);
    expect(after.map(({ action }) => action).sort()).toEqual([
      'CompleteLifecycleAction',
      'SetInstanceProtection false',
    ]);
    expect(after.map(({ state }) => state)).toEqual(['FINISHED', 'FINISHED']);
  });

  it('stops its run with the true cause when a spot instance has no time left, and delivers the log', async () => {
    const launcher = await withRun('echo begun; sleep 60; echo never');
    metadata.replies.set(
      meta('spot/instance-action'),
      JSON.stringify({ action: 'terminate', time: new Date(Date.now() + 4_000).toISOString() }),
    );
    expect(await launcher.ended).toBe(0);
    const done = await plane.reached(going!.stack, going!.run, 'FAILED');
    expect(done.failure).toMatchObject({
      code: 'MACHINE_TERMINATED',
      message: expect.stringMatching(
        /^The run was ended because EC2 takes this spot instance back/,
      ) as string,
    });
    expect(await logOf(plane, going!.stack, going!.run, 'PLANNING')).toMatch(
      /begun\n(Terminated\n)?The run was ended because EC2/,
    );
  });

  it('works on when it may not protect itself', async () => {
    api.replies.set('POST /', {
      status: 403,
      text: '<Error><Code>AccessDenied</Code><Message>no</Message></Error>',
    });
    const launcher = await withRun('echo begun');
    await plane.reached(going!.stack, going!.run, 'FINISHED');
    expect(launcher.output()).toContain(
      'This machine is not protected from scale-in while its run goes on: SetInstanceProtection: AccessDenied: no',
    );
    launcher.process.kill('SIGTERM');
    expect(await launcher.ended).toBe(0);
  });

  it('ends in order however many signals come while it does', async () => {
    const launcher = await plane.startLauncher();
    await plane.idle(1);
    const again = setInterval(() => launcher.process.kill('SIGTERM'), 1);
    expect(
      await launcher.ended.finally(() => {
        clearInterval(again);
      }),
    ).toBe(0);
  });

  it('says on the loopback address how it is', async () => {
    const port = await freePort();
    const launcher = await plane.startLauncher({ POOLWRIGHT_HEALTH_PORT: String(port) });
    await plane.idle(1);
    const answer = await fetch(`http://127.0.0.1:${String(port)}/health`);
    expect(answer.status).toBe(200);
    expect(await answer.json()).toMatchObject({ healthy: true, connected: true, busy: false });
    launcher.process.kill('SIGTERM');
    expect(await launcher.ended).toBe(0);
  });
});

describe('a launcher that cannot connect', () => {
  it('ends by itself with exit code 3 and the cause', async () => {
    const pool = await makePool();
    const launcher = launchLauncher({
      ...pool.environment(await freePort()),
      POOLWRIGHT_STATE_DIR: await temporaryFolder(),
      POOLWRIGHT_EXECUTOR: 'host',
      POOLWRIGHT_DISCONNECTED_TIMEOUT: '2s',
    });
    expect(await launcher.ended).toBe(3);
    expect(launcher.output()).toMatch(
      /launcher \(NOT_CONNECTED\): The launcher was not connected for \d+ s and has no run.*The last reason: /,
    );
  });
});

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

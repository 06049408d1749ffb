// What a pool goes through in its life: credentials that change, an API server that has too much to do or forgets, a wrong
// clock, many runs, policies, pods that are kept for a time. The namespace enforces the restricted Pod Security profile.
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { startGitServer } from '../launcher/support/git-server.js';
import { until } from '../launcher/support/until.js';
import { logOf } from '../support/control-plane.js';
import { hasRunnerImage } from '../support/runner-image.js';
import { temporaryFolder } from '../support/temporary.js';
import { hasApiServer } from './support/api-server.js';
import { startCluster, type Cluster } from './support/cluster.js';
import { disturbedWay, type DisturbedWay } from './support/disturbed-way.js';
import { actPods } from './support/acted-pods.js';
import { createClient, type TestPod } from './support/client.js';
import { expected, places, settings } from './support/every-setting.js';
import type { Fate } from './support/kubelet.js';
import { mixedEndings, type Ending } from './support/mixed-endings.js';

const there = hasApiServer('life of a pool') && hasRunnerImage('life of a pool');
const ahead = fileURLToPath(new URL('support/five-minutes-ahead.cjs', import.meta.url));

/** A pod whose init container fails right away. */
const fails: Fate = (pod, node) =>
  node.setStatus(pod, {
    phase: 'Failed',
    initContainerStatuses: [
      {
        name: 'init',
        image: 'x',
        imageID: '',
        ready: false,
        restartCount: 0,
        state: { terminated: { exitCode: 9, reason: 'Error' } },
      },
    ],
  });

describe.runIf(there)('a pool on Kubernetes', { timeout: 120_000 }, () => {
  let cluster: Cluster;
  let way: DisturbedWay;
  beforeAll(async () => {
    cluster = await startCluster([
      ...['--confirm-timeout=500ms', '--sync-period=1s'],
      ...['--start-timeout=500ms', '--begin-timeout=10s'],
    ]);
    way = await disturbedWay(cluster.server);
    await cluster.server.kubectl([
      ...['label', 'namespace', 'default', 'pod-security.kubernetes.io/enforce=restricted'],
    ]);
    await cluster.startController();
    await cluster.createPool('life', 1, { pod: { terminationGracePeriodSeconds: 1 } });
  }, 180_000);
  afterAll(async () => {
    await cluster.close();
    await way.close();
  });
  beforeEach(async () => {
    cluster.kubelet.fate = () => 'run';
    way.tooManyOf = 0;
    if (cluster.controllers().length === 0) await cluster.startController();
    await cluster.scale('life', 1);
    await cluster.count('workers', 1);
    await cluster.plane.idle(1);
  }, 120_000);

  const patched = (spec: object, back: object) => {
    onTestFinished(() => cluster.patchPool('life', back));
    return cluster.patchPool('life', spec);
  };
  const podsOf = (run: string) => cluster.names('pods', '-l', `workers.spacelift.io/run-id=${run}`);

  test('asks the run initialization policy of the init container before anything is prepared', async () => {
    await cluster.apply({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'policy' },
      data: {
        'initialization-policy.rego':
          'package spacelift\n\ndeny["no secrets in commands"] { contains(input.stack.commands.plan[_], "secret") }\n',
      },
    });
    const folder = '/opt/spacelift/policies/initialization';
    await patched(
      {
        pod: {
          volumes: [{ name: 'initialization-policy', configMap: { name: 'policy' } }],
          initContainer: {
            volumeMounts: [{ name: 'initialization-policy', mountPath: folder, readOnly: true }],
            env: [
              {
                name: 'SPACELIFT_LAUNCHER_RUN_INITIALIZATION_POLICY',
                value: `${folder}/initialization-policy.rego`,
              },
            ],
          },
        },
      },
      { pod: { volumes: null, initContainer: null } },
    );
    const denied = await cluster.triggerRun({ name: 'denied', planCommands: ['cat secret'] });
    const allowed = await cluster.triggerRun({ name: 'allowed', planCommands: ['echo fine'] });
    const run = await cluster.reached(denied, 'FAILED');
    expect(run.history.map(({ note }) => note ?? '').join()).toMatch(
      /denies the run:\s+no secrets in commands/,
    );
    await cluster.reached(allowed, 'UNCONFIRMED');
  });

  test('has its init container fetch from where that finds a VCS agent pool', async () => {
    const git = await startGitServer(await temporaryFolder());
    onTestFinished(() => git.close());
    const env = [
      { name: 'SPACELIFT_PRIVATEVCS_MAPPING_NAME_0', value: 'gitlab-pool' },
      {
        name: 'SPACELIFT_PRIVATEVCS_MAPPING_BASE_ENDPOINT_0',
        value: `http://127.0.0.1:${String(git.port)}`,
      },
    ];
    await patched({ pod: { initContainer: { env } } }, { pod: { initContainer: null } });
    const made = await cluster.triggerRun({
      name: 'mapped',
      repository: 'private://gitlab-pool/repository.git',
      branch: 'main',
      planCommands: ['cat greeting'],
    });
    await cluster.logHas(made, 'PLANNING', 'hello from the repository');
    await cluster.reached(made, 'UNCONFIRMED');
    expect(git.asked).toContain('/repository.git/info/refs');
  });

  test.each([
    ['SPACELIFT_LAUNCHER_RUN_TIMEOUT', '8s', 'RUN_TIMED_OUT', 'while :; do echo on; sleep 0.2; done'],
    ['SPACELIFT_LAUNCHER_LOGS_TIMEOUT', '3s', 'RUN_SILENT', 'sleep 90'],
  ])('ends runs by the %s of its worker container', async (name, value, code, command) => {
    await patched(
      { pod: { workerContainer: { env: [{ name, value }] } } },
      { pod: { workerContainer: null } },
    );
    const made = await cluster.triggerRun({ name: 'limited', planCommands: [command] });
    const { failure, history } = await cluster.reached(made, 'FAILED', 'UNCONFIRMED');
    expect(failure).toMatchObject({ code });
    expect(failure?.message).toContain(name);
    expect(history.map(({ state }) => state)).toContain('PLANNING');
  });

  test('has run pods with every setting that it names', async () => {
    await cluster.apply({
      apiVersion: 'node.k8s.io/v1',
      kind: 'RuntimeClass',
      metadata: { name: settings.runtimeClassName },
      handler: 'runsc',
    });
    let seen: TestPod | undefined;
    cluster.kubelet.fate = (pod) => {
      seen = pod;
      return fails;
    };
    const none = Object.fromEntries(Object.keys(settings).map((name) => [name, null]));
    await patched({ pod: settings }, { pod: { ...none, terminationGracePeriodSeconds: 1 } });
    const made = await cluster.triggerRun({ name: 'settings', runnerImage: null, planCommands: ['true'] });
    await cluster.reached(made, 'FAILED');
    expect(seen).toMatchObject(expected);
    for (const place of [places.workspace, places.binariesCache]) {
      expect(seen?.spec).toMatchObject({
        initContainers: [{}, place],
        containers: [place, place, {}],
      });
    }
  });

  test('gives runs its own programs first, and ends what runs beside a run with it', async () => {
    await patched(
      {
        pod: {
          customBinariesPath: '/opt/custom/bin',
          additionalSidecarContainers: [
            {
              name: 'beside',
              image: 'registry.test/runner:1',
              command: ['/bin/sh', '-c', 'trap "exit 0" TERM; while :; do sleep 0.1; done'],
              securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
            },
          ],
        },
        successfulPodsHistoryLimit: 1,
      },
      {
        pod: { customBinariesPath: null, additionalSidecarContainers: null },
        successfulPodsHistoryLimit: null,
      },
    );
    const made = await cluster.triggerRun({ name: 'beside', planCommands: ['echo $PATH'] });
    await cluster.reached(made, 'UNCONFIRMED');
    expect(await logOf(cluster.plane, made.stack, made.run, 'PLANNING')).toMatch(/^\/opt\/custom\/bin:/m);
    const [pod = ''] = await podsOf(made.run);
    const engineName = `poolwright-${pod.replace('pod/', '')}-beside`;
    await until(
      () =>
        !execFileSync('docker', ['ps', '--format', '{{.Names}}'], { encoding: 'utf8' }).includes(engineName),
      'the container beside the run to be ended',
      20_000,
    );
    expect(await podsOf(made.run)).toHaveLength(1);
  });

  test('keeps the pod of a run that came through as one that succeeded', async () => {
    await patched({ successfulPodsHistoryLimit: 1 }, { successfulPodsHistoryLimit: null });
    const made = await cluster.triggerRun({ name: 'succeeds', planCommands: ['echo fine'] });
    await cluster.reached(made, 'UNCONFIRMED');
    await cluster.noRunSecrets();
    const [pod = ''] = await podsOf(made.run);
    const outcome = 'metadata.annotations.workers\\.spacelift\\.io/outcome';
    const paths = ['status.phase', outcome, 'spec.activeDeadlineSeconds'].map((path) => `{.${path}}`);
    const look = () => cluster.server.kubectl(['get', pod, '-o', `jsonpath=${paths.join(' ')}`]);
    await until(async () => (await look()).startsWith('Succeeded'), 'the pod to end', 20_000);
    expect(await look()).toBe('Succeeded finished 4200');
  });

  test('prints the logs of runs on standard output where the worker asks for it, masked, and only there', async () => {
    const planCommands = ['echo "says hidden-value"; exit 3'];
    const printed = async (name: string) => {
      const made = await cluster.triggerRun({ name, planCommands });
      await cluster.reached(made, 'FAILED');
      const pod = `${made.run.toLowerCase()}-preparing-1`;
      const records = ['init', 'launcher-grpc'].map((container) =>
        cluster.kubelet
          .logs(pod, container)
          .split('\n')
          .filter((line) => line.includes('"run_ulid"'))
          .map((line) => JSON.parse(line) as { run_ulid: string; stack_id: string; ts: number; msg: string }),
      );
      return { ...made, records };
    };
    const env = [
      { name: 'SPACELIFT_RUN_LOGS_ON_STANDARD_OUTPUT_ENABLED', value: 'true' },
      { name: 'SPACELIFT_MASK_ENVS', value: 'HIDDEN' },
      { name: 'HIDDEN', value: 'hidden-value' },
    ];
    await patched({ pod: { workerContainer: { env } } }, { pod: { workerContainer: null } });
    const { run, stack, records } = await printed('printed');
    for (const of of records) {
      expect(of.length).toBeGreaterThan(0);
      for (const record of of)
        expect(record).toEqual({
          run_ulid: run,
          stack_id: stack,
          ts: expect.any(Number) as number,
          msg: record.msg,
        });
    }
    const [init = [], server = []] = records.map((of) => of.map(({ msg }) => msg));
    expect(init.join('\n')).toContain('prepares the run');
    expect(server).toContainEqual(expect.stringMatching(/^says \*+$/));
    expect(server.join('\n')).toContain('exit code 3');
    await cluster.patchPool('life', { pod: { workerContainer: null } });
    expect((await printed('silent')).records).toEqual([[], []]);
  });

  test('keeps as many pods of failed runs as it says, and for as long', async () => {
    cluster.kubelet.fate = () => fails;
    // A time alone counts none, and no limit and no time keeps five.
    await patched(
      { failedPodsHistoryTTL: '1h' },
      { failedPodsHistoryLimit: null, failedPodsHistoryTTL: null },
    );
    for (let count = 0; count < 6; count += 1) {
      const made = await cluster.triggerRun({ name: 'kept', planCommands: ['true'] });
      await cluster.reached(made, 'FAILED');
    }
    await cluster.noRunSecrets();
    const failed = () => cluster.names('pods', '--field-selector', 'status.phase=Failed');
    expect((await failed()).length).toBeGreaterThanOrEqual(6);
    for (const [spec, left] of [
      [{ failedPodsHistoryTTL: null }, 5],
      [{ failedPodsHistoryLimit: 2 }, 2],
    ] as const) {
      await cluster.patchPool('life', spec);
      await until(async () => (await failed()).length === left, `${String(left)} pods to be kept`, 20_000);
    }
    await cluster.patchPool('life', { failedPodsHistoryTTL: '1s' });
    await until(async () => (await failed()).length === 0, 'the pods to be gone after their time', 20_000);
  });

  test('has its workers connect again when its credentials change', async () => {
    await cluster.rotate('life');
    await until(
      async () =>
        (await cluster.server.kubectl(['describe', 'workerpool', 'life'])).includes('CredentialsChanged'),
      'an event',
      20_000,
    );
    await cluster.plane.idle(1);
    expect(await cluster.events()).toContain('Worker WorkerDisconnected');
    const made = await cluster.triggerRun({ name: 'after rotation', planCommands: ['true'] });
    await cluster.reached(made, 'UNCONFIRMED');
  });

  test('works on while the API server has too much to do, and after it has forgotten its watches', async () => {
    await cluster.kill(cluster.controllers());
    onTestFinished(() => cluster.kill(cluster.controllers()));
    way.tooManyOf = 6;
    await cluster.startController({ kubeconfig: way.kubeconfig });
    await cluster.plane.idle(1);
    const busy = await cluster.triggerRun({ name: 'too many', planCommands: ['true'] });
    await cluster.reached(busy, 'UNCONFIRMED');
    await cluster.noRunSecrets();
    expect(way.refused()).toBeGreaterThan(0);
    way.tooManyOf = 0;
    expect(way.expireWatches()).toBe(4);
    await cluster.scale('life', 2);
    await cluster.count('workers', 2);
    expect(way.expired()).toBe(4);
    const made = await cluster.triggerRun({ name: 'forgotten', planCommands: ['true'] });
    await cluster.reached(made, 'UNCONFIRMED');
  });

  test('works with a controller whose clock is five minutes ahead', async () => {
    await cluster.kill(cluster.controllers());
    onTestFinished(() => cluster.kill(cluster.controllers()));
    await cluster.startController({ environment: { NODE_OPTIONS: `--require ${ahead}` } });
    await cluster.plane.idle(1);
    const made = await cluster.triggerRun({ name: 'ahead', planCommands: ['echo fine'] });
    await cluster.reached(made, 'UNCONFIRMED');
    await cluster.noRunSecrets();
  });

  test('ends its run in order although pool and Secret were deleted while no controller was there', async () => {
    // In the pool that the control plane gives to all workers here, so that this one has the run.
    await cluster.scale('life', 0);
    await cluster.count('workers', 0);
    const name = `left-${String(Date.now())}`;
    await cluster.createPool(name, 1, {});
    const made = await cluster.triggerRun({ name: 'left', planCommands: ['echo up; sleep 5; echo done'] });
    await cluster.logHas(made, 'PLANNING', 'up');
    await cluster.kill(cluster.controllers());
    await cluster.server.kubectl(['delete', 'workerpool', name, '--wait=false']);
    await cluster.server.kubectl(['delete', 'secret', name]);
    await cluster.startController();
    await cluster.reached(made, 'UNCONFIRMED');
    expect(await logOf(cluster.plane, made.stack, made.run, 'PLANNING')).toMatch(/^up\ndone\n/);
    await cluster.count('workers', 0);
    await until(
      async () => !(await cluster.names('workerpools')).some((path) => path.endsWith(`/${name}`)),
      'the pool to be gone',
      20_000,
    );
    await cluster.noRunSecrets();
  });

  test(
    'takes a hundred runs at once to their ends, which are all that there are, each told once',
    { timeout: 240_000 },
    async () => {
      const acted = actPods(createClient(cluster.server));
      const endings = mixedEndings(acted);
      /** By ULID of the run in small letters: dealt out when its first pod comes. */
      const dealt = new Map<string, Ending>();
      cluster.kubelet.fate = ({ metadata: { name } }) => {
        const run = name.slice(0, 26);
        if (dealt.has(run)) return acted.fate;
        const ending = endings[dealt.size % endings.length];
        if (ending === undefined) throw new Error('there are no endings');
        dealt.set(run, ending);
        return ending.fate;
      };
      // All are there before the first worker takes one: making them keeps the control plane busy.
      await cluster.scale('life', 0);
      await cluster.count('workers', 0);
      const made = await Promise.all(
        Array.from({ length: 100 }, () => cluster.triggerRun({ name: 'many' }, { runType: 'PROPOSED' })),
      );
      await cluster.scale('life', 30);
      for (const one of made) {
        const run = await cluster.reached(one, 'FINISHED', 'FAILED');
        const { state, cause } = dealt.get(one.run.toLowerCase()) ?? {};
        const notes = run.history.map(({ note }) => note ?? '');
        expect(run.state, notes.join('; ')).toBe(state);
        const told = notes.filter((note) => cause?.test(note) === true);
        expect(told, notes.join('; ')).toHaveLength(cause === null ? 0 : 1);
        expect(run.history.filter(({ terminal }) => terminal)).toHaveLength(1);
      }
      await cluster.noRunSecrets();
      await cluster.count('pods', 5);
    },
  );
});

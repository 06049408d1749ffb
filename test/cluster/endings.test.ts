// Every way in which the pod of a run ends, as a node would tell it: the run's log says what happened, the worker returns.
// Controllers are killed, the API server goes away, workers and pools are deleted, all in mid-run.
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import type { RunWithHistory } from '../../control-plane/cli/api/runs.js';
import { until } from '../launcher/support/until.js';
import { logOf } from '../support/control-plane.js';
import { hasRunnerImage } from '../support/runner-image.js';
import { actPods } from './support/acted-pods.js';
import { hasApiServer } from './support/api-server.js';
import { createClient } from './support/client.js';
import { startCluster, type Cluster } from './support/cluster.js';
import type { Fate } from './support/kubelet.js';

const there = hasApiServer('endings of run pods') && hasRunnerImage('endings of run pods');

const waiting = (name: string, reason: string, message: string) => ({
  name,
  image: 'registry.test/x:1',
  imageID: '',
  ready: false,
  restartCount: 0,
  state: { waiting: { reason, message } },
});
const ended = (name: string, exitCode: number, reason: string) => ({
  name,
  image: 'registry.test/x:1',
  imageID: '',
  ready: false,
  restartCount: 0,
  state: { terminated: { exitCode, reason } },
});
const running = (name: string) => ({
  name,
  image: 'registry.test/x:1',
  imageID: '',
  ready: true,
  restartCount: 0,
  state: { running: { startedAt: '2026-01-01T00:00:00Z' } },
});
const initDone = [ended('init', 0, 'Completed')];
const preempted = {
  type: 'DisruptionTarget',
  status: 'True',
  reason: 'PreemptionByScheduler',
  message: 'default-scheduler: preempting to accommodate a higher priority pod',
};
const unplaced = {
  phase: 'Pending',
  conditions: [
    {
      type: 'PodScheduled',
      status: 'False',
      reason: 'Unschedulable',
      message: '0/3 nodes are available: 3 Insufficient cpu.',
    },
  ],
};

/** All that the history says. */
const notesOf = (run: RunWithHistory) => run.history.map(({ note }) => note ?? '').join('\n');

describe.runIf(there)('a run whose pod', { timeout: 120_000 }, () => {
  let cluster: Cluster;
  let pools = 0;
  beforeAll(async () => {
    cluster = await startCluster([
      '--start-timeout=500ms',
      '--begin-notice=2s',
      '--begin-timeout=8s',
      '--create-timeout=20s',
      '--confirm-timeout=5s',
      '--leader-elect',
      '--leader-elect-lease-duration=3s',
      '--leader-elect-renew-deadline=2s',
      '--leader-elect-retry-period=500ms',
    ]);
    await cluster.startController();
    await cluster.createPool('endings', 1, { pod: { terminationGracePeriodSeconds: 1 } });
  }, 180_000);
  afterAll(() => cluster.close());
  // Whatever the test before has left, also when it failed.
  beforeEach(async () => {
    cluster.kubelet.fate = () => 'run';
    if (cluster.controllers().length === 0) await cluster.startController();
    if (!(await cluster.server.isReady())) await cluster.server.start();
    await cluster.scale('endings', 1);
    await cluster.count('workers', 1);
    await cluster.plane.idle(1);
  }, 120_000);

  const cases: readonly [string, Fate, RegExp][] = [
    [
      'has an image that cannot be pulled',
      async (pod, node) => {
        await node.event(pod, 'Failed', 'Failed to pull image: pull access denied');
        await node.setStatus(pod, {
          phase: 'Pending',
          initContainerStatuses: initDone,
          containerStatuses: [
            running('launcher-grpc'),
            waiting('worker', 'ImagePullBackOff', 'Back-off pulling image'),
          ],
        });
      },
      /container worker cannot be started from the image .*ImagePullBackOff.*Back-off pulling image.*pull access denied/,
    ],
    [
      'has an image name that is none',
      (pod, node) =>
        node.setStatus(pod, {
          phase: 'Pending',
          initContainerStatuses: initDone,
          containerStatuses: [waiting('worker', 'InvalidImageName', 'invalid reference format')],
        }),
      /InvalidImageName.*invalid reference format/,
    ],
    [
      'has an init container whose memory ran out',
      (pod, node) =>
        node.setStatus(pod, { phase: 'Failed', initContainerStatuses: [ended('init', 137, 'OOMKilled')] }),
      /container init was ended by the kernel because its memory ran out \(OOMKilled, exit code 137\).*spec\.pod\.initContainer\.resources/,
    ],
    [
      'has a worker whose memory ran out',
      (pod, node) =>
        node.setStatus(pod, {
          phase: 'Failed',
          initContainerStatuses: initDone,
          containerStatuses: [ended('launcher-grpc', 3, 'Error'), ended('worker', 137, 'OOMKilled')],
        }),
      /container worker was ended by the kernel.*workerContainer/,
    ],
    [
      'runs past its deadline',
      (pod, node) =>
        node.setStatus(pod, { phase: 'Failed', reason: 'DeadlineExceeded', message: 'too long' }),
      /ran longer than spec\.pod\.activeDeadlineSeconds \(4200 s\)/,
    ],
    [
      'is taken by no node',
      { unplaced: (pod, node) => node.setStatus(pod, unplaced) },
      /has not started within 8 s: no node takes it \(Unschedulable\): 0\/3 nodes are available: 3 Insufficient cpu/,
    ],
    [
      'has a volume that is not there',
      async (pod, node) => {
        await node.event(pod, 'FailedMount', 'MountVolume.SetUp failed: secret "settings" not found');
        await node.setStatus(pod, {
          phase: 'Pending',
          initContainerStatuses: [waiting('init', 'PodInitializing', '')],
          containerStatuses: [
            waiting('launcher-grpc', 'PodInitializing', ''),
            waiting('worker', 'PodInitializing', ''),
          ],
        });
      },
      /has not started within 8 s: its node node-1 has not started its container init.*FailedMount: .*secret "settings" not found/,
    ],
    [
      'has a custom init container that fails',
      (pod, node) =>
        node.setStatus(pod, { phase: 'Failed', initContainerStatuses: [ended('fetch-tools', 4, 'Error')] }),
      /container fetch-tools ended with exit code 4 \(Error\)/,
    ],
  ];
  test.each(cases)('%s: fails, and its log says why', async (name, fate, message) => {
    cluster.kubelet.fate = () => fate;
    const made = await cluster.triggerRun({ name, planCommands: ['true'] });
    const run = await cluster.reached(made, 'FAILED');
    expect(notesOf(run)).toMatch(message);
    const log = ['PREPARING', 'INITIALIZING'].map((state) =>
      logOf(cluster.plane, made.stack, made.run, state),
    );
    expect((await Promise.all(log)).join('')).toMatch(message);
    await cluster.noRunSecrets();
  });

  const elsewhere: readonly [string, Fate, RegExp][] = [
    [
      'is evicted',
      (pod, node) =>
        node.setStatus(pod, {
          phase: 'Failed',
          reason: 'Evicted',
          message: 'The node was low on resource: memory.',
        }),
      /evicted: The node was low on resource: memory/,
    ],
    [
      'is on a node that is drained',
      (pod, node) =>
        node.setStatus(pod, {
          phase: 'Failed',
          conditions: [
            {
              type: 'DisruptionTarget',
              status: 'True',
              reason: 'EvictionByEvictionAPI',
              message: 'Eviction API: evicting',
            },
          ],
        }),
      /EvictionByEvictionAPI/,
    ],
    [
      'is preempted',
      (pod, node) => node.setStatus(pod, { phase: 'Failed', conditions: [preempted] }),
      /ended by the cluster \(PreemptionByScheduler\): default-scheduler: preempting to accommodate a higher priority pod/,
    ],
    [
      'is on a node that does not answer any more',
      async (pod, node) => {
        await node.setStatus(pod, { phase: 'Pending' });
        await node.remove(pod);
      },
      /its node node-1 does not answer any more/,
    ],
    [
      'is taken from a node that is gone',
      async (pod, node) => {
        const taint = { type: 'DisruptionTarget', status: 'True', reason: 'DeletionByTaintManager' };
        await node.setStatus(pod, {
          phase: 'Pending',
          conditions: [{ ...taint, message: 'Taint manager: deleting' }],
        });
        await node.remove(pod);
      },
      /ended by the cluster \(DeletionByTaintManager\): Taint manager: deleting/,
    ],
    [
      'is lost with its node',
      async (pod, node) => {
        await node.setStatus(pod, { phase: 'Unknown', reason: 'NodeLost' });
        await node.remove(pod);
      },
      /its node node-1 does not answer any more/,
    ],
    [
      'is removed by force',
      async (pod, node) => {
        await node.setStatus(pod, { phase: 'Pending' });
        await node.confirm(pod);
      },
      /it was removed by force: its node node-1 was not asked/,
    ],
  ];
  test.each(elsewhere)('%s before it began: is tried again', async (name, fate, message) => {
    const [, second] = cases.find(([what]) => what === 'has a custom init container that fails') ?? [];
    cluster.kubelet.fate = ({ metadata }) => (metadata.name.endsWith('-1') ? fate : (second ?? 'run'));
    const made = await cluster.triggerRun({ name, planCommands: ['true'] });
    const run = await cluster.reached(made, 'FAILED');
    const notes = notesOf(run);
    expect(notes).toMatch(message);
    expect(notes).toMatch(/Pod default\/\S+-preparing-2: the container fetch-tools ended with exit code 4/);
    const pods = cluster.kubelet.seen.filter((pod) => pod.startsWith(made.run.toLowerCase()));
    expect(pods.map((pod) => pod.slice(27))).toEqual(['preparing-1', 'preparing-2']);
    await cluster.noRunSecrets();
  });

  test('is evicted before it began: comes through in the next one', async () => {
    const [, fate] = elsewhere.find(([what]) => what === 'is evicted') ?? [];
    cluster.kubelet.fate = ({ metadata }) => (metadata.name.endsWith('-1') ? (fate ?? 'run') : 'run');
    const made = await cluster.triggerRun({ name: 'comes through', planCommands: ['echo came through'] });
    await cluster.reached(made, 'UNCONFIRMED');
    expect(await logOf(cluster.plane, made.stack, made.run, 'PLANNING')).toContain('came through');
  });

  test('waits for a node: its log says why, and it comes through when there is one', async () => {
    let place: () => void = () => undefined;
    const placed = new Promise<void>((resolve) => (place = resolve));
    cluster.kubelet.fate = () => ({
      async unplaced(pod, node) {
        await node.setStatus(pod, unplaced);
        await placed;
        await node.run(pod);
      },
    });
    const made = await cluster.triggerRun({ name: 'waits for a node', planCommands: ['echo came through'] });
    await cluster.logHas(
      made,
      'PREPARING',
      'has not started yet: no node takes it (Unschedulable): 0/3 nodes',
    );
    place();
    await cluster.reached(made, 'UNCONFIRMED');
    expect(await logOf(cluster.plane, made.stack, made.run, 'PLANNING')).toContain('came through');
    expect(await cluster.events()).toContain('Worker RunPodNotStarted');
  });

  test('cannot be made for a full quota waits, says so, and goes on when there is room', async () => {
    const quota = {
      apiVersion: 'v1',
      kind: 'ResourceQuota',
      metadata: { name: 'full' },
      spec: { hard: { pods: '0' } },
    };
    await cluster.apply(quota);
    // Nobody counts here, so the quota's use is written by hand.
    await cluster.server.kubectl([
      'patch',
      'resourcequota',
      'full',
      '--subresource=status',
      '--type=merge',
      '-p',
      JSON.stringify({ status: { hard: { pods: '0' }, used: { pods: '0' } } }),
    ]);
    const made = await cluster.triggerRun({ name: 'quota', planCommands: ['true'] });
    await until(
      async () => (await logOf(cluster.plane, made.stack, made.run, 'PREPARING')).includes('exceeded quota'),
      'the log to say that the quota is full',
      20_000,
    );
    await cluster.server.kubectl(['delete', 'resourcequota', 'full']);
    await cluster.reached(made, 'UNCONFIRMED');
  });

  test('asks for an image of a registry that the pool does not allow: fails before there is a pod', async () => {
    onTestFinished(() => cluster.patchPool('endings', { allowedRunnerImageHosts: null }));
    await cluster.patchPool('endings', { allowedRunnerImageHosts: ['allowed.test'] });
    const made = await cluster.triggerRun({ name: 'refused', planCommands: ['true'] });
    const run = await cluster.reached(made, 'FAILED');
    expect(notesOf(run)).toMatch(/allows runner images of allowed\.test only.*registry\.test\/runner:1/);
    expect(cluster.kubelet.seen.some((name) => name.startsWith(made.run.toLowerCase()))).toBe(false);
  });

  test('is stopped by a person: ends in order, as stopped', async () => {
    const made = await cluster.triggerRun({
      name: 'stopped',
      planCommands: [
        'trap "echo last words; exit 1" TERM; echo started; while :; do sleep 0.1 || true; done',
      ],
    });
    await cluster.logHas(made, 'PLANNING', 'started');
    await cluster.stop(made);
    await cluster.reached(made, 'STOPPED');
    expect(await logOf(cluster.plane, made.stack, made.run, 'PLANNING')).toContain('last words');
  });

  test('is deleted in mid-run: fails, with what was printed until then', async () => {
    const made = await cluster.triggerRun({
      name: 'deleted',
      planCommands: ['echo before the end; while :; do sleep 0.1; done'],
    });
    await cluster.logHas(made, 'PLANNING', 'before the end');
    await cluster.server.kubectl([
      ...['delete', 'pods', '--wait=false', '-l', `workers.spacelift.io/run-id=${made.run}`],
    ]);
    const run = await cluster.reached(made, 'FAILED');
    expect(notesOf(run)).toMatch(/Pod default\/.*it was deleted/);
  });

  const inMidRun = [
    ['is on a node that is gone', { answers: false }, /its node node-1 does not answer any more/],
    [
      'is preempted',
      { answers: true, conditions: [preempted] },
      /\(PreemptionByScheduler\): default-scheduler/,
    ],
  ] as const;
  test.each(inMidRun)('%s in mid-run: fails, and is not run twice', async (name, how, message) => {
    const pods = actPods(createClient(cluster.server));
    cluster.kubelet.fate = () => pods.deletedInMidRun(how);
    const made = await cluster.triggerRun({ name });
    const run = await cluster.reached(made, 'FAILED');
    expect(notesOf(run)).toMatch(message);
    const log = ['PREPARING', 'INITIALIZING'].map((state) =>
      logOf(cluster.plane, made.stack, made.run, state),
    );
    expect((await Promise.all(log)).join('')).toMatch(message);
    expect(pods.seen('default')).toHaveLength(1);
    await cluster.noRunSecrets();
  });

  test('goes on while the controller is killed and another one takes over', async () => {
    const made = await cluster.triggerRun({
      name: 'killed controller',
      planCommands: ['for i in 1 2 3 4 5 6 7 8; do echo "line $i"; sleep 1; done'],
    });
    await cluster.logHas(made, 'PLANNING', 'line 2');
    const former = cluster.controllers();
    await cluster.startController();
    await cluster.kill(former);
    await cluster.logHas(made, 'PLANNING', 'line 5');
    await cluster.reached(made, 'UNCONFIRMED');
    expect(await cluster.events()).toContain('Worker RunResumed');
    const log = await logOf(cluster.plane, made.stack, made.run, 'PLANNING');
    expect(log.match(/^line \d+$/gm)).toEqual(Array.from({ length: 8 }, (_, i) => `line ${String(i + 1)}`));
    await cluster.noRunSecrets();
  });

  test('goes on while the API server is away, and one that comes meanwhile waits for it and says so', async () => {
    await cluster.scale('endings', 2);
    await cluster.plane.idle(2);
    const made = await cluster.triggerRun({
      name: 'no API server',
      planCommands: ['echo up; sleep 4; echo still'],
    });
    await cluster.logHas(made, 'PLANNING', 'up');
    await cluster.server.stop();
    await until(() => /Watching .* failed/.test(cluster.said()), 'the controller to notice');
    const later = await cluster.triggerRun({ name: 'waits', planCommands: ['true'] });
    await cluster.logHas(made, 'PLANNING', 'still');
    expect(await cluster.whyItWaits(later)).toMatch(/the API server of its cluster does not answer/);
    await cluster.server.start();
    await cluster.reached(made, 'UNCONFIRMED');
    const run = await cluster.reached(later, 'UNCONFIRMED');
    expect(run.history.filter(({ state }) => state === 'QUEUED')).toHaveLength(1);
    await cluster.noRunSecrets();
  });

  test('is of a worker that is scaled away: is finished first', async () => {
    await cluster.scale('endings', 3);
    await cluster.plane.idle(3);
    const made = await cluster.triggerRun({ name: 'scaled', planCommands: ['echo up; sleep 4; echo done'] });
    await cluster.logHas(made, 'PLANNING', 'up');
    expect(await cluster.server.kubectl(['get', 'workers'])).toMatch(
      new RegExp(`^endings-\\w+ +endings +true +BUSY +${made.run}`, 'm'),
    );
    await cluster.scale('endings', 0);
    await cluster.count('workers', 1);
    await cluster.reached(made, 'UNCONFIRMED');
    await cluster.count('workers', 0);
  });

  test('is of a pool that is deleted: is finished first', async () => {
    const name = `short-${String((pools += 1))}`;
    await cluster.createPool(name, 1, {});
    await cluster.scale('endings', 0);
    await cluster.count('workers', 1);
    const made = await cluster.triggerRun({ name: 'pool', planCommands: ['echo up; sleep 3; echo done'] });
    await cluster.logHas(made, 'PLANNING', 'up');
    await cluster.server.kubectl(['delete', 'workerpool', name, '--wait=false']);
    await cluster.reached(made, 'UNCONFIRMED');
    await until(
      async () => !(await cluster.names('workerpools')).some((path) => path.endsWith(`/${name}`)),
      'the pool to be gone',
      20_000,
    );
  });
});

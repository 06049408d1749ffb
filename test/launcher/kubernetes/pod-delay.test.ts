// A pod that does not start: what it waits for, who is told of it, and when its run ends for that.
import { beforeAll, describe, expect, test } from 'vitest';
import { delayOf } from '../../../launcher/kubernetes/pod-delay.js';
import type { ContainerStatus, Pod } from '../../../launcher/kubernetes/objects.js';
import { makePool, type TestPool } from '../support/pool.js';
import { until } from '../support/until.js';
import { openRun } from './support/pod-run.js';
import { worker, type World } from './support/world.js';

const minute = 60_000;
const waiting = (name: string, reason: string, message?: string): ContainerStatus => ({
  name,
  state: { waiting: { reason, ...(message === undefined ? {} : { message }) } },
});
const running = (name: string): ContainerStatus => ({ name, state: { running: {} } });
const ended = (name: string): ContainerStatus => ({ name, state: { terminated: { exitCode: 0 } } });
const unplaced = (message: string, reason = 'Unschedulable') => ({
  phase: 'Pending',
  conditions: [{ type: 'PodScheduled', status: 'False', reason, message }],
});
const placed = { nodeName: 'node-1', schedulerName: 'default-scheduler' };

describe('a pod that has not started waits', () => {
  const creating = [waiting('launcher-grpc', 'PodInitializing'), waiting('worker', 'PodInitializing')];
  const table: Readonly<Record<string, readonly [Pod['spec'], Pod['status'], string]>> = {
    'for a node': [
      {},
      unplaced('0/3 nodes are available: 3 Insufficient cpu.'),
      'no node takes it (Unschedulable): 0/3 nodes are available: 3 Insufficient cpu.',
    ],
    'for somebody who lets it go': [
      {},
      unplaced('', 'SchedulingGated'),
      'no node takes it (SchedulingGated)',
    ],
    'for a scheduler that is not there': [
      { schedulerName: 'other' },
      { phase: 'Pending' },
      'the scheduler other has not looked at it',
    ],
    'for a node that is not there': [placed, { phase: 'Pending' }, 'its node node-1 has not begun with it'],
    'for its first container': [
      placed,
      { initContainerStatuses: [waiting('init', 'PodInitializing')], containerStatuses: creating },
      'its node node-1 has not started its container init (PodInitializing)',
    ],
    'for an init container of the pool': [
      placed,
      {
        initContainerStatuses: [ended('first'), running('second'), waiting('init', 'PodInitializing')],
        containerStatuses: creating,
      },
      'its init container second has not ended, and init comes after it',
    ],
    'for the container after init': [
      placed,
      { initContainerStatuses: [ended('init')], containerStatuses: creating },
      'its node node-1 has not started its container launcher-grpc (PodInitializing)',
    ],
    'for the image of the run': [
      placed,
      {
        initContainerStatuses: [ended('init')],
        containerStatuses: [running('launcher-grpc'), waiting('worker', 'ContainerCreating', 'on its way')],
      },
      'its node node-1 has not started its container worker (ContainerCreating): on its way',
    ],
  };
  test.each(Object.entries(table))('%s', (_, [spec = {}, status = {}, text]) => {
    const pod = { ...worker, spec, status };
    expect(delayOf(pod)?.text).toBe(text);
    const { metadata } = worker;
    expect(delayOf({ ...pod, metadata: { ...metadata, deletionTimestamp: 'now' } })).toBeUndefined();
  });

  const none: Readonly<Record<string, Pod['status']>> = {
    'its files are prepared': { initContainerStatuses: [running('init')], containerStatuses: creating },
    'all is there': {
      initContainerStatuses: [ended('init')],
      containerStatuses: [
        running('launcher-grpc'),
        running('worker'),
        waiting('sidecar', 'ContainerCreating'),
      ],
    },
  };
  test.each(Object.entries(none))('for nothing while %s', (_, status = {}) => {
    expect(delayOf({ ...worker, spec: placed, status })).toBeUndefined();
  });
});

describe('a run whose pod does not start', () => {
  let pool: TestPool;
  beforeAll(async () => {
    pool = await makePool();
  });

  async function start(how: Partial<World>, resumed = false) {
    const world = await openRun(pool, how, resumed);
    let over = false;
    void world.run.done.then(() => (over = true));
    return {
      ...world,
      over: () => over,
      /** A second at a time, with a look at the pod in each. */
      pass: async (milliseconds: number) => {
        for (let left = milliseconds; left > 0; left -= 1000) {
          world.clock.advance(1000);
          await new Promise((resolve) => setTimeout(resolve, 1));
        }
      },
    };
  }
  const made = ({ steps }: { readonly steps: readonly string[] }) =>
    until(() => steps.includes('create pods'), 'the pod');

  test('says so after half a minute, again when it is something else, and comes through all the same', async () => {
    const all = await start({ podStatus: unplaced('0/3 nodes are available: 3 Insufficient cpu.') });
    const { state, lines, noted, steps, pass, passing, over } = all;
    await made(all);
    await pass(25_000);
    expect(lines).toEqual([]);
    await passing(() => lines.length > 0, 'the first line');
    const what = 'no node takes it (Unschedulable): 0/3 nodes are available: 3 Insufficient cpu.';
    expect(lines).toEqual([`The pod of this run has not started yet: ${what}`]);
    expect(noted.filter((note) => note.startsWith('RunPodNotStarted'))).toEqual([
      expect.stringMatching(/pod \S+-preparing-1 has not started: no node takes it/) as string,
    ]);
    state.podStatus = unplaced('0/4 nodes are available: 4 Insufficient cpu.');
    await pass(3 * minute);
    expect(lines).toHaveLength(1);
    state.podStatus = unplaced('0/4 nodes are available: 4 node(s) did not match.');
    await passing(() => lines.length > 1, 'the second line');
    expect(lines[1]).toContain('did not match');
    expect(steps).not.toContain('look at events');
    state.podStatus = undefined;
    await passing(over, 'the end of the run');
    expect(lines[2]).toContain('ran longer than');
  });

  test('says what its node says: in few requests', async () => {
    const events = [{ type: 'Warning', reason: 'FailedMount', message: 'secret "settings" not found' }];
    const podStatus = { phase: 'Pending', initContainerStatuses: [waiting('init', 'PodInitializing')] };
    const all = await start({ podStatus, events, node: 'node-1' });
    const { lines, steps, pass, passing, state } = all;
    await made(all);
    await passing(() => lines.length > 0, 'the line');
    expect(lines[0]).toMatch(
      /has not started its container init.*FailedMount: secret .*settings.* not found/,
    );
    await pass(10 * minute);
    expect(lines).toHaveLength(1);
    expect(steps.filter((step) => step === 'look at events').length).toBeLessThan(15);
    state.podStatus = undefined;
  });

  test('fails after twenty minutes with that cause, and leaves nothing', async () => {
    const all = await start({ podStatus: unplaced('0/3 nodes are available: 3 Insufficient cpu.') });
    const { lines, pass, passing, over, results, there, steps } = all;
    await made(all);
    await passing(() => lines.length > 0, 'the line');
    await pass(19 * minute);
    expect(results).toEqual([]);
    expect(steps).not.toContain('remove pods');
    await pass(minute);
    await passing(over, 'the end of the run');
    expect(results).toEqual(['failed']);
    expect(steps).not.toContain('reject');
    expect(lines.at(-1)).toMatch(
      /^Pod ci\/\S+: it has not started within 20 min: no node takes it \(Unschedulable\)/,
    );
    expect([...there]).toEqual([]);
  });

  test('does not begin to wait anew with another controller, and is not ended by a wrong clock', async () => {
    const old = { ...worker.metadata, name: 'pod' };
    const podStatus = unplaced('no node');
    const all = await start({ podStatus, pod: { metadata: old } }, true);
    await all.pass(9 * minute);
    expect(all.results).toEqual([]);
    await all.passing(all.over, 'the end of the run');
    expect(all.lines.at(-1)).toContain('it has not started within 20 min');
    expect(all.clock.now() - Date.now()).toBeLessThan(12 * minute);
  });

  test('is not ended by what was last heard of it before the API server was away', async () => {
    const all = await start({ podStatus: unplaced('no node'), node: 'node-1' });
    const { state, passing, pass, over, results } = all;
    await made(all);
    await passing(() => all.lines.length > 0, 'the line');
    state.podNow = {
      ...worker,
      status: { containerStatuses: [running('launcher-grpc'), running('worker')] },
    };
    await pass(25 * minute);
    expect(results).toEqual([]);
    expect(all.steps).not.toContain('remove pods');
    state.podNow = undefined;
    state.podStatus = undefined;
    await passing(over, 'the end of the run');
  });

  test('may prepare for as long as it takes', async () => {
    const running = { phase: 'Pending', initContainerStatuses: [{ name: 'init', state: { running: {} } }] };
    const all = await start({ podStatus: running });
    await made(all);
    await all.pass(25 * minute);
    expect(all.lines).toEqual([]);
    all.state.podStatus = {
      phase: 'Running',
      initContainerStatuses: [ended('init')],
      containerStatuses: [
        { name: 'launcher-grpc', state: { running: {} } },
        waiting('worker', 'ContainerCreating'),
      ],
    };
    await all.passing(() => all.noted.some((note) => note.startsWith('RunPodNotStarted')), 'the event');
    // There the container launcher-grpc has the word.
    expect(all.lines).toEqual([]);
    expect(all.results).toEqual([]);
    all.state.podStatus = undefined;
  });
});

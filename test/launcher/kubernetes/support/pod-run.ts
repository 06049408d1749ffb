// One run and its pod, in a world that answers as a test says.
import { startPodRun } from '../../../../launcher/kubernetes/pod-run.js';
import { workerPoolSpec } from '../../../../protocol/kubernetes/resources.js';
import { assignment } from '../../../protocol/support/messages.js';
import type { TestPool } from '../../support/pool.js';
import { openWorld, worker, type World } from './world.js';

/** `resumed`: by a controller that finds it. */
export async function openRun(pool: TestPool, how: Partial<World>, resumed = false) {
  const world = await openWorld(how);
  const run = startPodRun(world.deps, {
    worker,
    workerId: '01ARZ3NDEKTSV4RRFFQ69G5FAV',
    secret: {
      assignment: { ...assignment, bulk: { endpoint: world.endpoint, token: 't' } },
      privateKey: pool.key,
      authorities: [],
      defaultImage: 'runner',
      customBinariesPath: '',
      grace: 1,
      metadata: {},
      greeting: '',
    },
    spec: workerPoolSpec.parse({ keepSuccessfulPods: true }),
    resumed,
    now: () => world.clock.now(),
  });
  return { ...world, run };
}

// From an assignment to its pod at the API server, among idle workers, beside a bare creation on the same server in the same
// moment; the requests that a run costs, one that fails and one that comes through, and the controller's memory. A real API
// server and etcd; no node. Sizes of the pool are 10, 1,000 and 10,000, with 100 runs each: the last take some minutes until
// they are there. POOLWRIGHT_BENCH_WORKERS=10,1000 and POOLWRIGHT_BENCH_RUNS=20 take others.
import type { ChildProcess } from 'node:child_process';
import * as z from 'zod';
import { triggerRun } from '../control-plane/cli/api/runs.js';
import { nextFreePort } from '../control-plane/local/ports.js';
import { hasApiServer, startApiServer, type ApiServer } from '../test/cluster/support/api-server.js';
import { actPods } from '../test/cluster/support/acted-pods.js';
import { createClient, type Client, type TestPod } from '../test/cluster/support/client.js';
import { installDefinitions, json } from '../test/cluster/support/manifests.js';
import { figure, quantile, type Figure } from './figure.js';
import { startPlane, type Plane } from './support/plane.js';
import { gauge, startController, type Controller, type Created } from './support/pool-controller.js';
import { ended, memoryOf, poll } from './support/server.js';

const countSchema = z.object({ workerPool: z.object({ workersCount: z.number() }) });

const sizes = (process.env['POOLWRIGHT_BENCH_WORKERS'] ?? '10,1000,10000').split(',').map(Number);
const runs = Number(process.env['POOLWRIGHT_BENCH_RUNS'] ?? '100');
/** Runs that come through, to count their requests. */
const successes = Math.min(runs, 20);
const pods = '/api/v1/namespaces/default/pods';

export async function bench(): Promise<Figure[] | string> {
  if (!hasApiServer('kubernetes')) return 'no kube-apiserver, kubectl or etcd (npm run test:tools)';
  const [server, plane] = await Promise.all([startApiServer(), startPlane()]);
  const metrics = await nextFreePort('127.0.0.1', 15_280);
  let controller: ChildProcess | undefined;
  try {
    await installDefinitions(server);
    const client = createClient(server);
    const started = startController(server, metrics);
    controller = started.process;
    await makePool(server, plane);
    const figures: Figure[] = [];
    for (const size of sizes) {
      const patience = size < 10_000 ? '' : ', which take some minutes until they are there';
      process.stderr.write(`  ${size.toLocaleString('en')} idle workers${patience} …\n`);
      await server.kubectl(['scale', 'workerpool', 'bench', `--replicas=${String(size)}`]);
      await comes(async () => (await gauge(metrics, 'worker_total')) === size, 'the workers');
      await comes(async () => (await connected(plane)) >= size, 'their registrations');
      await quiet(metrics);
      figures.push(...(await measure(plane, client, started, metrics, size)));
    }
    return figures;
  } finally {
    if (controller !== undefined) await ended(controller, 'SIGKILL');
    await plane.close();
    await server.close();
  }
}

async function measure(
  plane: Plane,
  client: Client,
  controller: Controller,
  metrics: number,
  size: number,
): Promise<Figure[]> {
  const stack = await plane.stack({});
  const created: Created[] = [];
  const bare: number[] = [];
  let before = 0;
  // The first are not counted: caches fill and code is compiled.
  for (let count = -10; count < runs; count += 1) {
    if (count === 0) before = await gauge(metrics, 'api_requests_total');
    const { id } = await triggerRun(plane.client, { stack, runType: 'PROPOSED' });
    const one = await controller.created(id);
    const { pod } = one;
    if (count >= 0) created.push(one);
    await fail(client, pod);
    await over(client, pod);
    const alone = await bareCreation(client, id);
    if (count >= 0) bare.push(alone);
  }
  const failed = ((await gauge(metrics, 'api_requests_total')) - before) / runs;
  const succeeded = await requestsOfSuccess({ plane, client, controller, metrics, stack });
  const memory = (await memoryOf(controller.process.pid)) / 1_000_000;
  const what = `${size.toLocaleString('en')} idle workers`;
  const samples = created.map(({ took }) => took);
  const reference = { what: 'bare creation of a pod', samples: bare };
  const step = (name: string, note: string, of: (one: Created) => number) =>
    figure({ name: `kubernetes ${name} p50, ${what}`, unit: 'ms', samples: created.map(of), note });
  return [
    figure({ name: `kubernetes pod p50, ${what}`, unit: 'ms', samples, reference }),
    figure({
      name: `kubernetes pod p99, ${what}`,
      unit: 'ms',
      samples: [quantile(samples, 0.99)],
      reference: { what: 'bare creation of a pod, p99', samples: [quantile(bare, 0.99)] },
    }),
    step('Secret made', 'since the assignment', ({ secret }) => secret),
    step('run accepted', 'since the assignment, beside the Secret', ({ accepted }) => accepted),
    step('pod made', 'since both', ({ took, secret, accepted }) => took - Math.max(secret, accepted)),
    ...[
      { which: 'that fails', samples: [failed] },
      { which: 'that comes through', samples: [succeeded] },
    ].map(({ which, samples }) =>
      figure({ name: `kubernetes requests per run ${which}, ${what}`, unit: 'requests', samples }),
    ),
    figure({
      name: `kubernetes memory, ${what}`,
      unit: 'MB',
      samples: [memory],
      ...(size === 10_000 ? { goal: { of: 'value', atMost: 150 } as const } : {}),
      note: 'resident memory of the controller',
    }),
  ];
}

/** Of runs whose pods tell the control plane what real ones tell, and end as those do. */
async function requestsOfSuccess(of: {
  readonly plane: Plane;
  readonly client: Client;
  readonly controller: Controller;
  readonly metrics: number;
  readonly stack: string;
}): Promise<number> {
  const { plane, client, controller, metrics, stack } = of;
  const { fate } = actPods(client);
  const setStatus = (pod: TestPod, status: object) => client.patchStatus(pod, status);
  await quiet(metrics);
  const before = await gauge(metrics, 'api_requests_total');
  for (let count = 0; count < successes; count += 1) {
    const { id } = await triggerRun(plane.client, { stack, runType: 'PROPOSED' });
    const { pod } = await controller.created(id);
    await fate((await client.call('GET', `${pods}/${pod}`)) as TestPod, { setStatus });
    await over(client, pod);
  }
  await quiet(metrics);
  return ((await gauge(metrics, 'api_requests_total')) - before) / successes;
}

/** Until the run of a pod is over: its Secret is gone. */
async function over(client: Client, pod: string): Promise<void> {
  const path = `/api/v1/namespaces/default/secrets/${pod}`;
  await poll(async () => (await client.find(path)) === undefined, 'the run to be over');
}

/** Until the controller asks the API server for nothing: new workers have said all that they have to say. */
async function quiet(metrics: number): Promise<void> {
  let before = -1;
  await comes(async () => {
    const now = await gauge(metrics, 'api_requests_total');
    const same = now === before;
    before = now;
    return same;
  }, 'the controller to be quiet');
}

/** Looks seldom: what is asked of thousands of workers is work for those who are measured. */
async function comes(look: () => Promise<boolean>, what: string): Promise<void> {
  const end = performance.now() + 1_200_000;
  while (!(await look())) {
    if (performance.now() > end) throw new Error(`waited 20 minutes for ${what}`);
    await new Promise((done) => setTimeout(done, 3_000));
  }
}

/** Milliseconds. */
async function bareCreation(client: Client, run: string): Promise<number> {
  const name = `bare-${run.toLowerCase()}`;
  const body = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name },
    spec: { containers: [{ name: 'worker', image: 'registry.test/runner:1' }] },
  };
  const before = performance.now();
  await client.call('POST', pods, body);
  const took = performance.now() - before;
  await client.call('DELETE', `${pods}/${name}`, { gracePeriodSeconds: 0 });
  return took;
}

/** As a node whose container ended: the run is over then. */
async function fail(client: Client, name: string): Promise<void> {
  const state = { terminated: { exitCode: 1, reason: 'Error' } };
  const container = { name: 'init', image: 'x', imageID: '', ready: false, restartCount: 0, state };
  const status = { phase: 'Failed', initContainerStatuses: [container] };
  await client.call('PATCH', `${pods}/${name}/status`, { status }, 'application/merge-patch+json');
}

async function makePool(server: ApiServer, plane: Plane): Promise<void> {
  const reference = (key: string) => ({ secretKeyRef: { name: 'bench', key } });
  const objects = json(
    {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'bench' },
      stringData: { token: plane.token, privateKey: Buffer.from(plane.privateKey).toString('base64') },
    },
    {
      apiVersion: 'workers.spacelift.io/v1beta1',
      kind: 'WorkerPool',
      metadata: { name: 'bench' },
      spec: { poolSize: 0, token: reference('token'), privateKey: reference('privateKey') },
    },
  );
  await server.kubectl(['apply', '-f', '-'], objects);
}

async function connected(plane: Plane): Promise<number> {
  const query = 'query ($id: ID!) { workerPool(id: $id) { workersCount } }';
  // It may be too busy with registrations to answer in time.
  const answer = await plane.client
    .request(query, { id: plane.pool }, countSchema)
    .catch(() => ({ workerPool: { workersCount: 0 } }));
  return answer.workerPool.workersCount;
}

// An API server, a control plane, a stand-in node and controllers as real processes, and what tests do with them.
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as z from 'zod';
import type { RunWithHistory } from '../../../control-plane/cli/api/runs.js';
import type { StackInput } from '../../../control-plane/cli/api/stacks.js';
import { ownRules, poolRules } from '../../../protocol/kubernetes/rights.js';
import { generateKeyAndRequest } from '../../../protocol/requests.js';
import type { RunType } from '../../../protocol/runs.js';
import { until } from '../../launcher/support/until.js';
import { logOf, startControlPlane, type TestPlane } from '../../support/control-plane.js';
import { runnerImage } from '../../support/runner-image.js';
import { startApiServer, type ApiServer } from './api-server.js';
import { startKubelet, type Kubelet } from './kubelet.js';
import { installDefinitions, json } from './manifests.js';

const program = fileURLToPath(new URL('../../../dist/launcher.cjs', import.meta.url));

interface Made {
  readonly stack: string;
  readonly run: string;
}

export interface ClusterOptions {
  /** Image of the controller and of the launcher's containers, with all that they need. Default: this machine's programs. */
  readonly launcherImage?: string;
}

export interface ControllerOptions {
  readonly options?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  /** Default: the API server itself, as the user that has a controller's rights. */
  readonly kubeconfig?: string;
}

export interface Cluster {
  readonly server: ApiServer;
  readonly plane: TestPlane;
  readonly kubelet: Kubelet;
  /** All that controllers have said. */
  readonly said: () => string;
  startController(how?: ControllerOptions): Promise<ChildProcess>;
  /** Controllers that have not ended. */
  controllers(): readonly ChildProcess[];
  /** Kills controllers, at once. */
  kill(controllers: readonly ChildProcess[]): Promise<void>;
  apply(...objects: readonly object[]): Promise<void>;
  /** With a Secret of the control plane's pool; waits for its workers. `token`: another one than the control plane's. */
  createPool(name: string, poolSize: number, spec: object, token?: string): Promise<void>;
  /** A new token and key for the control plane's pool, as `kubectl apply` would bring them; in the Secret of this name. */
  rotate(secret: string): Promise<void>;
  scale(pool: string, size: number): Promise<void>;
  patchPool(name: string, spec: object): Promise<void>;
  /** Stacks have names of their own, so that a test can be tried again. */
  triggerRun(stack: StackInput, how?: { readonly runType: RunType }): Promise<Made>;
  reached(made: Made, ...states: readonly string[]): Promise<RunWithHistory>;
  logHas(made: Made, state: string, text: string): Promise<void>;
  confirm(made: Made): Promise<void>;
  /** As the control plane says it; empty when the run does not wait. */
  whyItWaits(made: Made): Promise<string>;
  stop(made: Made): Promise<void>;
  /** Tells a worker by its ULID to take no further run, or to take runs again. */
  drain(worker: string, drain: boolean): Promise<void>;
  /** Kinds and reasons of all events on pools and workers until now, such as `Worker RunAssigned`. */
  events(): Promise<ReadonlySet<string>>;
  names(kind: string, ...more: readonly string[]): Promise<readonly string[]>;
  /** Waits until there are that many objects of the kind. */
  count(kind: string, count: number): Promise<void>;
  /** Of a pool at the control plane; null when there is none. */
  poolName(id: string): Promise<string | null>;
  /** Waits until no Secret of a run is left. */
  noRunSecrets(): Promise<void>;
  close(): Promise<void>;
}

/** `options`: further ones of every controller. */
export async function startCluster(
  options: readonly string[] = [],
  { launcherImage }: ClusterOptions = {},
): Promise<Cluster> {
  const folder = await mkdtemp(join(tmpdir(), 'poolwright-test-'));
  const [server, plane] = await Promise.all([startApiServer(), startControlPlane(folder)]);
  await installDefinitions(server);
  // Controllers have the rights that the manifests give them, and no others.
  await server.kubectl(['apply', '-f', '-'], json(...rightsOfController()));
  const kubelet = startKubelet({
    server,
    images: {
      'registry.test/launcher:1': launcherImage ?? runnerImage,
      'registry.test/runner:1': runnerImage,
    },
    launcherProgram: launcherImage === undefined ? program : null,
  });
  const controllers: ChildProcess[] = [];
  let said = '';
  let stacks = 0;
  const pairOf = (token: string, privateKey: string) => ({
    token,
    privateKey: Buffer.from(privateKey).toString('base64'),
  });
  let pair = pairOf(plane.token, plane.privateKey);

  const withWords = (error: unknown): never => {
    throw new Error(`${String(error)}; the controller said ${said.slice(-4000)}`);
  };

  const cluster: Cluster = {
    server,
    plane,
    kubelet,
    said: () => said,
    async startController(how = {}) {
      const before = said.length;
      const [command, words] =
        launcherImage === undefined ? [process.execPath, [program]] : inContainer(server, launcherImage, how);
      const child = spawn(
        command,
        [
          ...words,
          'controller',
          ...['--launcher-image=registry.test/launcher:1', '--health-probe-bind-address=127.0.0.1:0'],
          ...options,
          ...(how.options ?? []),
        ],
        {
          env: {
            PATH: process.env['PATH'],
            KUBECONFIG: how.kubeconfig ?? server.kubeconfig.controller,
            ...how.environment,
          },
          stdio: ['ignore', 'pipe', 'pipe'],
        },
      );
      for (const stream of [child.stdout, child.stderr])
        stream.setEncoding('utf8').on('data', (text: string) => (said += text));
      controllers.push(child);
      await until(
        () => /Looking after|waiting/.test(said.slice(before)),
        'the controller to start',
        30_000,
      ).catch(withWords);
      return child;
    },
    controllers: () =>
      controllers.filter(({ exitCode, signalCode }) => exitCode === null && signalCode === null),
    async kill(which) {
      await Promise.all(
        which.map((controller) => {
          const ended = new Promise((resolve) => controller.once('close', resolve));
          controller.kill('SIGKILL');
          return ended;
        }),
      );
    },
    async apply(...objects) {
      await server.kubectl(['apply', '-f', '-'], json(...objects));
    },
    async createPool(name, poolSize, spec, token) {
      const before = (await plane.workers()).length;
      const reference = (key: string) => ({ secretKeyRef: { name, key } });
      await cluster.apply(
        {
          apiVersion: 'v1',
          kind: 'Secret',
          metadata: { name },
          stringData: token === undefined ? pair : { ...pair, token },
        },
        {
          apiVersion: 'workers.spacelift.io/v1beta1',
          kind: 'WorkerPool',
          metadata: { name },
          spec: { poolSize, token: reference('token'), privateKey: reference('privateKey'), ...spec },
        },
      );
      await plane.idle(before + poolSize).catch(withWords);
    },
    async rotate(secret) {
      const { request, privateKey } = await generateKeyAndRequest();
      const { workerPoolReset } = await plane.client.request(
        'mutation ($id: ID!, $csr: String!) { workerPoolReset(id: $id, certificateSigningRequest: $csr) { config } }',
        { id: plane.pool, csr: request },
        z.object({ workerPoolReset: z.object({ config: z.string() }) }),
      );
      pair = pairOf(workerPoolReset.config, privateKey);
      await cluster.apply({ apiVersion: 'v1', kind: 'Secret', metadata: { name: secret }, stringData: pair });
    },
    async scale(pool, size) {
      await server.kubectl(['scale', 'workerpools', pool, `--replicas=${String(size)}`]);
    },
    async patchPool(name, spec) {
      await server.kubectl(['patch', 'workerpool', name, '--type=merge', '-p', JSON.stringify({ spec })]);
    },
    triggerRun: (stack, how) =>
      plane.triggerRun(
        {
          runnerImage: 'registry.test/runner:1',
          ...stack,
          name: `${stack.name ?? ''} ${String((stacks += 1))}`,
        },
        how,
      ),
    reached: (made, ...states) => plane.reached(made.stack, made.run, ...states).catch(withWords),
    async logHas(made, state, text) {
      await until(
        async () => (await logOf(plane, made.stack, made.run, state)).includes(text),
        `the log of ${state} to have ${JSON.stringify(text)}`,
        40_000,
      ).catch(withWords);
    },
    async confirm(made) {
      const mutation = 'mutation ($stack: ID!, $run: ID!) { runConfirm(stack: $stack, run: $run) { id } }';
      await plane.client.request(mutation, { ...made }, z.unknown());
    },
    async whyItWaits(made) {
      const schema = z.object({ stack: z.object({ run: z.object({ waitReason: z.string().nullable() }) }) });
      const query = 'query ($stack: ID!, $run: ID!) { stack(id: $stack) { run(id: $run) { waitReason } } }';
      return (await plane.client.request(query, { ...made }, schema)).stack.run.waitReason ?? '';
    },
    async stop(made) {
      const mutation = 'mutation ($stack: ID!, $run: ID!) { runStop(stack: $stack, run: $run) { id } }';
      await plane.client.request(mutation, { ...made }, z.unknown());
    },
    async drain(worker, drain) {
      const mutation =
        'mutation ($pool: ID!, $worker: ID!, $drain: Boolean!) { workerDrainSet(workerPool: $pool, id: $worker, drain: $drain) { id } }';
      await plane.client.request(mutation, { pool: plane.pool, worker, drain }, z.unknown());
    },
    async events() {
      const columns = 'custom-columns=:.involvedObject.kind,:.reason';
      const text = await server.kubectl(['get', 'events', '--no-headers', '-o', columns]);
      const lines = text
        .trim()
        .split('\n')
        .map((line) => line.trim().split(/ +/).join(' '));
      return new Set(lines.filter((line) => line.startsWith('Worker')));
    },
    names: async (kind, ...more) =>
      (await server.kubectl(['get', kind, '-o', 'name', ...more])).trim().split('\n').filter(Boolean),
    async count(kind, count) {
      await until(
        async () => (await cluster.names(kind)).length === count,
        `${String(count)} of ${kind}`,
        30_000,
      ).catch(withWords);
    },
    async poolName(id) {
      const schema = z.object({ workerPool: z.object({ name: z.string() }).nullable() });
      const { workerPool } = await plane.client.request(
        'query ($id: ID!) { workerPool(id: $id) { name } }',
        { id },
        schema,
      );
      return workerPool?.name ?? null;
    },
    async noRunSecrets() {
      await until(
        async () => (await cluster.names('secrets', '-l', 'workers.spacelift.io/run-id')).length === 0,
        'the Secrets of runs to be gone',
        // After an outage the controller may wait 10 s for its next try.
        20_000,
      ).catch(withWords);
    },
    async close() {
      for (const controller of controllers) controller.kill('SIGKILL');
      await kubelet.close();
      await plane.close();
      await server.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
  return cluster;
}

/** As the controller's Deployment has it run: as its image's user, without a writable file or a capability. */
function inContainer(server: ApiServer, image: string, how: ControllerOptions): [string, string[]] {
  const files = [how.kubeconfig ?? server.kubeconfig.controller, server.certificateFile];
  return [
    'docker',
    [
      ...['run', '--rm', '--init', '--network', 'host', '--read-only', '--cap-drop', 'ALL'],
      ...['--security-opt', 'no-new-privileges', '-e', 'KUBECONFIG'],
      ...files.flatMap((file) => ['-v', `${file}:${file}:ro`]),
      ...[image],
    ],
  ];
}

function rightsOfController(): object[] {
  const rbac = 'rbac.authorization.k8s.io';
  const subjects = [{ kind: 'User', apiGroup: rbac, name: 'controller' }];
  const pair = (prefix: '' | 'Cluster', name: string, rules: readonly object[]) => [
    { apiVersion: `${rbac}/v1`, kind: `${prefix}Role`, metadata: { name }, rules },
    {
      apiVersion: `${rbac}/v1`,
      kind: `${prefix}RoleBinding`,
      metadata: { name },
      roleRef: { apiGroup: rbac, kind: `${prefix}Role`, name },
      subjects,
    },
  ];
  return [...pair('Cluster', 'pools', poolRules), ...pair('', 'own', ownRules)];
}

// What the component KubernetesWorkerPool makes, on a real API server: recorded from a deployment, given to kubectl in the
// order and the way in which Pulumi's provider gives it, and then in the hands of a controller that has no more than that.
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import https from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { KubernetesWorkerPool } from '../../components/kubernetes-worker-pool.js';
import type { KubernetesWorkerPoolArgs } from '../../components/kubernetes/arguments.js';
import { deploy, type Registered } from '../components/support/deployment.js';
import { kubernetes } from '../components/support/kubernetes.js';
import { until } from '../launcher/support/until.js';
import { startControlPlane, type TestPlane } from '../support/control-plane.js';
import { hasApiServer, startApiServer, type ApiServer } from './support/api-server.js';

const program = fileURLToPath(new URL('../../dist/launcher.cjs', import.meta.url));
const certificate = '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----';

interface KubeObject {
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly annotations?: Readonly<Record<string, string>>;
  };
}
interface Recorded {
  readonly object: KubeObject;
  readonly retained: boolean;
}

describe.runIf(hasApiServer('the component on Kubernetes'))('the component on a real API server', () => {
  let folder: string;
  let server: ApiServer;
  let plane: TestPlane;
  const controllers: ChildProcess[] = [];
  let said = '';
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'poolwright-test-'));
    [server, plane] = await Promise.all([startApiServer(), startControlPlane(folder)]);
  }, 120_000);
  afterAll(async () => {
    for (const controller of controllers) controller.kill('SIGKILL');
    await plane.close();
    await server.close();
    await rm(folder, { recursive: true, force: true });
  });

  const pair = () => ({ token: plane.token, privateKey: plane.privateKey });

  /** The objects of a deployment, those first that others need. */
  async function objectsOf(name: string, args: KubernetesWorkerPoolArgs): Promise<readonly Recorded[]> {
    const { resources } = await deploy(() => new KubernetesWorkerPool(name, args), kubernetes);
    const order = (resource: Registered) =>
      ['Patch', 'Namespace', 'WorkerPool'].findIndex((kind) => resource.type.endsWith(kind)) % 3;
    const rank = (resource: Registered) => [0, 1, 3][order(resource)] ?? 2;
    return resources
      .filter(({ type }) => type.startsWith('kubernetes:'))
      .sort((a, b) => rank(a) - rank(b))
      .map(({ name: of, inputs, retained }) => ({ object: withName(of, opened(inputs)), retained }));
  }

  async function up(recorded: readonly Recorded[]): Promise<void> {
    for (const { object } of recorded) {
      // Applied, so that a test may be tried again.
      const manager = object.metadata.annotations?.['pulumi.com/patchFieldManager'] ?? 'pulumi-kubernetes';
      const how = ['apply', '--server-side', `--field-manager=${manager}`];
      // A definition is served a moment after it was made.
      await until(
        () =>
          server.kubectl([...how, '-f', '-'], JSON.stringify(object)).then(
            () => true,
            (error: unknown) => {
              if (!String(error).includes('no matches for kind')) throw error;
              return undefined;
            },
          ),
        `${object.kind} ${object.metadata.name} to be taken`,
      );
    }
  }

  async function down(recorded: readonly Recorded[]): Promise<void> {
    for (const { object, retained } of recorded.toReversed()) {
      // A namespace goes by the hands of a controller manager, which is not here.
      if (retained || object.kind === 'Namespace') continue;
      await server.kubectl(['delete', '--wait=false', '-f', '-'], JSON.stringify(object));
    }
  }

  const every = (): KubernetesWorkerPoolArgs => ({
    ...pair(),
    size: { min: 2, max: 4 },
    launcher: {
      image: 'registry.test/launcher:1',
      runTimeout: '2h',
      maskEnvs: ['API_KEY'],
      environment: { API_KEY: 'hidden' },
      privateVcsMappings: [{ name: 'git', baseEndpoint: 'https://git.internal' }],
    },
    pod: {
      affinity: { podAntiAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [] } },
      tolerations: [{ key: 'runs', operator: 'Exists' }],
      workspaceVolume: {
        name: 'work',
        ephemeral: { volumeClaimTemplate: { spec: { accessModes: ['ReadWriteOnce'] } } },
      },
      workerContainer: { resources: { requests: { cpu: '500m' }, limits: { memory: '2Gi' } } },
      additionalSidecarContainers: [{ name: 'database', image: 'database:1' }],
    },
    proxy: { no: ['localhost'] },
    extraCaCertificates: [certificate],
    controller: { replicas: 2, tolerations: [{ operator: 'Exists' }], imagePullSecrets: ['registry'] },
    networkPolicy: { ports: [22] },
    metrics: {},
    tags: { team: 'platform' },
    kubernetes: { failedPodsHistoryTTL: '24h', allowedRunnerImageHosts: ['docker.io'] },
  });

  test('takes every object of every option, and rights that end at the namespace', async () => {
    await up(await objectsOf('builds', every()));
    const spec: unknown = JSON.parse(
      await server.kubectl([
        'get',
        'workerpool',
        'builds',
        '-n',
        'builds-1a2b3c4d',
        '-o',
        'jsonpath={.spec}',
      ]),
    );
    expect(spec).toMatchObject({
      poolSize: 2,
      failedPodsHistoryTTL: '24h',
      pod: { activeDeadlineSeconds: 7800, tolerations: [{ key: 'runs' }] },
    });
    const may = async (namespace: string, ...words: string[]) =>
      server
        .kubectl([
          'auth',
          'can-i',
          '--as=system:serviceaccount:builds-1a2b3c4d:builds-controller-manager',
          '-n',
          namespace,
          ...words,
        ])
        .then(
          (answer) => answer.trim() === 'yes',
          () => false,
        );
    expect(await may('builds-1a2b3c4d', 'create', 'pods')).toBe(true);
    expect(await may('builds-1a2b3c4d', 'update', 'leases.coordination.k8s.io')).toBe(true);
    expect(await may('builds-1a2b3c4d', 'create', 'deployments.apps')).toBe(false);
    const pools = 'workerpools.workers.spacelift.io';
    expect(await may('builds-1a2b3c4d', 'patch', pools)).toBe(true);
    for (const verb of ['create', 'delete', 'deletecollection', 'update'])
      expect(await may('builds-1a2b3c4d', verb, pools)).toBe(false);
    expect(await may('builds-1a2b3c4d', 'delete', 'workers.workers.spacelift.io')).toBe(true);
    expect(await may('builds-1a2b3c4d', 'update', 'workers.workers.spacelift.io')).toBe(false);
    expect(await may('default', 'get', 'secrets')).toBe(false);
    expect(await may('default', 'list', 'workerpools.workers.spacelift.io')).toBe(false);
  });

  test('lets the pods of its controller into a namespace that is held to the restricted profile', async () => {
    const { spec } = JSON.parse(
      await server.kubectl([
        'get',
        'deployment',
        'builds-controller-manager',
        '-n',
        'builds-1a2b3c4d',
        '-o',
        'json',
      ]),
    ) as { spec: { template: { metadata: object; spec: object } } };
    const pod = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'controller', namespace: 'builds-1a2b3c4d' },
      spec: spec.template.spec,
    };
    await expect(
      server.kubectl(['create', '--dry-run=server', '-f', '-'], JSON.stringify(pod)),
    ).resolves.toMatch(/created/);
    const privileged = {
      ...pod,
      spec: { containers: [{ name: 'a', image: 'a', securityContext: {} }] },
    };
    await expect(
      server.kubectl(['create', '--dry-run=server', '-f', '-'], JSON.stringify(privileged)),
    ).rejects.toThrow(/restricted/);
  });

  test('has workers, by a controller with the account, the arguments and the variables that were made', async () => {
    const namespace = 'builds-1a2b3c4d';
    const { spec } = JSON.parse(
      await server.kubectl(['get', 'deployment', 'builds-controller-manager', '-n', namespace, '-o', 'json']),
    ) as {
      spec: {
        template: { spec: { containers: [{ args: string[]; env: { name: string; value?: string }[] }] } };
      };
    };
    const [{ args, env }] = spec.template.spec.containers;
    const token = await server.kubectl(['create', 'token', 'builds-controller-manager', '-n', namespace]);
    const kubeconfig = join(folder, 'controller.json');
    const admin = JSON.parse(await server.kubectl(['config', 'view', '--raw', '-o', 'json'])) as {
      users: unknown;
    };
    await writeFile(
      kubeconfig,
      JSON.stringify({ ...admin, users: [{ name: 'user', user: { token: token.trim() } }] }),
    );
    // The certificate is none, and where it is mounted is no folder of this machine.
    const variables = env.filter(({ name }) => name !== 'NODE_EXTRA_CA_CERTS');
    const others = Object.fromEntries(variables.map(({ name, value }) => [name, value ?? namespace]));
    const words = args
      .map((word) => word.replace('$(CONTROLLER_NAMESPACE)', namespace))
      .map((word) => word.replace(/bind-address=:\d+/, 'bind-address=127.0.0.1:0'));
    said = '';
    const controller = spawn(process.execPath, [program, 'controller', ...words], {
      env: { PATH: process.env['PATH'], KUBECONFIG: kubeconfig, ...others },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    controllers.push(controller);
    for (const stream of [controller.stdout, controller.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => (said += text));
    await plane.idle(2).catch((error: unknown) => {
      throw new Error(`${String(error)}; the controller said ${said.slice(-3000)}`);
    });
    expect(await server.kubectl(['get', 'workerpools', '-n', namespace])).toMatch(/^builds +2 +2 +false/m);
    expect((await plane.workers()).map(({ metadata }) => metadata)).toContainEqual(
      expect.objectContaining({ k8s_pool: 'builds', k8s_namespace: namespace }),
    );
  }, 60_000);

  test('gives figures to those who are bound to its role, and to nobody else', async () => {
    const port = await until(() => /Figures on port (\d+), by HTTPS/.exec(said)?.[1], 'the port of figures');
    for (const account of ['collector', 'other'])
      await server.kubectl(['create', 'serviceaccount', account], '').catch((error: unknown) => {
        if (!String(error).includes('already exists')) throw error;
      });
    await server.kubectl([
      ...['create', 'clusterrolebinding', `collector-${port}`],
      ...['--clusterrole=builds-1a2b3c4d-builds-metrics-reader', '--serviceaccount=default:collector'],
    ]);
    const get = async (path: string, account?: string) => {
      const token = account && (await server.kubectl(['create', 'token', account]));
      return getEncrypted(Number(port), path, token?.trim());
    };
    expect(await get('/metrics')).toMatchObject({ status: 401 });
    expect(await getEncrypted(Number(port), '/metrics', 'wrong')).toMatchObject({ status: 401 });
    expect(await get('/metrics', 'other')).toMatchObject({ status: 403 });
    const { status, body } = await get('/metrics', 'collector');
    expect(status).toBe(200);
    expect(body).toMatch(/^spacelift_workerpool_controller_worker_total\{pool_ulid="\w{26}"\} 2$/m);
  });

  test('shares the definitions between stacks: the one that goes leaves them, and the pools of the other', async () => {
    const other = await objectsOf('other', { ...pair(), launcher: { image: 'registry.test/launcher:2' } });
    await up(other);
    await down(other);
    const names = await server.kubectl(['get', 'workerpools', '-A', '-o', 'name']);
    expect(names.trim().split('\n')).toEqual(['workerpool.workers.spacelift.io/builds']);
    expect((await plane.workers()).length).toBe(2);
    // Bringing them to a version again is no quarrel between stacks; with others it is, and shows.
    const [definition] = other;
    await up([definition!]);
    const changed = JSON.stringify(definition!.object).replace('What the pool should be.', 'Changed.');
    expect(changed).toContain('Changed.');
    await expect(
      server.kubectl(['apply', '--server-side', '--field-manager=someone', '-f', '-'], changed),
    ).rejects.toThrow(/conflict with "poolwright-workerpools"/);
  });
});

/** Its certificate is the controller's own, which nobody has issued. */
function getEncrypted(
  port: number,
  path: string,
  token?: string,
): Promise<{ status?: number; body: string }> {
  return new Promise((resolve, reject) => {
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
    https
      .get(
        { host: '127.0.0.1', port, path, headers, rejectUnauthorized: false, agent: false },
        (response) => {
          let body = '';
          response.setEncoding('utf8').on('data', (text: string) => (body += text));
          response.on('end', () => {
            resolve({ status: response.statusCode ?? 0, body });
          });
        },
      )
      .on('error', reject);
  });
}

/** Objects without a name have one from Pulumi's provider. */
function withName(name: string, object: KubeObject): KubeObject {
  const { metadata } = object as { metadata?: Partial<KubeObject['metadata']> };
  return { ...object, metadata: { ...metadata, name: metadata?.name ?? `${name}-1a2b3c4d` } };
}

/** What was recorded as a secret, as it is. */
function opened(inputs: Record<string, unknown>): KubeObject {
  const text = JSON.stringify(inputs, (_, value: unknown) =>
    typeof value === 'string' && value.startsWith('[secret] ')
      ? (JSON.parse(value.slice(9)) as unknown)
      : value,
  );
  return JSON.parse(text) as KubeObject;
}

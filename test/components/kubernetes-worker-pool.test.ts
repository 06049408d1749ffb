import * as pulumi from '@pulumi/pulumi';
import { beforeAll, describe, expect, it } from 'vitest';
import type { KubernetesWorkerPoolArgs } from '../../components/kubernetes/arguments.js';
import { KubernetesWorkerPool } from '../../components/kubernetes-worker-pool.js';
import { deploy, unknownOutput, valueOf, type Deployment } from './support/deployment.js';
import { deployElsewhere } from './support/elsewhere.js';
import { kubernetes } from './support/kubernetes.js';
import { poolCredentials } from './support/pool-credentials.js';

let credentials: { token: string; privateKey: string };
beforeAll(async () => {
  credentials = await poolCredentials();
});

const image = 'registry.test/launcher:1';
const certificate = '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----';
const least = (): KubernetesWorkerPoolArgs => ({ ...credentials, launcher: { image } });
const make = (args: KubernetesWorkerPoolArgs, preview = false) =>
  deploy(() => new KubernetesWorkerPool('builds', args), kubernetes, preview);
const named = (deployment: Deployment, type: string, name: string) => {
  const found = deployment.resources.find(
    (resource) => resource.type.endsWith(`:${type}`) && resource.name === name,
  );
  if (found === undefined) throw new Error(`no ${type} ${name}`);
  return found;
};
const listOf = ({ resources }: Deployment) =>
  resources.slice(1).map(({ type, name }) => `${type.split(':').at(-1) ?? ''} ${name}`);

interface Container {
  readonly name: string;
  readonly image?: string;
  readonly env?: readonly { readonly name: string; readonly value?: string }[];
  readonly envFrom?: readonly object[];
  readonly volumeMounts?: readonly { readonly mountPath: string }[];
}
interface PoolSpec {
  readonly poolSize: number;
  readonly pod: {
    readonly [field: string]: unknown;
    readonly volumes?: readonly { readonly name: string }[];
    readonly customInitContainers?: readonly Container[];
    readonly initContainer?: Container;
    readonly grpcServerContainer?: Container;
    readonly workerContainer?: Container;
  };
}
const specOf = (deployment: Deployment) => deployment.one('WorkerPool').inputs['spec'] as PoolSpec;
const managerOf = (deployment: Deployment) => {
  const spec = deployment.one('Deployment').inputs['spec'] as {
    replicas: number;
    template: { spec: { containers: [Container & { args: string[] }] } };
  };
  return { replicas: spec.replicas, ...spec.template.spec, ...spec.template.spec.containers[0] };
};
const variables = (container: Container | undefined) =>
  Object.fromEntries((container?.env ?? []).map(({ name, value }) => [name, value]));

async function refusal(args: KubernetesWorkerPoolArgs): Promise<{ paths: string[]; reasons: string[] }> {
  let error: unknown;
  const { resources } = await deploy(() => {
    try {
      new KubernetesWorkerPool('builds', args);
    } catch (caught) {
      error = caught;
    }
  }, kubernetes);
  expect(resources.map(({ type }) => type)).toEqual(['workerpools:index:KubernetesWorkerPool']);
  const { errors } = error as pulumi.InputPropertiesError;
  return {
    paths: errors.map(({ propertyPath }) => propertyPath),
    reasons: errors.map(({ reason }) => reason),
  };
}

describe('a pool on Kubernetes', () => {
  it('is made of these objects, all children of the component', async () => {
    const { resources } = await make(least());
    expect(resources.map(({ type, name }) => `${type} ${name}`)).toMatchInlineSnapshot(`
      [
        "workerpools:index:KubernetesWorkerPool builds",
        "kubernetes:apiextensions.k8s.io/v1:CustomResourceDefinitionPatch builds-workerpools",
        "kubernetes:apiextensions.k8s.io/v1:CustomResourceDefinitionPatch builds-workers",
        "kubernetes:apps/v1:Deployment builds-controller",
        "kubernetes:core/v1:Namespace builds",
        "kubernetes:core/v1:Secret builds-credentials",
        "kubernetes:core/v1:ServiceAccount builds-controller",
        "kubernetes:policy/v1:PodDisruptionBudget builds-runs",
        "kubernetes:rbac.authorization.k8s.io/v1:Role builds-controller",
        "kubernetes:rbac.authorization.k8s.io/v1:Role builds-pools",
        "kubernetes:rbac.authorization.k8s.io/v1:RoleBinding builds-controller",
        "kubernetes:rbac.authorization.k8s.io/v1:RoleBinding builds-pools",
        "kubernetes:workers.spacelift.io/v1beta1:WorkerPool builds",
      ]
    `);
    expect(resources.slice(1).every(({ parent }) => parent === 'builds')).toBe(true);
  });

  it('is as little as one object beside a controller that is there already', async () => {
    const deployment = await make({
      credentials: 'pool',
      namespace: 'runs',
      installCustomResources: false,
      controller: { install: false },
      podDisruptionBudget: false,
    });
    expect(listOf(deployment)).toEqual(['WorkerPool builds']);
    expect(specOf(deployment)).toEqual({
      poolSize: 1,
      token: { secretKeyRef: { name: 'pool', key: 'token' } },
      privateKey: { secretKeyRef: { name: 'pool', key: 'privateKey' } },
      pod: {},
    });
  });

  it('shares the definitions with other stacks, and never takes them away', async () => {
    const deployment = await make(least());
    for (const part of ['workerpools', 'workers']) {
      const { inputs, retained } = named(deployment, 'CustomResourceDefinitionPatch', `builds-${part}`);
      expect(retained).toBe(true);
      expect(inputs['metadata']).toEqual({
        name: `${part}.workers.spacelift.io`,
        annotations: { 'pulumi.com/patchFieldManager': 'poolwright-workerpools' },
      });
    }
    expect(deployment.resources.filter(({ retained }) => retained)).toHaveLength(2);
  });

  it('is removed before what its runs need, and has time to end them', async () => {
    const deployment = await make({ ...least(), networkPolicy: {}, metrics: {} });
    const pool = deployment.one('WorkerPool');
    const needed = deployment.resources.slice(1).filter(({ type }) => !type.endsWith(':WorkerPool'));
    expect(
      [...new Set(needed.map(({ name }) => name))].filter((name) => !pool.dependencies.includes(name)),
    ).toEqual([]);
    expect(pool.deleteTimeout).toBe('4800s');
    expect(
      (await make({ ...least(), launcher: { image, runTimeout: '2h' } })).one('WorkerPool').deleteTimeout,
    ).toBe('8400s');
  });

  it('keeps token and key as secrets, in one Secret', async () => {
    const deployment = await make(least());
    expect(deployment.one('Secret').inputs['stringData']).toMatch(/^\[secret\] \{"privateKey":"LS0t/);
    const rest = deployment.resources.filter(({ type }) => !type.endsWith(':Secret'));
    expect(JSON.stringify(rest)).not.toContain(credentials.token.slice(100, 160));
    expect(JSON.stringify(rest)).not.toContain('[secret]');
  });

  it('gives its controller rights in its own namespace only, and in others that are named', async () => {
    const rightsOf = (deployment: Deployment) =>
      deployment.resources
        .filter(({ type }) => /:(Cluster)?Role$/.test(type))
        .map(({ type, name, inputs }) => [
          type.split(':').at(-1),
          name,
          (inputs['metadata'] as { namespace: string }).namespace,
        ]);
    const one = await make(least());
    expect(rightsOf(one)).toEqual([
      ['Role', 'builds-controller', 'builds-1a2b3c4d'],
      ['Role', 'builds-pools', 'builds-1a2b3c4d'],
    ]);
    expect(managerOf(one).args).toContain('--namespaces=$(CONTROLLER_NAMESPACE)');
    const two = await make({ ...least(), controller: { namespaces: ['other'], replicas: 2 } });
    expect(rightsOf(two)).toContainEqual(['Role', 'builds-pools-other', 'other']);
    expect(managerOf(two).args.filter((word) => word.startsWith('--namespaces'))).toEqual([
      '--namespaces=$(CONTROLLER_NAMESPACE)',
      '--namespaces=other',
    ]);
    expect(managerOf(two).replicas).toBe(2);
  });

  it('is registered by the controller when it has an API key, new or existing', async () => {
    const key = { keyId: 'id', keySecret: 'the secret', endpoint: 'https://plane.test' };
    const made = await make({ launcher: { image }, apiCredentials: key, kubernetes: { space: 'root' } });
    expect(named(made, 'Secret', 'builds-api-credentials').inputs['stringData']).toBe(
      '[secret] {"endpoint":"https://plane.test","keyId":"id","keySecret":"the secret"}',
    );
    expect(specOf(made)).toMatchObject({
      space: 'root',
      spaceliftAPICredentials: { secretKeyRef: { name: 'builds-api-credentials-1a2b3c4d' } },
    });
    expect(specOf(made)).not.toHaveProperty('token');
    const existing = await make({
      launcher: { image },
      apiCredentials: { secretName: 'key' },
      namespace: 'runs',
    });
    expect(specOf(existing)).toMatchObject({ spaceliftAPICredentials: { secretKeyRef: { name: 'key' } } });
    expect(listOf(existing)).not.toContain('Secret builds-api-credentials');
  });

  it('leaves its size to autoscalers unless it is told', async () => {
    const free = await make({ ...least(), size: { min: 2, max: 9 } });
    expect(specOf(free).poolSize).toBe(2);
    expect(free.one('WorkerPool').ignoreChanges).toEqual(['spec.poolSize']);
    const told = await make({ ...least(), size: { min: 2, max: 9, desired: 4 } });
    expect(specOf(told).poolSize).toBe(4);
    expect(told.one('WorkerPool').ignoreChanges).toEqual([]);
  });

  it('gives options of the launcher to the containers that read them', async () => {
    const deployment = await make({
      ...credentials,
      launcher: {
        image,
        maskEnvs: ['API_KEY'],
        logsTimeout: '10m',
        runTimeout: '2h',
        debug: true,
        defaultRunnerImage: 'runner:1',
        privateVcsMappings: [{ name: 'git', baseEndpoint: 'https://git.internal' }],
        environment: { API_KEY: pulumi.secret('hidden') },
      },
      pod: {
        workerContainer: {
          env: [
            { name: 'SPACELIFT_DEBUG', value: 'false' },
            { name: 'OWN', value: '1' },
          ],
          envFrom: [{ configMapRef: { name: 'more' } }],
        },
      },
    });
    const { pod } = specOf(deployment);
    expect(pod).toMatchObject({ defaultRunnerImage: 'runner:1', activeDeadlineSeconds: 7800 });
    expect(variables(pod.initContainer)).toEqual({
      SPACELIFT_PRIVATEVCS_MAPPING_NAME_0: 'git',
      SPACELIFT_PRIVATEVCS_MAPPING_BASE_ENDPOINT_0: 'https://git.internal',
    });
    expect(variables(pod.workerContainer)).toEqual({
      SPACELIFT_MASK_ENVS: 'API_KEY',
      SPACELIFT_LAUNCHER_LOGS_TIMEOUT: '10m',
      SPACELIFT_LAUNCHER_RUN_TIMEOUT: '2h',
      // What the pod says wins.
      SPACELIFT_DEBUG: 'false',
      OWN: '1',
    });
    expect(pod.workerContainer?.envFrom).toEqual([
      { secretRef: { name: 'builds-environment-1a2b3c4d' } },
      { configMapRef: { name: 'more' } },
    ]);
    expect(named(deployment, 'Secret', 'builds-environment').inputs['stringData']).toBe(
      '[secret] {"API_KEY":"hidden"}',
    );
    // A controller of this version gives its own image to run pods.
    expect(pod['launcherImage']).toBeUndefined();
    const others = await make({ ...least(), controller: { install: false } });
    expect(specOf(others).pod['launcherImage']).toBe(image);
  });

  it('has runs asked by a policy, and gets no more to them than is named', async () => {
    const deployment = await make({
      ...credentials,
      launcher: {
        image,
        runInitializationPolicy: 'package spacelift',
        whitelistEnvs: ['ro_TOKEN'],
        environment: { TOKEN: 'a', OTHER: 'b' },
      },
      proxy: { no: ['.internal'] },
    });
    const { pod } = specOf(deployment);
    expect(named(deployment, 'ConfigMap', 'builds-policy').inputs['data']).toEqual({
      'initialization-policy.rego': 'package spacelift',
    });
    const folder = '/opt/spacelift/policies/initialization';
    expect(variables(pod.initContainer)).toMatchObject({
      SPACELIFT_LAUNCHER_RUN_INITIALIZATION_POLICY: `${folder}/initialization-policy.rego`,
    });
    expect(pod.initContainer?.volumeMounts).toEqual([
      { name: 'initialization-policy', mountPath: folder, readOnly: true },
    ]);
    expect(pod.workerContainer?.volumeMounts).toBeUndefined();
    expect(pod.volumes).toEqual([
      { name: 'initialization-policy', configMap: { name: 'builds-policy-1a2b3c4d' } },
    ]);
    // What runs get from the proxy settings is not held back.
    expect(variables(pod.workerContainer)).toMatchObject({
      SPACELIFT_WHITELIST_ENVS: 'ro_TOKEN,NO_PROXY,no_proxy',
    });
  });

  it('brings proxies and certificates to controller, launcher and runs', async () => {
    const deployment = await make({
      ...least(),
      proxy: { https: 'http://proxy.test:3128', no: ['.internal'] },
      extraCaCertificates: [certificate, certificate],
      pod: {
        volumes: [{ name: 'own', emptyDir: {} }],
        customInitContainers: [{ name: 'tools', image: 'tools:1' }],
      },
    });
    const { pod } = specOf(deployment);
    const no = 'localhost,127.0.0.1,169.254.169.254,.svc,.cluster.local,.internal';
    const manager = managerOf(deployment);
    for (const container of [manager, pod.initContainer, pod.grpcServerContainer, pod.workerContainer]) {
      expect(variables(container)).toMatchObject({
        HTTPS_PROXY: 'http://proxy.test:3128',
        https_proxy: 'http://proxy.test:3128',
        NO_PROXY: no,
        NODE_EXTRA_CA_CERTS: '/opt/spacelift/certificates/extra/extra-ca.pem',
      });
      expect(container?.volumeMounts?.[0]?.mountPath).toBe('/opt/spacelift/certificates/extra');
    }
    const bundle = '/opt/spacelift/certificates/all/ca-certificates.crt';
    expect(variables(pod.workerContainer)).toMatchObject({ SSL_CERT_FILE: bundle, CURL_CA_BUNDLE: bundle });
    expect(variables(pod.initContainer)).toMatchObject({ GIT_SSL_CAINFO: bundle });
    expect(pod.customInitContainers?.map(({ name, image: of }) => `${name} ${of ?? ''}`)).toEqual([
      `certificates ${image}`,
      'tools tools:1',
    ]);
    expect(pod.volumes?.map(({ name }) => name)).toEqual(['extra-certificates', 'all-certificates', 'own']);
    expect(deployment.one('ConfigMap').inputs['data']).toEqual({
      'extra-ca.pem': `${certificate}\n`.repeat(2),
    });
  });

  it('lets out what the control plane, proxies and names need, and what is named', async () => {
    const deployment = await make({
      ...least(),
      networkPolicy: { ports: [22], controllerPorts: [16_443] },
      proxy: { https: 'http://proxy.test:3128' },
      metrics: {},
    });
    const portsOf = (name: string, way: 'egress' | 'ingress') =>
      (
        named(deployment, 'NetworkPolicy', name).inputs['spec'] as Record<
          string,
          { ports: { port: number }[] }[]
        >
      )[way]?.flatMap(({ ports }) => ports.map(({ port }) => port));
    expect(portsOf('builds-runs', 'egress')).toEqual([53, 53, 22, 443, 3128]);
    expect(portsOf('builds-runs', 'ingress')).toEqual([]);
    expect(portsOf('builds-controller', 'egress')).toEqual([53, 53, 443, 3128, 6443, 8883, 16_443]);
    expect(portsOf('builds-controller', 'ingress')).toEqual([8443]);
  });

  it('labels everything, and keeps the labels that selectors go by', async () => {
    const tags = { team: 'platform', 'app.kubernetes.io/name': 'mine' };
    const { resources } = await make({ ...least(), tags, networkPolicy: {} });
    for (const { type, inputs } of resources.filter(
      ({ type }) => !/:(CustomResource|Kubernetes)/.test(type),
    )) {
      expect((inputs['metadata'] as { labels: object }).labels, type).toMatchObject({ team: 'platform' });
    }
    const deployment = resources.find(({ type }) => type.endsWith(':Deployment'));
    expect((deployment?.inputs['metadata'] as { labels: object }).labels).toMatchObject({
      'app.kubernetes.io/name': 'builds',
    });
  });

  it('goes to the cluster of the provider that it gets', async () => {
    const { resources } = await deploy(async () => {
      const { Provider } = await import('@pulumi/kubernetes/provider.js');
      const provider = new Provider('elsewhere', { kubeconfig: '{}' });
      new KubernetesWorkerPool('builds', least(), { providers: [provider] });
    }, kubernetes);
    const objects = resources.filter(({ type }) => type.startsWith('kubernetes:'));
    expect(objects.length).toBeGreaterThan(8);
    expect(objects.filter(({ provider }) => !provider.includes('elsewhere'))).toEqual([]);
  });

  it('has outputs that are no secrets', async () => {
    let pool: KubernetesWorkerPool | undefined;
    await deploy(() => (pool = new KubernetesWorkerPool('builds', least())), kubernetes);
    const outputs = [
      'poolName',
      'namespace',
      'poolId',
      'credentialsId',
      'launcherImage',
      'howToLook',
    ] as const;
    const found = await Promise.all(outputs.map((output) => valueOf<unknown>(pool![output])));
    expect(found.map(({ secret }) => secret)).toEqual(outputs.map(() => false));
    expect(found.map(({ value }) => value).slice(0, 5)).toEqual([
      'builds',
      'builds-1a2b3c4d',
      expect.stringMatching(/^[0-9A-Z]{26}$/),
      'builds-1a2b3c4d/builds-credentials-1a2b3c4d',
      image,
    ]);
    const where = '--namespace builds-1a2b3c4d';
    const look = [
      `kubectl get workerpools,workers,pods ${where}`,
      `kubectl describe workerpool builds ${where}`,
    ];
    const logs = `kubectl logs deployment/builds-controller-manager ${where}`;
    expect(found[5]?.value).toBe([...look, logs].join('\n'));
    // There is no such Deployment when another controller looks after the pool.
    const without = { ...least(), controller: { install: false } };
    await deploy(() => (pool = new KubernetesWorkerPool('builds', without)), kubernetes);
    expect((await valueOf<unknown>(pool!.howToLook)).value).toBe(look.join('\n'));
  });

  it('is previewed when token, key, namespace and image are not known yet', async () => {
    const { resources } = await make(
      {
        token: unknownOutput<string>(),
        privateKey: unknownOutput<string>(),
        namespace: unknownOutput<string>(),
        launcher: { image: unknownOutput<string>() },
        pod: { nodeSelector: unknownOutput<Record<string, string>>() },
        networkPolicy: {},
      },
      true,
    );
    expect(resources.length).toBeGreaterThan(10);
  });
});

describe('wrong arguments of a pool on Kubernetes', () => {
  it('come back all at once, with their paths, and nothing is made', async () => {
    const { paths, reasons } = await refusal({
      token: credentials.token,
      credentials: 'Not A Name',
      size: { min: 3, max: 2 },
      namespace: 'Upper',
      launcher: { runTimeout: '2 days', environment: { '1': 'x' } },
      proxy: { https: 'http://user:password@proxy.test' },
      extraCaCertificates: ['none'],
      controller: { replicas: 0, namespaces: ['a b'] },
      networkPolicy: { ports: [70_000] },
      tags: { team: 'not a label' },
      pod: {
        activeDeadlineSeconds: 0,
        dnsPolicy: 'Sometimes',
        workerContainer: { env: [{ name: '' }] },
      },
      kubernetes: { space: 'root', failedPodsHistoryTTL: '2 days' },
      machineType: 't3.small',
    } as KubernetesWorkerPoolArgs);
    expect(paths).toEqual([
      'machineType',
      'size.max',
      'token',
      'controller.replicas',
      'controller.namespaces[0]',
      'networkPolicy.ports[0]',
      'kubernetes.space',
      'namespace',
      'credentials',
      'launcher.image',
      'launcher.runTimeout',
      'launcher.environment.1',
      'proxy.https',
      'extraCaCertificates[0]',
      'tags.team',
      'pod.activeDeadlineSeconds',
      'pod.dnsPolicy',
      'pod.workerContainer.env[0].name',
      'kubernetes.failedPodsHistoryTTL',
    ]);
    expect(reasons.join()).not.toContain('user:password');
  });

  it('are found below pod, wherever the custom resource has no such field', async () => {
    const pod = { workerContainer: { resource: {} }, sidecars: [] } as unknown;
    const { paths } = await refusal({ ...least(), pod: pod as NonNullable<KubernetesWorkerPoolArgs['pod']> });
    expect(paths).toEqual(['pod.workerContainer.resource', 'pod.sidecars']);
  });

  it('are a key that does not belong to the token, and credentials that are half there', async () => {
    const other = await poolCredentials();
    expect((await refusal({ ...least(), privateKey: other.privateKey })).paths).toEqual(['privateKey']);
    expect((await refusal({ launcher: { image } })).paths).toEqual(['token', 'privateKey']);
    expect((await refusal({ launcher: { image }, apiCredentials: { keyId: 'id' } })).paths).toEqual([
      'apiCredentials.keySecret',
      'apiCredentials.endpoint',
    ]);
    expect(
      (
        await refusal({
          launcher: { image },
          apiCredentials: { secretName: 's', keyId: 'id' },
          namespace: 'runs',
        })
      ).paths,
    ).toEqual(['apiCredentials.keyId']);
  });

  it('are Secrets that would have to be in a namespace that is only made here', async () => {
    expect((await refusal({ launcher: { image }, credentials: 'pool' })).paths).toEqual(['credentials']);
    expect((await refusal({ launcher: { image }, apiCredentials: { secretName: 'key' } })).paths).toEqual([
      'apiCredentials.secretName',
    ]);
  });

  it('are drift limits that say nothing, and options of a controller that is not installed', async () => {
    const registered = { launcher: { image }, apiCredentials: { secretName: 'key' }, namespace: 'runs' };
    expect((await refusal({ ...registered, kubernetes: { driftDetectionRunLimits: {} } })).paths).toEqual([
      'kubernetes.driftDetectionRunLimits',
    ]);
    const { paths, reasons } = await refusal({
      ...least(),
      controller: { install: false, replicas: 2 },
      networkPolicy: { ports: [22], controllerPorts: [16_443] },
      metrics: {},
    });
    expect(paths).toEqual(['controller.replicas', 'networkPolicy.controllerPorts', 'metrics']);
    expect(new Set(reasons)).toEqual(new Set(['has no effect when controller.install is false']));
  });

  it('are arguments that come late but decide what is made', async () => {
    const late = { pod: pulumi.output({}), controller: Promise.resolve({}) } as unknown;
    expect((await refusal({ ...least(), ...(late as KubernetesWorkerPoolArgs) })).paths).toEqual([
      'pod',
      'controller',
    ]);
  });

  it('that come late are found before anything is made', async () => {
    const other = await poolCredentials();
    const mixed = { ...credentials, privateKey: other.privateKey };
    const mismatch = await deployElsewhere('late-fault.mjs', { ...mixed, kubernetes: 'yes' });
    expect(mismatch.made).toEqual(['workerpools:index:KubernetesWorkerPool']);
    expect(mismatch.message).toMatch(/INVALID_ARGUMENT[^]*privateKey: /);
    const secret = await deployElsewhere('late-fault.mjs', {
      ...credentials,
      kubernetes: 'yes',
      secret: 'the hidden value',
    });
    expect(secret.made).toEqual(['workerpools:index:KubernetesWorkerPool']);
    expect(secret.message).toMatch(/pod\.workerContainer\.env\[0\]\.value: holds a secret/);
    expect(secret.message).not.toContain('the hidden value');
  }, 60_000);
});

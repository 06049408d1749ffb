// The chart and the kustomization of the pool controller: what Helm and kubectl make of them is what the plain manifests say.
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, mkdir, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { available } from '../../support/skips.js';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const tool = (name: string) => join(root, '.tools', 'bin', name);
const yaml = createRequire(import.meta.url)('js-yaml') as {
  load(text: string): unknown;
  loadAll(text: string): unknown[];
};
const image = 'registry.test/launcher:1';
const release = ['spacelift-workerpool-controller', '--namespace', 'spacelift-worker-controller-system'];

interface KubeObject {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly spec?: Record<string, unknown>;
}

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'poolwright-chart-'));
  await manifests('helm', '--out', join(folder, 'chart'));
  await manifests('kustomize', '--out', join(folder, 'base'));
}, 60_000);
afterAll(() => rm(folder, { recursive: true, force: true }));

async function manifests(...words: string[]): Promise<string> {
  const script = join(root, 'scripts', 'manifests.mjs');
  return (await promisify(execFile)(process.execPath, [script, ...words, '--image', image])).stdout;
}

const objects = (text: string) => yaml.loadAll(text).filter((object) => object !== null) as KubeObject[];

/** In an order of their own: that of the objects, and that of a controller's arguments, say nothing. */
function sorted(list: readonly KubeObject[]): string[] {
  const place = ({ kind, metadata }: KubeObject) => `${kind} ${metadata.namespace ?? ''} ${metadata.name}`;
  const text = (value: unknown): string =>
    JSON.stringify(value, (key, item: unknown) => {
      if (key === 'args' && Array.isArray(item)) return (item as string[]).toSorted();
      if (item === null || typeof item !== 'object' || Array.isArray(item)) return item;
      return Object.fromEntries(Object.entries(item).sort(([a], [b]) => (a < b ? -1 : 1)));
    });
  return list.map((object) => `${place(object)} ${text(object)}`).sort();
}

describe('the chart', () => {
  it('has a value for everything that a template asks for, and asks for every value', async () => {
    const values = yaml.load(await readFile(join(folder, 'chart', 'values.yaml'), 'utf8')) as object;
    const templates = join(folder, 'chart', 'templates');
    const texts = await Promise.all(
      (await readdir(templates)).map((file) => readFile(join(templates, file), 'utf8')),
    );
    const asked = new Set([...texts.join('\n').matchAll(/\.Values\.([\w.]+)/g)].map(([, path = '']) => path));
    const at = (path: string) =>
      path
        .split('.')
        .reduce<unknown>((value, key) => (value as Record<string, unknown> | undefined)?.[key], values);
    // They are alternatives to what has a default, and so have none.
    expect([...asked].filter((path) => at(path) === undefined).sort()).toEqual([
      'controllerManager.pdb.minAvailable',
      'pdb.maxUnavailable',
    ]);
    const leaves = (value: unknown, path: string): string[] =>
      asked.has(path) || value === null || typeof value !== 'object' || Array.isArray(value)
        ? [path]
        : Object.entries(value).flatMap(([key, item]) => leaves(item, path === '' ? key : `${path}.${key}`));
    expect(leaves(values, '').filter((path) => !asked.has(path))).toEqual([]);
  });
});

const hasHelm = available(
  'the chart in Helm',
  existsSync(tool('helm')),
  'no helm (npm run test:tools builds it)',
);

describe.runIf(hasHelm)('the chart in Helm', () => {
  const helm = async (...words: string[]) =>
    (await promisify(execFile)(tool('helm'), words, { maxBuffer: 16 * 1024 * 1024 })).stdout;
  const template = async (...words: string[]) =>
    objects(await helm('template', ...release, join(folder, 'chart'), '--kube-version', '1.34.4', ...words));

  it('is clean', async () => {
    expect(await helm('lint', '--strict', join(folder, 'chart'))).toContain('0 chart(s) failed');
  });

  it('makes what the plain manifests have, but for the namespace, and keeps the definitions', async () => {
    const made = await template();
    for (const { kind, metadata } of made as { kind: string; metadata: Record<string, unknown> }[]) {
      if (kind !== 'CustomResourceDefinition') continue;
      expect(metadata['annotations']).toEqual({ 'helm.sh/resource-policy': 'keep' });
      delete metadata['annotations'];
    }
    const plain = objects(await manifests()).filter(({ kind }) => kind !== 'Namespace');
    expect(sorted(made)).toEqual(sorted(plain));
  });

  it('makes the same with namespaces, figures, budgets and policies', async () => {
    const values = [
      'crds.install=false',
      'controllerManager.namespaces={a,b}',
      'controllerManager.replicas=2',
    ];
    const on = ['metricsService.enabled=true', 'pdb.enabled=true', 'networkPolicy.enabled=true'];
    const made = await template(...[...values, ...on].flatMap((value) => ['--set', value]));
    const options = ['--metrics', '--network-policy', '--pod-disruption-budget', '--replicas=2'];
    const plain = objects(await manifests('--pools=a', '--pools=b', ...options));
    const others = plain.filter(({ kind }) => !['Namespace', 'CustomResourceDefinition'].includes(kind));
    expect(sorted(made)).toEqual(sorted(others));
  });

  it('takes the other values where their names say', async () => {
    const values = {
      fullnameOverride: 'pools',
      crds: { annotations: { team: 'a' } },
      controllerManager: {
        namespaces: ['a'],
        annotations: { one: '1' },
        podAnnotations: { two: '2' },
        extraLabels: { three: '3' },
        nodeSelector: { disk: 'ssd' },
        tolerations: [{ operator: 'Exists' }],
        topologySpreadConstraints: [{ maxSkew: 1 }],
        imagePullSecrets: [{ name: 'registry' }],
        extraVolumes: [{ name: 'ca' }],
        serviceAccount: { name: 'account', annotations: { role: 'r' }, labels: { four: '4' } },
        manager: {
          args: ['--leader-elect', '--debug'],
          image: { repository: 'other/launcher', tag: 2 },
          resources: { limits: { memory: '1Gi' } },
          containerSecurityContext: { runAsUser: 1 },
          extraVolumeMounts: [{ name: 'ca', mountPath: '/ca' }],
          extraPodLabels: { five: '5' },
        },
      },
      metricsService: {
        enabled: true,
        type: 'NodePort',
        ports: [{ name: 'metrics', port: 9090, targetPort: 'metrics' }],
        serviceMonitor: {
          enabled: true,
          namespace: 'monitoring',
          interval: '15s',
          scrapeTimeout: '5s',
          path: '/m',
          tlsConfig: { ca: { secret: { name: 'ca', key: 'ca.crt' } } },
          additionalLabels: { release: 'prometheus' },
          annotations: { six: '6' },
        },
      },
      pdb: { enabled: true, maxUnavailable: 1 },
      networkPolicy: { enabled: true, ports: [22], controllerPorts: [9000] },
    };
    await writeFile(join(folder, 'values.json'), JSON.stringify(values));
    const made = await template('--values', join(folder, 'values.json'));
    const one = (kind: string, name?: string) =>
      made.find((object) => object.kind === kind && (name === undefined || object.metadata.name === name));
    const selector = { 'app.kubernetes.io/name': 'pools', 'app.kubernetes.io/component': 'controller' };
    expect(one('CustomResourceDefinition')).toMatchObject({ metadata: { annotations: { team: 'a' } } });
    expect(one('ServiceAccount')).toMatchObject({
      metadata: { name: 'account', annotations: { role: 'r' }, labels: { ...selector, four: '4' } },
    });
    expect(one('RoleBinding', 'pools-manager-rolebinding')).toMatchObject({
      metadata: { namespace: 'a' },
      subjects: [{ name: 'account' }],
    });
    expect(one('Deployment')).toMatchObject({
      metadata: {
        name: 'pools-controller-manager',
        annotations: { one: '1' },
        labels: { ...selector, three: '3' },
      },
      spec: {
        selector: { matchLabels: selector },
        template: {
          metadata: { annotations: { two: '2' }, labels: { ...selector, five: '5' } },
          spec: {
            serviceAccountName: 'account',
            nodeSelector: { 'kubernetes.io/os': 'linux', disk: 'ssd' },
            tolerations: [{ operator: 'Exists' }],
            topologySpreadConstraints: [{ maxSkew: 1 }],
            imagePullSecrets: [{ name: 'registry' }],
            volumes: [{ name: 'ca' }],
            containers: [
              {
                image: 'other/launcher:2',
                resources: { limits: { memory: '1Gi' } },
                securityContext: { runAsUser: 1 },
                volumeMounts: [{ name: 'ca', mountPath: '/ca' }],
                args: expect.arrayContaining([
                  '--debug',
                  '--namespaces=a',
                  '--metrics-bind-address=:8443',
                  '--metrics-secure=true',
                ]) as string[],
              },
            ],
          },
        },
      },
    });
    expect(one('Service')).toMatchObject({ spec: { type: 'NodePort', ports: [{ port: 9090 }] } });
    expect(one('ServiceMonitor')).toMatchObject({
      metadata: { namespace: 'monitoring', labels: { release: 'prometheus' }, annotations: { six: '6' } },
      spec: {
        namespaceSelector: { matchNames: ['spacelift-worker-controller-system'] },
        endpoints: [
          {
            ...{ interval: '15s', scrapeTimeout: '5s', path: '/m', port: 'https', scheme: 'https' },
            bearerTokenFile: '/var/run/secrets/kubernetes.io/serviceaccount/token',
            tlsConfig: { ca: { secret: { name: 'ca', key: 'ca.crt' } } },
          },
        ],
      },
    });
    expect(one('PodDisruptionBudget')?.spec).toMatchObject({ maxUnavailable: 1 });
    expect(one('PodDisruptionBudget')?.spec).not.toHaveProperty('minAvailable');
    const ports = (name: string) => JSON.stringify(one('NetworkPolicy', name)?.spec?.['egress']);
    expect(ports('pools-runs')).toContain('"port":22}');
    expect(ports('pools-controller')).toContain('"port":9000}');
  });

  it('lets nothing in to the controller where no figures are served', async () => {
    const ingress = async (...set: string[]): Promise<unknown> => {
      const on = ['networkPolicy.enabled=true', ...set].flatMap((value) => ['--set', value]);
      const policies = (await template(...on)).filter(({ kind }) => kind === 'NetworkPolicy');
      return Object.fromEntries(
        policies.map(({ metadata, spec }) => [metadata.name.split('-').at(-1), spec?.['ingress']]),
      );
    };
    expect(await ingress()).toEqual({ controller: [], runs: [] });
    expect(await ingress('metricsService.enabled=true')).toEqual({
      controller: [{ ports: [{ protocol: 'TCP', port: 8443 }] }],
      runs: [],
    });
  });

  it.each([
    ['one controller at a time', [], { maxUnavailable: 1 }],
    ['as many as may go', ['maxUnavailable=2'], { maxUnavailable: 2 }],
    ['as many as have to stay', ['minAvailable=1'], { minAvailable: 1 }],
    ['a part of them', ['minAvailable=50%'], { minAvailable: '50%' }],
    ['none', ['maxUnavailable=0'], { maxUnavailable: 0 }],
  ])('lets the maintenance of nodes take %s', async (_, values, demand) => {
    const set = ['enabled=true', ...values].flatMap((value) => ['--set', `controllerManager.pdb.${value}`]);
    const budgets = (await template(...set)).filter(({ kind }) => kind === 'PodDisruptionBudget');
    const labels = {
      'app.kubernetes.io/name': 'spacelift-workerpool-controller',
      'app.kubernetes.io/component': 'controller',
    };
    expect(budgets).toEqual([
      {
        apiVersion: 'policy/v1',
        kind: 'PodDisruptionBudget',
        metadata: {
          name: 'spacelift-workerpool-controller-controller-manager-pdb',
          namespace: 'spacelift-worker-controller-system',
          labels,
        },
        spec: { selector: { matchLabels: labels }, ...demand },
      },
    ]);
  });

  it('serves plain figures without ClusterRoles where they are not to be secured', async () => {
    const off = ['secure=false', 'enabled=true', 'serviceMonitor.enabled=true'];
    const set = ['controllerManager.namespaces={a}', ...off.map((value) => `metricsService.${value}`)];
    const made = await template(...set.flatMap((value) => ['--set', value]));
    expect(made.filter(({ kind }) => kind.startsWith('ClusterRole'))).toEqual([]);
    const [endpoint] = made.find(({ kind }) => kind === 'ServiceMonitor')?.spec?.['endpoints'] as object[];
    expect(endpoint).toMatchObject({ scheme: 'http' });
    expect(endpoint).not.toHaveProperty('bearerTokenFile');
    expect(endpoint).not.toHaveProperty('tlsConfig');
  });
});

const hasKubectl = available(
  'kustomizations',
  existsSync(tool('kubectl')),
  'no kubectl (npm run test:tools builds it)',
);

describe.runIf(hasKubectl)('the base of a kustomization', () => {
  const kustomize = async (where: string) =>
    objects(
      (await promisify(execFile)(tool('kubectl'), ['kustomize', where], { maxBuffer: 16 * 1024 * 1024 }))
        .stdout,
    );

  it('makes what the plain manifests have', async () => {
    expect(sorted(await kustomize(join(folder, 'base')))).toEqual(sorted(objects(await manifests())));
  });

  it('takes labels, patches and another namespace', async () => {
    const overlay = join(folder, 'overlay');
    await mkdir(overlay, { recursive: true });
    await writeFile(
      join(overlay, 'kustomization.yaml'),
      JSON.stringify({
        resources: ['../base'],
        namespace: 'elsewhere',
        labels: [{ pairs: { team: 'platform' } }],
        patches: [
          {
            target: { kind: 'Deployment' },
            patch: JSON.stringify([{ op: 'replace', path: '/spec/replicas', value: 2 }]),
          },
        ],
      }),
    );
    const made = await kustomize(overlay);
    expect(made.find(({ kind }) => kind === 'Deployment')).toMatchObject({
      metadata: { namespace: 'elsewhere', labels: { team: 'platform' } },
      spec: { replicas: 2 },
    });
    expect(made.find(({ kind }) => kind === 'ClusterRoleBinding')).toMatchObject({
      subjects: [{ namespace: 'elsewhere' }],
    });
  });
});

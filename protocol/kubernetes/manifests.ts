// The objects that put the pool controller into a cluster, as plain manifests, and those that protect its run pods.
import { definitions } from './definitions.js';
import { group, labels } from './names.js';

export interface ControllerSettings {
  /** Begins the names of all objects. */
  readonly name: string;
  readonly namespace: string;
  /** Image of the controller and of the launcher's containers in run pods. */
  readonly image: string;
  readonly replicas: number;
  /** Namespaces whose pools it looks after, and in which it gets rights; empty: all. */
  readonly namespaces: readonly string[];
  /** Port of /metrics; undefined for none. */
  readonly metricsPort?: number;
  readonly resources?: object;
}

export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
  };
  readonly [field: string]: unknown;
}

export const controllerDefaults = {
  name: 'spacelift-workerpool-controller',
  namespace: 'spacelift-worker-controller-system',
  replicas: 1,
  resources: { requests: { cpu: '100m', memory: '128Mi' }, limits: { memory: '512Mi' } },
} as const;

const rbac = 'rbac.authorization.k8s.io';

/** What the controller does in the namespaces of its pools, and nothing else. */
export const poolRules = [
  { apiGroups: [''], resources: ['events'], verbs: ['create', 'get', 'list', 'patch'] },
  { apiGroups: [''], resources: ['pods'], verbs: ['create', 'delete', 'get', 'list', 'patch', 'watch'] },
  { apiGroups: [''], resources: ['secrets'], verbs: ['create', 'delete', 'get', 'list', 'patch', 'watch'] },
  {
    apiGroups: [group],
    resources: ['workerpools', 'workers'],
    verbs: ['create', 'delete', 'get', 'list', 'patch', 'update', 'watch'],
  },
  {
    apiGroups: [group],
    resources: ['workerpools/finalizers', 'workers/finalizers'],
    verbs: ['update'],
  },
  {
    apiGroups: [group],
    resources: ['workerpools/status', 'workers/status'],
    verbs: ['get', 'patch', 'update'],
  },
] as const;

/** In its own namespace: the lease by which one of several replicas leads, and its own API key. */
export const ownRules = [
  {
    apiGroups: ['coordination.k8s.io'],
    resources: ['leases'],
    verbs: ['create', 'get', 'update'],
  },
  { apiGroups: [''], resources: ['secrets'], resourceNames: ['spacelift-api-credentials'], verbs: ['get'] },
] as const;

/** Definitions, namespace, account, rights and the controller itself, in the order in which they can be applied. */
export function controllerManifests(settings: ControllerSettings): readonly Manifest[] {
  return [
    ...(definitions() as unknown as readonly Manifest[]),
    namespaceOf(settings),
    ...controllerObjects(settings),
  ];
}

function namespaceOf({ namespace }: ControllerSettings): Manifest {
  return {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: namespace },
  };
}

export function controllerObjects(settings: ControllerSettings): readonly Manifest[] {
  const { name, namespace, namespaces } = settings;
  const account = `${name}-controller-manager`;
  const common = { 'app.kubernetes.io/name': name, 'app.kubernetes.io/component': 'controller' };
  const subjects = [{ kind: 'ServiceAccount', name: account, namespace }];
  const own = (kind: string, suffix: string, rest: object, apiVersion = `${rbac}/v1`, where = namespace) => ({
    apiVersion,
    kind,
    metadata: { name: `${name}-${suffix}`, namespace: where, labels: common },
    ...rest,
  });
  const roles: Manifest[] =
    namespaces.length === 0
      ? [
          {
            apiVersion: `${rbac}/v1`,
            kind: 'ClusterRole',
            metadata: { name: `${name}-manager-role` },
            rules: poolRules,
          },
          {
            apiVersion: `${rbac}/v1`,
            kind: 'ClusterRoleBinding',
            metadata: { name: `${name}-manager-rolebinding` },
            roleRef: { apiGroup: rbac, kind: 'ClusterRole', name: `${name}-manager-role` },
            subjects,
          },
        ]
      : namespaces.flatMap((where) => [
          own('Role', 'manager-role', { rules: poolRules }, `${rbac}/v1`, where),
          own(
            'RoleBinding',
            'manager-rolebinding',
            { roleRef: { apiGroup: rbac, kind: 'Role', name: `${name}-manager-role` }, subjects },
            `${rbac}/v1`,
            where,
          ),
        ]);
  return [
    own('ServiceAccount', 'controller-manager', {}, 'v1'),
    ...roles,
    own('Role', 'leader-election-role', { rules: ownRules }),
    own('RoleBinding', 'leader-election-rolebinding', {
      roleRef: { apiGroup: rbac, kind: 'Role', name: `${name}-leader-election-role` },
      subjects,
    }),
    deployment(settings, account, common),
    ...(settings.metricsPort === undefined ? [] : [metricsService(settings, common)]),
  ];
}

function deployment(
  settings: ControllerSettings,
  account: string,
  common: Readonly<Record<string, string>>,
): Manifest {
  const { name, namespace, image, replicas, namespaces, metricsPort } = settings;
  const probe = (path: string) => ({ httpGet: { path, port: 'health' }, periodSeconds: 10 });
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: `${name}-controller-manager`, namespace, labels: common },
    spec: {
      replicas,
      selector: { matchLabels: common },
      // A new one leads as soon as the old one has let go.
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } },
      template: {
        metadata: { labels: common, annotations: { 'kubectl.kubernetes.io/default-container': 'manager' } },
        spec: {
          serviceAccountName: account,
          terminationGracePeriodSeconds: 10,
          nodeSelector: { 'kubernetes.io/os': 'linux' },
          securityContext: {
            runAsNonRoot: true,
            runAsUser: 1983,
            runAsGroup: 1983,
            seccompProfile: { type: 'RuntimeDefault' },
          },
          containers: [
            {
              name: 'manager',
              image,
              command: ['launcher', 'controller'],
              args: [
                '--leader-elect',
                '--controller-namespace=$(CONTROLLER_NAMESPACE)',
                '--health-probe-bind-address=:8081',
                `--metrics-bind-address=${metricsPort === undefined ? '0' : `:${String(metricsPort)}`}`,
                ...namespaces.map((where) => `--namespaces=${where}`),
              ],
              env: [
                {
                  name: 'CONTROLLER_NAMESPACE',
                  valueFrom: { fieldRef: { fieldPath: 'metadata.namespace' } },
                },
                { name: 'POOLWRIGHT_LAUNCHER_IMAGE', value: image },
              ],
              ports: [
                { name: 'health', containerPort: 8081 },
                ...(metricsPort === undefined ? [] : [{ name: 'metrics', containerPort: metricsPort }]),
              ],
              livenessProbe: { ...probe('/healthz'), initialDelaySeconds: 15 },
              readinessProbe: { ...probe('/readyz'), initialDelaySeconds: 1 },
              resources: settings.resources ?? controllerDefaults.resources,
              securityContext: {
                allowPrivilegeEscalation: false,
                readOnlyRootFilesystem: true,
                capabilities: { drop: ['ALL'] },
              },
            },
          ],
        },
      },
    },
  };
}

function metricsService(settings: ControllerSettings, common: Readonly<Record<string, string>>): Manifest {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: `${settings.name}-metrics`, namespace: settings.namespace, labels: common },
    spec: {
      selector: common,
      ports: [{ name: 'metrics', port: settings.metricsPort, targetPort: 'metrics' }],
    },
  };
}

/** Runs of a namespace are not ended for the sake of a node's maintenance. */
export function disruptionBudget(name: string, namespace: string): Manifest {
  return {
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: { name: `${name}-worker-pdb`, namespace },
    spec: {
      // All of them. Not '100%': the owners of these pods have no scale, and then only a number counts (Kubernetes,
      // "Specifying a Disruption Budget for your Application", arbitrary workloads).
      minAvailable: 2_147_483_647,
      selector: { matchExpressions: [{ key: labels.workerPool, operator: 'Exists' }] },
    },
  };
}

/** Run pods of a namespace: nothing comes in, names and HTTPS go out, and what else is named. */
export function runNetworkPolicy(name: string, namespace: string, ports: readonly number[]): Manifest {
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name: `${name}-runs`, namespace },
    spec: {
      podSelector: { matchExpressions: [{ key: labels.workerPool, operator: 'Exists' }] },
      policyTypes: ['Ingress', 'Egress'],
      egress: [
        {
          ports: [
            { protocol: 'UDP', port: 53 },
            { protocol: 'TCP', port: 53 },
          ],
        },
        { ports: ports.map((port) => ({ protocol: 'TCP', port })) },
      ],
    },
  };
}

// Checks of what only pools on Kubernetes take, against the schema of the custom resource where it has the field.
import type * as z from 'zod';
import type { Fault } from '../../protocol/errors.js';
import { schemaOf, type Schema } from '../../protocol/kubernetes/definitions.js';
import { podSettings } from '../../protocol/kubernetes/pod-settings.js';
import { workerPoolSpec } from '../../protocol/kubernetes/resources.js';
import { checkAllNames, proxy, size, waitForWorkers, type Names } from '../argument-names.js';
import type { Known } from '../known.js';
import { hasLate } from '../late.js';
import type {
  ApiCredentialsArgs,
  ControllerArgs,
  KubernetesLauncherArgs,
  KubernetesWorkerPoolArgs,
  MetricsArgs,
  NetworkPolicyArgs,
} from './arguments.js';
import type { KubernetesNativeArgs } from './pool-arguments.js';

/** Arguments that decide which objects there are. */
export const early = [
  'size',
  'launcher',
  'pod',
  'proxy',
  'apiCredentials',
  'installCustomResources',
  'controller',
  'networkPolicy',
  'podDisruptionBudget',
  'metrics',
  'kubernetes',
  'waitForWorkers',
] as const satisfies readonly (keyof KubernetesWorkerPoolArgs)[];

const launcher: Names<KubernetesLauncherArgs> = {
  image: true,
  maskEnvs: true,
  whitelistEnvs: true,
  runInitializationPolicy: true,
  logsTimeout: true,
  runTimeout: true,
  defaultRunnerImage: true,
  debug: true,
  privateVcsMappings: true,
  environment: true,
};
const apiCredentials: Names<ApiCredentialsArgs> = {
  secretName: true,
  keyId: true,
  keySecret: true,
  endpoint: true,
};
const controller: Names<ControllerArgs> = {
  install: true,
  namespaces: true,
  replicas: true,
  resources: true,
  nodeSelector: true,
  tolerations: true,
  imagePullSecrets: true,
  priorityClassName: true,
  serviceAccountAnnotations: true,
};
const networkPolicy: Names<NetworkPolicyArgs> = { ports: true, controllerPorts: true };
const metrics: Names<MetricsArgs> = {
  secure: true,
  serviceMonitor: true,
  interval: true,
  labels: true,
};
const kubernetes: Names<KubernetesNativeArgs> = {
  space: true,
  description: true,
  driftDetectionRunLimits: true,
  allowedRunnerImageHosts: true,
  keepSuccessfulPods: true,
  successfulPodsHistoryLimit: true,
  failedPodsHistoryLimit: true,
  successfulPodsHistoryTTL: true,
  failedPodsHistoryTTL: true,
  mqttReconnectRetryCount: true,
};
const groups = {
  size,
  proxy,
  launcher,
  apiCredentials,
  controller,
  networkPolicy,
  metrics,
  kubernetes,
  waitForWorkers,
} satisfies Partial<Record<keyof KubernetesWorkerPoolArgs, unknown>>;
const all: Names<KubernetesWorkerPoolArgs> = {
  token: true,
  privateKey: true,
  credentials: true,
  namespace: true,
  pod: true,
  extraCaCertificates: true,
  installCustomResources: true,
  podDisruptionBudget: true,
  tags: true,
  size: true,
  launcher: true,
  apiCredentials: true,
  proxy: true,
  controller: true,
  networkPolicy: true,
  metrics: true,
  kubernetes: true,
  waitForWorkers: true,
};

export function checkArgumentNames(args: object, faults: Fault[]): void {
  checkAllNames(args, all, groups, faults);
}

/** One way to credentials, and that one whole. What was given is known even where its value is not. */
export function checkWays(args: KubernetesWorkerPoolArgs, faults: Fault[]): void {
  const { token, privateKey, credentials, apiCredentials: key } = args;
  const pair = { token, privateKey };
  const ways = 'give token and privateKey, credentials, or apiCredentials';
  if (credentials !== undefined && key !== undefined)
    faults.push({ path: 'apiCredentials', reason: `is given beside credentials; ${ways}` });
  for (const name of ['token', 'privateKey'] as const) {
    const other =
      credentials !== undefined ? 'credentials' : key !== undefined ? 'apiCredentials' : undefined;
    if (other !== undefined && pair[name] !== undefined)
      faults.push({ path: name, reason: `is given beside ${other}; ${ways}` });
    if (other === undefined && pair[name] === undefined)
      faults.push({ path: name, reason: `is missing; ${ways}` });
  }
  if (args.namespace === undefined) {
    const reason = 'names a Secret of a namespace that is there; say which in namespace';
    if (credentials !== undefined) faults.push({ path: 'credentials', reason });
    if (key?.secretName !== undefined) faults.push({ path: 'apiCredentials.secretName', reason });
  }
  if (key === undefined) return;
  const parts = ['keyId', 'keySecret', 'endpoint'] as const;
  if (key.secretName !== undefined) {
    for (const part of parts.filter((part) => key[part] !== undefined))
      faults.push({ path: `apiCredentials.${part}`, reason: 'is given beside apiCredentials.secretName' });
  } else {
    for (const part of parts.filter((part) => key[part] === undefined))
      faults.push({
        path: `apiCredentials.${part}`,
        reason: 'is missing; or name a Secret in apiCredentials.secretName',
      });
  }
}

/** What the controller sends to the control plane when it registers a pool, and so has no effect on others. */
export function checkRegistration(
  registered: boolean,
  settings: Known<KubernetesNativeArgs> | undefined,
  faults: Fault[],
): void {
  if (registered) return;
  for (const name of ['space', 'description', 'driftDetectionRunLimits'] as const) {
    if (settings?.[name] === undefined) continue;
    faults.push({
      path: `kubernetes.${name}`,
      reason: 'has no effect without apiCredentials: it belongs to pools that the controller registers',
    });
  }
}

export function checkController(
  {
    controller: args,
    networkPolicy,
    metrics,
  }: Pick<KubernetesWorkerPoolArgs, 'controller' | 'networkPolicy' | 'metrics'>,
  faults: Fault[],
): void {
  const { replicas = 1, namespaces = [] } = args ?? {};
  if (!Number.isInteger(replicas) || replicas < 1) {
    faults.push({
      path: 'controller.replicas',
      reason: `expected a whole number from 1, got ${String(replicas)}`,
    });
  }
  namespaces.forEach((namespace, index) => {
    checkName(`controller.namespaces[${String(index)}]`, namespace, faults);
  });
  if (args?.install !== false) return;
  const paths = [
    ...Object.keys(args)
      .filter((name) => name !== 'install')
      .map((name) => `controller.${name}`),
    ...(networkPolicy?.controllerPorts === undefined ? [] : ['networkPolicy.controllerPorts']),
    ...(metrics === undefined ? [] : ['metrics']),
  ];
  for (const path of paths) faults.push({ path, reason: 'has no effect when controller.install is false' });
}

export function checkPorts(args: NetworkPolicyArgs | undefined, faults: Fault[]): void {
  for (const name of ['ports', 'controllerPorts'] as const) {
    (args?.[name] ?? []).forEach((port, index) => {
      if (Number.isInteger(port) && port >= 1 && port <= 65_535) return;
      faults.push({
        path: `networkPolicy.${name}[${String(index)}]`,
        reason: `expected a port from 1 to 65535, got ${String(port)}`,
      });
    });
  }
}

/** As namespaces and most other objects are named (RFC 1123). */
export function checkName(path: string, name: unknown, faults: Fault[]): void {
  if (typeof name !== 'string' || /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(name)) return;
  faults.push({
    path,
    reason: `expected a name of lower-case letters, digits and hyphens, got ${JSON.stringify(name)}`,
  });
}

export function checkLabels(labels: unknown, faults: Fault[]): void {
  if (labels === null || typeof labels !== 'object') return;
  for (const [key, value] of Object.entries(labels)) {
    const path = `tags.${key}`;
    if (!/^([a-z0-9.-]{1,253}\/)?[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$/.test(key))
      faults.push({ path, reason: 'is not the name of a Kubernetes label' });
    else if (typeof value === 'string' && !/^([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?$/.test(value)) {
      faults.push({
        path,
        reason: 'labels of Kubernetes have up to 63 letters, digits, hyphens, underscores and dots',
      });
    }
  }
}

/** Settings of the custom resource, by its own schema. Values that come late are checked when they are there. */
export function checkSettings(
  args: { readonly pod?: unknown; readonly kubernetes?: unknown },
  faults: Fault[],
): void {
  checkPart('pod', podSettings, args.pod, faults);
  checkPart('kubernetes', workerPoolSpec, args.kubernetes, faults);
  const limits = (args.kubernetes as Known<KubernetesNativeArgs> | undefined)?.driftDetectionRunLimits;
  if (limits === null || typeof limits !== 'object' || hasLate(limits)) return;
  const { disabled, maxRuns } = limits as { disabled?: unknown; maxRuns?: unknown };
  if ((disabled === true) !== (maxRuns === undefined)) {
    faults.push({
      path: 'kubernetes.driftDetectionRunLimits',
      reason: 'expected either disabled: true, or maxRuns',
    });
  }
}

function checkPart(path: string, schema: z.ZodType, value: unknown, faults: Fault[]): void {
  if (value === undefined) return;
  const before = faults.length;
  checkFields(path, schemaOf(schema), value, faults);
  if (faults.length > before || hasLate(value)) return;
  for (const issue of schema.safeParse(value).error?.issues ?? []) {
    const place = issue.path.map((part) =>
      typeof part === 'number' ? `[${String(part)}]` : `.${String(part)}`,
    );
    faults.push({ path: path + place.join(''), reason: issue.message });
  }
}

/** Names that a field does not have; an object of the Kubernetes API itself is the API server's to check. */
function checkFields(path: string, schema: Schema, value: unknown, faults: Fault[]): void {
  if (value === null || typeof value !== 'object' || hasLate(value)) return;
  if (Array.isArray(value)) {
    value.forEach((item: unknown, index) => {
      checkFields(`${path}[${String(index)}]`, (schema['items'] ?? {}) as Schema, item, faults);
    });
    return;
  }
  const properties = schema['properties'] as Record<string, Schema> | undefined;
  if (properties === undefined || schema['x-kubernetes-preserve-unknown-fields'] === true) return;
  for (const [name, item] of Object.entries(value)) {
    const property = Object.hasOwn(properties, name) ? properties[name] : undefined;
    if (property === undefined) {
      const known = Object.keys(properties).sort().join(', ');
      faults.push({ path: `${path}.${name}`, reason: `is not an argument; there are ${known}` });
    } else checkFields(`${path}.${name}`, property, item, faults);
  }
}

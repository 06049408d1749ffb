// The pod of one assignment, as a pure function of the pool's settings. What the pool does not say follows the
// restricted profile of the Pod Security Standards (https://kubernetes.io/docs/concepts/security/pod-security-standards/).
import type { Stage } from '../../protocol/runs.js';
import {
  apiVersion,
  containers,
  finalizer,
  labels,
  places,
  runUser,
} from '../../protocol/kubernetes/names.js';
import type { NativeObject } from '../../protocol/kubernetes/fields.js';
import type { ContainerSettings, PodSettings } from '../../protocol/kubernetes/pod-settings.js';
import { ownerReference, type Worker } from './objects.js';
import { assignmentFiles } from './pod/assignment-files.js';
import { runLogsVariable } from './pod/run-logs.js';

export interface PodRequest {
  readonly run: string;
  readonly attempt: number;
  readonly stage: Stage;
  /** ULID. */
  readonly pool: string;
  /** ULID. */
  readonly workerId: string;
  readonly worker: Worker;
  readonly settings: PodSettings;
  readonly runnerImage: string;
  readonly launcherImage: string;
  readonly secretName: string;
}

const phases = {
  PLAN: 'preparing',
  APPLY: 'applying',
  PERFORM: 'performing',
  DESTROY: 'destroying',
} as const;

/** The same for the same assignment, so that a pod is made once, whoever makes it. */
export function podName(run: string, stage: Stage, attempt: number): string {
  return `${run.toLowerCase()}-${phases[stage]}-${String(attempt)}`;
}

export function runLabels(request: Pick<PodRequest, 'run' | 'attempt' | 'pool' | 'workerId'>) {
  return {
    [labels.run]: request.run,
    [labels.attempt]: String(request.attempt),
    [labels.worker]: request.workerId,
    [labels.workerPool]: request.pool,
  };
}

const volumeNames = {
  workspace: 'workspace',
  cache: 'binaries-cache',
  bridge: 'bridge',
  state: 'state',
} as const;

export function podOf(request: PodRequest): object {
  const { settings } = request;
  const workspace = settings.workspaceVolume ?? { name: volumeNames.workspace, emptyDir: {} };
  const cache = settings.binariesCacheVolume ?? { name: volumeNames.cache, emptyDir: {} };
  const shared = [
    { name: workspace.name, mountPath: places.workspace },
    { name: cache.name, mountPath: places.binariesCache },
    { name: volumeNames.bridge, mountPath: places.bridge },
  ];
  const own = [
    ...shared,
    { name: volumeNames.state, mountPath: places.state },
    { name: 'assignment', mountPath: places.assignment, readOnly: true },
  ];
  const launcher = (
    name: string,
    command: string,
    of: ContainerSettings | undefined,
    more: readonly object[] = [],
  ) =>
    container(name, request.launcherImage, ['launcher', command], of, own, [
      { name: 'HOME', value: places.state },
      ...more,
    ]);
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: podName(request.run, request.stage, request.attempt),
      namespace: request.worker.metadata.namespace,
      labels: { ...settings.labels, ...runLabels(request) },
      annotations: {
        'kubectl.kubernetes.io/default-container': containers.worker,
        // An autoscaler of nodes must not take the node away for want of load.
        'cluster-autoscaler.kubernetes.io/safe-to-evict': 'false',
        ...settings.annotations,
      },
      ownerReferences: [ownerReference('Worker', apiVersion, request.worker)],
      finalizers: [finalizer],
    },
    spec: {
      ...scheduling(settings),
      restartPolicy: 'Never',
      activeDeadlineSeconds: settings.activeDeadlineSeconds,
      terminationGracePeriodSeconds: graceSeconds(settings),
      automountServiceAccountToken: settings.automountServiceAccountToken ?? false,
      enableServiceLinks: false,
      securityContext: {
        runAsNonRoot: true,
        runAsUser: runUser,
        runAsGroup: runUser,
        fsGroup: runUser,
        seccompProfile: { type: 'RuntimeDefault' },
        ...settings.securityContext,
      },
      volumes: [
        workspace,
        ...(cache.name === workspace.name ? [] : [cache]),
        // In memory: steps hold the run's variables.
        { name: volumeNames.bridge, emptyDir: { medium: 'Memory', sizeLimit: '64Mi' } },
        { name: volumeNames.state, emptyDir: {} },
        {
          name: 'assignment',
          secret: {
            secretName: request.secretName,
            defaultMode: 0o440,
            items: Object.values(assignmentFiles).map((key) => ({ key, path: key })),
          },
        },
        ...(settings.volumes ?? []),
      ],
      initContainers: [
        ...(settings.customInitContainers ?? []),
        launcher(containers.init, 'run-init', settings.initContainer, runLogsOfWorker(settings)),
      ],
      containers: [
        launcher(containers.server, 'run-server', settings.grpcServerContainer),
        container(
          containers.worker,
          request.runnerImage,
          ['/bin/sh', `${places.bridge}/worker.sh`, places.bridge],
          settings.workerContainer,
          shared,
          [],
        ),
        ...(settings.additionalSidecarContainers ?? []),
      ],
    },
  };
}

/** `launcher-grpc` asks the worker; `init`, which says the first lines of a run's log, is over before there is one. */
function runLogsOfWorker({ initContainer, workerContainer }: PodSettings): readonly object[] {
  const isIt = ({ name }: { readonly name: string }) => name === runLogsVariable;
  return initContainer?.env?.some(isIt) === true ? [] : (workerContainer?.env?.filter(isIt) ?? []);
}

/** Seconds from the first signal until what is still there is killed. */
export function graceSeconds(settings: PodSettings): number {
  return settings.terminationGracePeriodSeconds ?? 30;
}

function container(
  name: string,
  image: string,
  command: readonly string[],
  settings: ContainerSettings | undefined,
  mounts: readonly object[],
  env: readonly object[],
): object {
  const { resources } = settings ?? {};
  return {
    name,
    image,
    command,
    env: [...env, ...(settings?.env ?? [])],
    ...nonEmpty('envFrom', settings?.envFrom),
    volumeMounts: [...mounts, ...(settings?.volumeMounts ?? [])],
    ...(resources === undefined ? {} : { resources: withoutNulls(resources) }),
    ...filled('imagePullPolicy', settings?.imagePullPolicy),
    terminationMessagePolicy: 'File',
    securityContext: {
      allowPrivilegeEscalation: false,
      capabilities: { drop: ['ALL'] },
      ...settings?.securityContext,
    },
  };
}

function scheduling(settings: PodSettings): object {
  return {
    ...filled('serviceAccountName', settings.serviceAccountName),
    ...filled('nodeName', settings.nodeName),
    ...filled('schedulerName', settings.schedulerName),
    ...filled('runtimeClassName', settings.runtimeClassName),
    ...filled('dnsPolicy', settings.dnsPolicy),
    ...nonEmpty('imagePullSecrets', settings.imagePullSecrets),
    ...nonEmpty('tolerations', settings.tolerations),
    ...nonEmpty('hostAliases', settings.hostAliases),
    ...nonEmpty('topologySpreadConstraints', settings.topologySpreadConstraints),
    ...withEntries('nodeSelector', settings.nodeSelector),
    ...withEntries('affinity', settings.affinity),
    ...withEntries('dnsConfig', settings.dnsConfig),
  };
}

/** Manifests of users hold empty texts, lists and objects for what they do not want. */
const filled = (name: string, text: string | undefined) =>
  text === undefined || text === '' ? {} : { [name]: text };
const nonEmpty = (name: string, list: readonly unknown[] | undefined) =>
  list === undefined || list.length === 0 ? {} : { [name]: list };
const withEntries = (name: string, entries: NativeObject | undefined) =>
  entries === undefined || Object.keys(entries).length === 0 ? {} : { [name]: entries };

function withoutNulls(object: object): object {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== null));
}

/**
 * Whether the pool lets runs use the image. An entry is a registry such as `docker.io`, or one with the beginning of a
 * repository's name.
 */
export function isAllowedImage(image: string, hosts: readonly string[] | undefined): boolean {
  if (hosts === undefined || hosts.length === 0) return true;
  const [first = '', ...rest] = image.split('/');
  // The rule of container engines: without a dot, a port or localhost it is no host but a name on Docker Hub.
  const named = rest.length > 0 && (/[.:]/.test(first) || first === 'localhost');
  const full = named ? image : `docker.io/${image}`;
  return hosts.some((host) => full.startsWith(`${host.replace(/^https?:\/\//, '').replace(/\/+$/, '')}/`));
}

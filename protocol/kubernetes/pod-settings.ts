// `spec.pod` of a WorkerPool: what the operator of a cluster may say of run pods.
import * as z from 'zod';
import { described, namedNative, native, resources, stringMap } from './fields.js';

const names = (of: string) => `${of}, as Kubernetes has them.`;

/** What may be set of a container that the pod has anyway. */
function container(which: string, without: string) {
  return described(
    z.object({
      env: z
        .array(namedNative('core.v1.EnvVar', 'One variable: name, and value or valueFrom.'))
        .optional()
        .describe(`Variables of the container. ${without}`),
      envFrom: z
        .array(native('core.v1.EnvFromSource', 'A ConfigMap or Secret.'))
        .optional()
        .describe('ConfigMaps and Secrets whose entries become variables of the container.'),
      volumeMounts: z
        .array(namedNative('core.v1.VolumeMount', 'Name of the volume and mountPath.'))
        .optional()
        .describe('Volumes of `spec.pod.volumes` that the container sees.'),
      resources: resources.optional(),
      securityContext: native(
        'core.v1.SecurityContext',
        'Replaces single settings of the restricted profile that the container runs with.',
      ).optional(),
      imagePullPolicy: z
        .enum(['', 'Always', 'IfNotPresent', 'Never'])
        .optional()
        .describe('When the image is pulled. Default: as Kubernetes chooses by its tag.'),
    }),
    which,
  );
}

export const podSettings = described(
  z.object({
    activeDeadlineSeconds: described(
      z.int().min(1).default(4200),
      'Seconds after which the pod is ended and its run fails.',
    ),
    terminationGracePeriodSeconds: described(
      z.int().min(0).max(3600).optional(),
      'Seconds that a run has to end when it is stopped, before it is killed. Default: 30.',
    ),
    volumes: z
      .array(namedNative('core.v1.Volume', 'A volume of the pod.'))
      .optional()
      .describe('Further volumes of the pod, for the volumeMounts of its containers.'),
    binariesCacheVolume: described(
      namedNative('core.v1.Volume', '').nullable().optional(),
      'Volume for tools that are downloaded, shared by the runs of many workers when it can be written by many. ' +
        'Mounted at /opt/spacelift/binaries_cache. Default: an empty folder for each run.',
    ),
    workspaceVolume: described(
      namedNative('core.v1.Volume', '').nullable().optional(),
      'Volume with the files of the run, which are sensitive: it should be ephemeral and not shared. ' +
        'Mounted at /opt/spacelift/workspace. Default: an empty folder for each run.',
    ),
    serviceAccountName: z.string().optional().describe('Service account of the pod. Default: `default`.'),
    automountServiceAccountToken: described(
      z.boolean().optional(),
      'Give the pod the token of its service account. Default: false.',
    ),
    securityContext: native(
      'core.v1.PodSecurityContext',
      'Replaces single settings of the restricted profile, user and group 1983, that the pod runs with.',
    ).optional(),
    imagePullSecrets: z
      .array(native('core.v1.LocalObjectReference', 'Name of the Secret.'))
      .optional()
      .describe('Secrets with credentials of the registries that images come from.'),
    nodeSelector: stringMap('Labels that the node must have.').optional(),
    nodeName: z.string().optional().describe('Name of the node; passes by the scheduler.'),
    affinity: native('core.v1.Affinity', names('Rules for nodes and neighbours')).optional(),
    schedulerName: z.string().optional().describe('Scheduler of the pod. Default: that of the cluster.'),
    tolerations: z
      .array(native('core.v1.Toleration', 'One taint that is put up with.'))
      .optional()
      .describe('Taints of nodes that the pod puts up with.'),
    hostAliases: z
      .array(native('core.v1.HostAlias', 'An address and its names.'))
      .optional()
      .describe("Entries of the pod's hosts file."),
    dnsConfig: native('core.v1.PodDNSConfig', names('Name servers, search domains and options')).optional(),
    dnsPolicy: z
      .enum(['', 'ClusterFirst', 'ClusterFirstWithHostNet', 'Default', 'None'])
      .optional()
      .describe('Where the pod looks up names. Default: `ClusterFirst`.'),
    runtimeClassName: z.string().optional().describe('Runtime class of the pod, such as `gvisor`.'),
    topologySpreadConstraints: z
      .array(native('core.v1.TopologySpreadConstraint', 'One rule.'))
      .optional()
      .describe('How run pods are spread over nodes and zones.'),
    labels: stringMap('Further labels of run pods.').optional(),
    annotations: stringMap('Further annotations of run pods.').optional(),
    customBinariesPath: described(
      z.string().optional(),
      'Folders, with colons between, that come first on the PATH of runs: for tools of an init container or volume.',
    ),
    customInitContainers: z
      .array(namedNative('core.v1.Container', 'A container.'))
      .optional()
      .describe('Init containers that run before `init`.'),
    additionalSidecarContainers: z
      .array(namedNative('core.v1.Container', 'A container.'))
      .optional()
      .describe(
        'Containers beside the run, such as a database or a proxy. They are ended when the run has ended.',
      ),
    launcherImage: described(
      z.string().optional(),
      "Image of `init` and `launcher-grpc`. Default: the controller's own, which fits it.",
    ),
    defaultRunnerImage: z.string().optional().describe('Image of `worker` when the stack names none.'),
    initContainer: container(
      'The container `init`, which prepares the files of the run.',
      'Settings of Git access and policies belong here.',
    ).optional(),
    grpcServerContainer: container(
      'The container `launcher-grpc`, which gives steps to the worker and its log to the control plane.',
      '',
    ).optional(),
    workerContainer: container(
      "The container `worker`, which executes the run in the stack's runner image.",
      'Runs see them. Timeouts belong here.',
    ).optional(),
  }),
  'Run pods.',
);

export type PodSettings = z.output<typeof podSettings>;
export type ContainerSettings = NonNullable<PodSettings['workerContainer']>;

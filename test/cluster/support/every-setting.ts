// Every setting of `spec.pod`, with a value that nothing else has, and where it is found in run pods.
import { expect } from 'vitest';

/** By the name of the setting; the pod is one that the restricted profile lets in. */
export const settings = {
  activeDeadlineSeconds: 1234,
  terminationGracePeriodSeconds: 7,
  volumes: [{ name: 'more', emptyDir: {} }],
  binariesCacheVolume: { name: 'own-cache', emptyDir: { sizeLimit: '1Gi' } },
  workspaceVolume: { name: 'own-workspace', emptyDir: { sizeLimit: '2Gi' } },
  serviceAccountName: 'builder',
  automountServiceAccountToken: true,
  securityContext: { runAsUser: 2000, fsGroup: 3000 },
  imagePullSecrets: [{ name: 'registry' }],
  nodeSelector: { disk: 'ssd' },
  nodeName: 'node-1',
  affinity: {
    podAntiAffinity: {
      preferredDuringSchedulingIgnoredDuringExecution: [
        {
          weight: 5,
          podAffinityTerm: { topologyKey: 'zone', labelSelector: { matchLabels: { own: 'label' } } },
        },
      ],
    },
  },
  schedulerName: 'own-scheduler',
  tolerations: [{ key: 'runs', operator: 'Exists' }],
  hostAliases: [{ ip: '10.0.0.1', hostnames: ['git.internal'] }],
  dnsConfig: { nameservers: ['10.0.0.2'] },
  dnsPolicy: 'None',
  runtimeClassName: 'gvisor',
  topologySpreadConstraints: [
    {
      ...{ maxSkew: 1, topologyKey: 'zone', whenUnsatisfiable: 'ScheduleAnyway' },
      labelSelector: { matchLabels: { own: 'label' } },
    },
  ],
  labels: { own: 'label' },
  annotations: { own: 'annotation' },
  customBinariesPath: '/opt/own/bin',
  customInitContainers: [{ name: 'before', image: 'before:1', securityContext: restricted() }],
  additionalSidecarContainers: [{ name: 'beside', image: 'beside:1', securityContext: restricted() }],
  launcherImage: 'own/launcher:1',
  defaultRunnerImage: 'own/runner:1',
  initContainer: container('init'),
  grpcServerContainer: container('server'),
  workerContainer: container('worker'),
};

function restricted() {
  return { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } };
}

function container(name: string) {
  return {
    env: [{ name: 'OWN', value: name }],
    envFrom: [{ configMapRef: { name: `${name}-variables`, optional: true } }],
    volumeMounts: [{ name: 'more', mountPath: `/more/${name}` }],
    resources: { requests: { cpu: '100m', memory: '50Mi' }, limits: { memory: '1Gi' } },
    securityContext: { readOnlyRootFilesystem: true },
    imagePullPolicy: 'Never',
  };
}

const among = (...items: object[]): unknown => expect.arrayContaining(items);

/** As the API server has the container: what was given, besides what each of them has anyway. */
function inPod(name: string, image: string, given: ReturnType<typeof container>): object {
  return {
    ...given,
    name,
    image,
    env: among(...given.env),
    volumeMounts: among(...given.volumeMounts),
    securityContext: { ...restricted(), ...given.securityContext },
  };
}

const { labels, annotations, customInitContainers, additionalSidecarContainers } = settings;
const at = (mountPath: string, { name }: { readonly name: string }): object => ({
  volumeMounts: among({ name, mountPath }),
});

/** What a run's pod has then, but for customBinariesPath, which the steps of the run have. */
export const expected = {
  metadata: {
    labels: expect.objectContaining(labels) as unknown,
    annotations: expect.objectContaining(annotations) as unknown,
  },
  spec: {
    activeDeadlineSeconds: settings.activeDeadlineSeconds,
    terminationGracePeriodSeconds: settings.terminationGracePeriodSeconds,
    volumes: among(...settings.volumes, settings.workspaceVolume, settings.binariesCacheVolume),
    serviceAccountName: settings.serviceAccountName,
    automountServiceAccountToken: settings.automountServiceAccountToken,
    // The rest of the restricted profile stays.
    securityContext: { runAsNonRoot: true, runAsGroup: 1983, ...settings.securityContext },
    imagePullSecrets: settings.imagePullSecrets,
    nodeSelector: settings.nodeSelector,
    nodeName: settings.nodeName,
    affinity: settings.affinity,
    schedulerName: settings.schedulerName,
    tolerations: among(...settings.tolerations),
    hostAliases: settings.hostAliases,
    dnsConfig: settings.dnsConfig,
    dnsPolicy: settings.dnsPolicy,
    runtimeClassName: settings.runtimeClassName,
    topologySpreadConstraints: settings.topologySpreadConstraints,
    initContainers: [customInitContainers[0], inPod('init', settings.launcherImage, settings.initContainer)],
    containers: [
      inPod('launcher-grpc', settings.launcherImage, settings.grpcServerContainer),
      inPod('worker', settings.defaultRunnerImage, settings.workerContainer),
      additionalSidecarContainers[0],
    ],
  },
};

/** Where the two volumes that every pod has are, in each container of ours. */
export const places = {
  workspace: at('/opt/spacelift/workspace', settings.workspaceVolume),
  binariesCache: at('/opt/spacelift/binaries_cache', settings.binariesCacheVolume),
};

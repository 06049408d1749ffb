// What people are promised of pools on Kubernetes, and the test that sees it: every field of the custom resources, every
// event, every figure, and what the guide that they come from describes, in its order.

export interface Effect {
  /** Below test/. */
  readonly file: string;
  /** Title of the test, or the beginning of it where a table gives the rest. */
  readonly test: string;
}

const path = (test: string): Effect => ({ file: 'cluster/path.test.ts', test });
const endings = (test: string): Effect => ({ file: 'cluster/endings.test.ts', test });
const life = (test: string): Effect => ({ file: 'cluster/operations.test.ts', test });
const resources = (test: string): Effect => ({ file: 'cluster/definitions.test.ts', test });
const component = (test: string): Effect => ({ file: 'cluster/component.test.ts', test });
const chart = (test: string): Effect => ({ file: 'protocol/kubernetes/chart.test.ts', test });
const bridge = (test: string): Effect => ({ file: 'launcher/kubernetes/bridge.test.ts', test });
const registration = (test: string): Effect => ({ file: 'launcher/kubernetes/registration.test.ts', test });
const retention = (test: string): Effect => ({ file: 'launcher/kubernetes/retention.test.ts', test });
const metrics = (test: string): Effect => ({ file: 'launcher/kubernetes/metrics.test.ts', test });
const ownership = (test: string): Effect => ({ file: 'launcher/kubernetes/ownership.test.ts', test });
const registeredPools = (test: string): Effect => ({
  file: 'launcher/kubernetes/registered-pools.test.ts',
  test,
});
const pools = (test: string): Effect => ({ file: 'launcher/kubernetes/pools.test.ts', test });

const inPods = life('has run pods with every setting that it names');
const pair = path('has workers that register and are shown');
const registered = registration(
  'a pool has the name, description, space and drift limit of its object, and is removed with it',
);
const kept = retention('keeps as many successful pods as it says: %s');
const failedKept = life('keeps as many pods of failed runs as it says, and for as long');
const run = path('takes a run through plan and apply in pods, which are gone afterwards');
const graph = metrics('names, kinds and labels are those that people graph');
const eventful = path('says by events what became of the pool, its workers and their runs');
const told = endings('%s: fails, and its log says why');
const shown = resources('workers are shown with pool, registration, state and run');
const scaled = resources('a pool scales by kubectl, by autoscalers, and is shown with its sizes');
const manifests = resources('manifests apply as they stand in the guide');

/** Fields of a WorkerPool's spec. */
export const spec: Readonly<Record<string, Effect>> = {
  poolSize: path('connects a hundred workers, and lets them go'),
  token: pair,
  privateKey: pair,
  spaceliftAPICredentials: registration('the API credentials are %s'),
  space: registered,
  description: registered,
  driftDetectionRunLimits: registered,
  allowedRunnerImageHosts: endings(
    'asks for an image of a registry that the pool does not allow: fails before there is a pod',
  ),
  keepSuccessfulPods: kept,
  successfulPodsHistoryLimit: kept,
  failedPodsHistoryLimit: failedKept,
  successfulPodsHistoryTTL: retention('keeps successful pods for as long as it says'),
  failedPodsHistoryTTL: failedKept,
  mqttReconnectRetryCount: pools('says that workers cannot connect after as many tries as it allows'),
  pod: inPods,
};

/** Fields of `spec.pod`. */
export const pod: Readonly<Record<string, Effect>> = {
  activeDeadlineSeconds: inPods,
  terminationGracePeriodSeconds: inPods,
  volumes: inPods,
  binariesCacheVolume: inPods,
  workspaceVolume: inPods,
  serviceAccountName: inPods,
  automountServiceAccountToken: inPods,
  securityContext: inPods,
  imagePullSecrets: inPods,
  nodeSelector: inPods,
  nodeName: inPods,
  affinity: inPods,
  schedulerName: inPods,
  tolerations: inPods,
  hostAliases: inPods,
  dnsConfig: inPods,
  dnsPolicy: inPods,
  runtimeClassName: inPods,
  topologySpreadConstraints: inPods,
  labels: inPods,
  annotations: inPods,
  customBinariesPath: life('gives runs its own programs first, and ends what runs beside a run with it'),
  customInitContainers: inPods,
  additionalSidecarContainers: life(
    'gives runs its own programs first, and ends what runs beside a run with it',
  ),
  launcherImage: inPods,
  defaultRunnerImage: inPods,
  initContainer: inPods,
  grpcServerContainer: inPods,
  workerContainer: inPods,
};

/** Fields of the three containers' settings. */
export const container: Readonly<Record<string, Effect>> = {
  env: inPods,
  envFrom: inPods,
  volumeMounts: inPods,
  resources: inPods,
  securityContext: inPods,
  imagePullPolicy: inPods,
};

/** Fields of the status of pools and of workers. */
export const status: Readonly<Record<string, Effect>> = {
  desiredPoolSize: pair,
  actualPoolSize: pair,
  autoRegistered: path('is registered by the controller with API credentials, and removed with its object'),
  selector: scaled,
  message: pools('says that workers cannot connect after as many tries as it allows'),
  registered: pair,
  state: pair,
  currentRunID: endings('is of a worker that is scaled away: is finished first'),
};

/** Events, by their reason. */
export const events: Readonly<Record<string, Effect>> = {
  WorkerPoolRegistered: eventful,
  WorkerPoolCannotRegister: path('says on the pool why it cannot register'),
  WorkerPoolNotUpdated: registeredPools(
    'that is refused is told by event and status, tried again, and keeps no worker from its work',
  ),
  WorkerPoolLost: ownership('takes a pool that was reset back when nobody uses it, and says so before'),
  WorkerPoolNotRemoved: registeredPools('waits for five minutes, says why, and comes all the same: %s'),
  WorkerCannotConnect: pools('says that workers cannot connect after as many tries as it allows'),
  CredentialsChanged: life('has its workers connect again when its credentials change'),
  ScaledUp: eventful,
  ScaledDown: eventful,
  WorkerRegistered: eventful,
  WorkerDisconnected: life('has its workers connect again when its credentials change'),
  WorkerDrained: eventful,
  WorkerUndrained: eventful,
  WorkerRemoved: eventful,
  RunAssigned: eventful,
  RunResumed: endings('goes on while the controller is killed and another one takes over'),
  RunPodCreated: eventful,
  RunPodNotCreated: endings('cannot be made for a full quota waits, says so, and goes on when there is room'),
  RunPodNotStarted: endings('waits for a node: its log says why, and it comes through when there is one'),
  RunPodFailed: endings('is deleted in mid-run: fails, with what was printed until then'),
  RunFinished: eventful,
};

/** Figures, by what comes after `spacelift_workerpool_controller_`. */
export const figures: Readonly<Record<string, Effect>> = {
  worker_total: graph,
  worker_idle_total: graph,
  worker_creation_duration_seconds: graph,
  worker_creation_errors_total: graph,
};

/** What the guide describes, by its headings, beyond single fields. */
export const guide: Readonly<Record<string, Effect>> = {
  'Kubernetes: a pool has as many workers as poolSize says': path(
    'connects a hundred workers, and lets them go',
  ),
  'Kubernetes: idle workers are no pods': run,
  'Installation, kubectl: the manifests apply': resources('the printed manifests apply, with all options'),
  'Installation, Helm: the chart makes the same': chart(
    'makes what the plain manifests have, but for the namespace, and keeps the definitions',
  ),
  'Create a Secret, create a WorkerPool: as written': manifests,
  'Run containers: init, launcher-grpc and worker, named by run, phase and attempt': run,
  'Run containers: the worker needs nothing of ours in its image': bridge(
    'executes steps with their environment, output, order and exit codes',
  ),
  'Resource usage: requests and limits of the three containers': inPods,
  'Volumes: workspace and binaries cache': inPods,
  'Volumes: further ones, seen by a container': life(
    'asks the run initialization policy of the init container before anything is prepared',
  ),
  'Configuration: the example with every field': manifests,
  'Configuration: UID and GID 1983, restricted profile': run,
  'Timeouts: activeDeadlineSeconds': told,
  'Initialization policies': life(
    'asks the run initialization policy of the init container before anything is prepared',
  ),
  'Scaling: kubectl scale and autoscalers': scaled,
  'Scaling: runs in progress are not killed': endings(
    'is of a worker that is scaled away: is finished first',
  ),
  'Migrating: the namespaces of a controller': component(
    'takes every object of every option, and rights that end at the namespace',
  ),
  'Troubleshooting: columns of pools and workers': shown,
  'Troubleshooting: pods by run and by worker': life(
    'gives runs its own programs first, and ends what runs beside a run with it',
  ),
  'Troubleshooting: kubectl logs of the containers of a run': life(
    'prints the logs of runs on standard output where the worker asks for it, masked, and only there',
  ),
  'Troubleshooting: WorkerPoolCannotRegister': path('says on the pool why it cannot register'),
  'Troubleshooting: a run that does not start, since no node takes its pod or a volume is not there': told,
  'Troubleshooting: an image that cannot be pulled, memory that runs out': told,
  'Troubleshooting: successful pods are removed unless they are kept': kept,
};

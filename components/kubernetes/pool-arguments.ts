// The settings of a WorkerPool as typed arguments. Written by `npm run schema` from protocol/kubernetes; changes go there.
import type { Input } from '@pulumi/pulumi';
import type * as inputs from '@pulumi/kubernetes/types/input.js';

/** What only pools on Kubernetes have. */
export interface KubernetesNativeArgs {
  /** Space that a registered pool belongs to. */
  space?: Input<string>;
  /** Description of a registered pool. */
  description?: Input<string>;
  /** Drift detection on this pool. Only for pools that the controller registers itself. */
  driftDetectionRunLimits?: DriftDetectionRunLimitsArgs;
  /** Registries that runner images may come from, such as `docker.io`. Default: all. */
  allowedRunnerImageHosts?: Input<Input<string>[]>;
  /** Older setting: keep the pods of all successful runs. successfulPodsHistoryLimit says how many. */
  keepSuccessfulPods?: Input<boolean>;
  /**
   * How many pods of successful runs are kept. Default: 0; with successfulPodsHistoryTTL, all for that
   * time.
   */
  successfulPodsHistoryLimit?: Input<number>;
  /** How many pods of failed runs are kept. Default: 5; with failedPodsHistoryTTL, all for that time. */
  failedPodsHistoryLimit?: Input<number>;
  /** How long pods of successful runs are kept, since they were made. Without a limit, it alone decides. */
  successfulPodsHistoryTTL?: Input<string>;
  /** How long pods of failed runs are kept, since they were made. Without a limit, it alone decides. */
  failedPodsHistoryTTL?: Input<string>;
  /**
   * Failed tries to connect after which an event on the pool says so. The controller goes on trying.
   * Default: 5.
   */
  mqttReconnectRetryCount?: Input<number>;
}

/** Drift detection on this pool. Only for pools that the controller registers itself. */
export interface DriftDetectionRunLimitsArgs {
  /** No drift detection runs on this pool. Default: false. */
  disabled?: Input<boolean>;
  /** Most drift detection runs at a time. */
  maxRuns?: Input<number>;
}

/** Run pods. */
export interface PodArgs {
  /** Seconds after which the pod is ended and its run fails. Default: 4200. */
  activeDeadlineSeconds?: Input<number>;
  /** Seconds that a run has to end when it is stopped, before it is killed. Default: 30. */
  terminationGracePeriodSeconds?: Input<number>;
  /** Further volumes of the pod, for the volumeMounts of its containers. */
  volumes?: Input<Input<inputs.core.v1.Volume>[]>;
  /**
   * Volume for tools that are downloaded, shared by the runs of many workers when it can be written by
   * many. Mounted at /opt/spacelift/binaries_cache. Default: an empty folder for each run.
   */
  binariesCacheVolume?: Input<inputs.core.v1.Volume>;
  /**
   * Volume with the files of the run, which are sensitive: it should be ephemeral and not shared.
   * Mounted at /opt/spacelift/workspace. Default: an empty folder for each run.
   */
  workspaceVolume?: Input<inputs.core.v1.Volume>;
  /** Service account of the pod. Default: `default`. */
  serviceAccountName?: Input<string>;
  /** Give the pod the token of its service account. Default: false. */
  automountServiceAccountToken?: Input<boolean>;
  /** Replaces single settings of the restricted profile, user and group 1983, that the pod runs with. */
  securityContext?: Input<inputs.core.v1.PodSecurityContext>;
  /** Secrets with credentials of the registries that images come from. */
  imagePullSecrets?: Input<Input<inputs.core.v1.LocalObjectReference>[]>;
  /** Labels that the node must have. */
  nodeSelector?: Input<Record<string, Input<string>>>;
  /** Name of the node; passes by the scheduler. */
  nodeName?: Input<string>;
  /** Rules for nodes and neighbours, as Kubernetes has them. */
  affinity?: Input<inputs.core.v1.Affinity>;
  /** Scheduler of the pod. Default: that of the cluster. */
  schedulerName?: Input<string>;
  /** Taints of nodes that the pod puts up with. */
  tolerations?: Input<Input<inputs.core.v1.Toleration>[]>;
  /** Entries of the pod's hosts file. */
  hostAliases?: Input<Input<inputs.core.v1.HostAlias>[]>;
  /** Name servers, search domains and options, as Kubernetes has them. */
  dnsConfig?: Input<inputs.core.v1.PodDNSConfig>;
  /** Where the pod looks up names. Default: `ClusterFirst`. */
  dnsPolicy?: Input<string>;
  /** Runtime class of the pod, such as `gvisor`. */
  runtimeClassName?: Input<string>;
  /** How run pods are spread over nodes and zones. */
  topologySpreadConstraints?: Input<Input<inputs.core.v1.TopologySpreadConstraint>[]>;
  /** Further labels of run pods. */
  labels?: Input<Record<string, Input<string>>>;
  /** Further annotations of run pods. */
  annotations?: Input<Record<string, Input<string>>>;
  /**
   * Folders, with colons between, that come first on the PATH of runs: for tools of an init container or
   * volume.
   */
  customBinariesPath?: Input<string>;
  /** Init containers that run before `init`. */
  customInitContainers?: Input<Input<inputs.core.v1.Container>[]>;
  /** Containers beside the run, such as a database or a proxy. They are ended when the run has ended. */
  additionalSidecarContainers?: Input<Input<inputs.core.v1.Container>[]>;
  /** Image of `init` and `launcher-grpc`. Default: the controller's own, which fits it. */
  launcherImage?: Input<string>;
  /** Image of `worker` when the stack names none. */
  defaultRunnerImage?: Input<string>;
  /** The container `init`, which prepares the files of the run. */
  initContainer?: InitContainerArgs;
  /** The container `launcher-grpc`, which gives steps to the worker and its log to the control plane. */
  grpcServerContainer?: GrpcServerContainerArgs;
  /** The container `worker`, which executes the run in the stack's runner image. */
  workerContainer?: WorkerContainerArgs;
}

/** The container `init`, which prepares the files of the run. */
export interface InitContainerArgs {
  /** Variables of the container. Settings of Git access and policies belong here. */
  env?: Input<Input<inputs.core.v1.EnvVar>[]>;
  /** ConfigMaps and Secrets whose entries become variables of the container. */
  envFrom?: Input<Input<inputs.core.v1.EnvFromSource>[]>;
  /** Volumes of `spec.pod.volumes` that the container sees. */
  volumeMounts?: Input<Input<inputs.core.v1.VolumeMount>[]>;
  /** CPU and memory, as Kubernetes has them. */
  resources?: ResourcesArgs;
  /** Replaces single settings of the restricted profile that the container runs with. */
  securityContext?: Input<inputs.core.v1.SecurityContext>;
  /** When the image is pulled. Default: as Kubernetes chooses by its tag. */
  imagePullPolicy?: Input<string>;
}

/** CPU and memory, as Kubernetes has them. */
export interface ResourcesArgs {
  /** What the container asks for. */
  requests?: Input<Record<string, Input<string>>>;
  /** What the container gets at most. */
  limits?: Input<Record<string, Input<string>>>;
  /** Resource claims that the container uses. */
  claims?: Input<Input<inputs.core.v1.ResourceClaim>[]>;
}

/** The container `launcher-grpc`, which gives steps to the worker and its log to the control plane. */
export interface GrpcServerContainerArgs {
  /** Variables of the container. */
  env?: Input<Input<inputs.core.v1.EnvVar>[]>;
  /** ConfigMaps and Secrets whose entries become variables of the container. */
  envFrom?: Input<Input<inputs.core.v1.EnvFromSource>[]>;
  /** Volumes of `spec.pod.volumes` that the container sees. */
  volumeMounts?: Input<Input<inputs.core.v1.VolumeMount>[]>;
  /** CPU and memory, as Kubernetes has them. */
  resources?: ResourcesArgs;
  /** Replaces single settings of the restricted profile that the container runs with. */
  securityContext?: Input<inputs.core.v1.SecurityContext>;
  /** When the image is pulled. Default: as Kubernetes chooses by its tag. */
  imagePullPolicy?: Input<string>;
}

/** The container `worker`, which executes the run in the stack's runner image. */
export interface WorkerContainerArgs {
  /** Variables of the container. Runs see them. Timeouts belong here. */
  env?: Input<Input<inputs.core.v1.EnvVar>[]>;
  /** ConfigMaps and Secrets whose entries become variables of the container. */
  envFrom?: Input<Input<inputs.core.v1.EnvFromSource>[]>;
  /** Volumes of `spec.pod.volumes` that the container sees. */
  volumeMounts?: Input<Input<inputs.core.v1.VolumeMount>[]>;
  /** CPU and memory, as Kubernetes has them. */
  resources?: ResourcesArgs;
  /** Replaces single settings of the restricted profile that the container runs with. */
  securityContext?: Input<inputs.core.v1.SecurityContext>;
  /** When the image is pulled. Default: as Kubernetes chooses by its tag. */
  imagePullPolicy?: Input<string>;
}

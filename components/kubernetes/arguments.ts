// The arguments of a pool on Kubernetes. Those that pools on machines have too have the same names.
import type { Input } from '@pulumi/pulumi';
import type * as inputs from '@pulumi/kubernetes/types/input.js';
import type { PoolSize, PrivateVcsMapping, ProxyArgs, WaitForWorkers } from '../arguments.js';
import type { KubernetesNativeArgs, PodArgs, ResourcesArgs } from './pool-arguments.js';

/** The launcher in run pods, and its settings. */
export interface KubernetesLauncherArgs {
  /**
   * Image of the controller and of the launcher's containers in run pods, built from deploy/Dockerfile. Needed unless
   * controller.install is false.
   */
  image?: Input<string>;
  /** Names of variables whose values never appear in logs. */
  maskEnvs?: Input<Input<string>[]>;
  /**
   * Names of variables that runs get from launcher.environment and pod.workerContainer; `ro_NAME` passes NAME to read runs
   * only, `wo_NAME` to write runs only. Default: all.
   */
  whitelistEnvs?: Input<Input<string>[]>;
  /** A run that prints nothing for this long is killed. Go duration such as `7m` or `1h30m`. Default: `7m`. */
  logsTimeout?: Input<string>;
  /**
   * A run that takes longer than this is killed. Go duration. Default: `70m`. Pods live as long as that needs, unless
   * pod.activeDeadlineSeconds is given.
   */
  runTimeout?: Input<string>;
  /** Text of a Rego policy (`package spacelift`, `deny[msg]`) that every run must pass before it starts. */
  runInitializationPolicy?: Input<string>;
  /** Image of run containers when the stack names none. Default: `public.ecr.aws/spacelift/runner-terraform:latest`. */
  defaultRunnerImage?: Input<string>;
  /** Write the exact commands of a run into its log. Default: false. */
  debug?: boolean;
  /** Addresses of private Git hosts. */
  privateVcsMappings?: PrivateVcsMapping[];
  /** Further variables of runs. They are kept in a Secret, so that their values may be secret. */
  environment?: Record<string, Input<string>>;
}

/** An API key with which the controller registers the pool, and removes it when the pool is deleted here. */
export interface ApiCredentialsArgs {
  /** Name of an existing Secret in the pool's namespace with `keyId`, `keySecret` and `endpoint`. */
  secretName?: Input<string>;
  /** Id of the API key. */
  keyId?: Input<string>;
  /** The key's secret. */
  keySecret?: Input<string>;
  /** Address of the control plane's API, such as `https://poolwright.example.com`. */
  endpoint?: Input<string>;
}

/** The controller that looks after the pool. */
export interface ControllerArgs {
  /** Put a controller into the pool's namespace. Default: true; false where another one looks after it already. */
  install?: boolean;
  /** Further namespaces whose pools it looks after, with rights there. Default: only that of the pool. */
  namespaces?: string[];
  /** How many there are, of which one works. Default: 1. */
  replicas?: number;
  /** CPU and memory of the controller. Default: 100m and 128Mi asked for, 512Mi at most. */
  resources?: ResourcesArgs;
  /** Labels that its nodes must have. */
  nodeSelector?: Input<Record<string, Input<string>>>;
  /** Taints of nodes that it puts up with. */
  tolerations?: Input<Input<inputs.core.v1.Toleration>[]>;
  /** Names of Secrets with credentials of the registry that launcher.image comes from. */
  imagePullSecrets?: Input<string>[];
  /** Priority class of its pods. */
  priorityClassName?: Input<string>;
  /** Annotations of its service account. */
  serviceAccountAnnotations?: Input<Record<string, Input<string>>>;
}

/** Which connections run pods and the controller may open; none are let in. */
export interface NetworkPolicyArgs {
  /** Further TCP ports that run pods may reach, such as 22 for Git over SSH. HTTPS and names are always allowed. */
  ports?: number[];
  /** Further TCP ports that the controller may reach. The API server, HTTPS, MQTT over TLS and names always are. */
  controllerPorts?: number[];
}

/** The controller's figures for Prometheus. */
export interface MetricsArgs {
  /**
   * By HTTPS, for those whom the API server lets get the non-resource URL `/metrics`: bind them to the ClusterRole
   * `<namespace>-<name>-metrics-reader`. Needs ClusterRoles. Default: true; false is plain HTTP, for everyone.
   */
  secure?: boolean;
  /** Tell the Prometheus operator of them by a ServiceMonitor, whose definition the cluster must have. Default: false. */
  serviceMonitor?: boolean;
  /** How often the ServiceMonitor has them collected. Default: `30s`. */
  interval?: string;
  /** Labels of the ServiceMonitor, by which a Prometheus selects it. */
  labels?: Record<string, string>;
}

export interface KubernetesWorkerPoolArgs {
  /** The worker pool token, as given when the pool was created or reset. With privateKey. */
  token?: Input<string>;
  /** The pool's private key: the PEM text, or base64 of it on one line. */
  privateKey?: Input<string>;
  /**
   * Name of an existing Secret in the pool's namespace, in the place of token and privateKey: with the keys `token` and
   * `privateKey`, the latter as base64 on one line.
   */
  credentials?: Input<string>;
  /** In the place of token and key: the controller registers the pool itself and keeps both in a Secret. */
  apiCredentials?: ApiCredentialsArgs;
  /** How many workers. Idle ones cost no pod. Default: one. */
  size?: PoolSize;
  /** Namespace of the pool and its runs, which is there already. Default: one is made that holds pods to the restricted profile. */
  namespace?: Input<string>;
  /** The launcher and its settings. */
  launcher?: KubernetesLauncherArgs;
  /** Settings of run pods. */
  pod?: PodArgs;
  /** HTTP proxies of the controller, the launcher's containers and runs. */
  proxy?: ProxyArgs;
  /** Further root certificates in PEM, trusted by the controller, the launcher's containers and runs. */
  extraCaCertificates?: Input<Input<string>[]>;
  /**
   * Install the definitions of WorkerPool and Worker, or bring them to this version. All stacks of a cluster may do so:
   * they share them, and none takes them away. Default: true.
   */
  installCustomResources?: boolean;
  /** The controller. */
  controller?: ControllerArgs;
  /** Limit the network of run pods and controller. Default: no policy. */
  networkPolicy?: NetworkPolicyArgs;
  /** Keep runs from being evicted for the maintenance of nodes. Default: true. */
  podDisruptionBudget?: boolean;
  /** Serve the controller's figures. Default: none. */
  metrics?: MetricsArgs;
  /** Labels of everything that is created. */
  tags?: Input<Record<string, Input<string>>>;
  /**
   * End the deployment only when workers of the pool are connected. Needs the pool's id, so not for one that the controller
   * registers. Default: the deployment ends when the WorkerPool is there.
   */
  waitForWorkers?: WaitForWorkers;
  /** What only Kubernetes has. */
  kubernetes?: KubernetesNativeArgs;
}

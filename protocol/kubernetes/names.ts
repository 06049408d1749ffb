// The names that people, manifests and tools know on Kubernetes: group, kinds, labels, annotations, paths, container names.

export const group = 'workers.spacelift.io';
export const version = 'v1beta1';
export const apiVersion = `${group}/${version}`;

export const plural = { pool: 'workerpools', worker: 'workers' } as const;

export const labels = {
  /** On a pool: ULID of the pool at the control plane. */
  pool: `${group}/ulid`,
  /** On workers, run pods and run secrets: ULID of the pool. */
  workerPool: `${group}/workerpool`,
  /** On run pods and run secrets: ULID of the worker. */
  worker: `${group}/worker`,
  /** On run pods and run secrets: ULID of the run. */
  run: `${group}/run-id`,
  /** On run pods and run secrets: number of the attempt. */
  attempt: `${group}/attempt`,
} as const;

export const annotations = {
  /** On workers: name of the WorkerPool object. */
  poolName: `${group}/workerpool-name`,
  /** On run pods whose result is reported: `finished`, `failed`, `stopped` or `dropped`. */
  outcome: `${group}/outcome`,
} as const;

/** Keeps an object until the controller has ended in order what belongs to it. */
export const finalizer = `${group}/in-order`;

export const containers = { init: 'init', server: 'launcher-grpc', worker: 'worker' } as const;

/** Where volumes are mounted in run pods. */
export const places = {
  workspace: '/opt/spacelift/workspace',
  binariesCache: '/opt/spacelift/binaries_cache',
  /** Between `launcher-grpc` and `worker`: the steps and their output. In memory. */
  bridge: '/opt/spacelift/bridge',
  /** Log spool and scratch files, out of the run's sight. */
  state: '/opt/spacelift/state',
  /** The run's Secret, out of the run's sight. */
  assignment: '/opt/spacelift/assignment',
} as const;

/** User and group of all containers of a run pod; images for this kind of pool have it. */
export const runUser = 1983;

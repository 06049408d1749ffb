// The package's entry: all components. Each is loaded when it is first used, with the SDK of its cloud; programs for one
// cloud may as well import `@poolwright/workerpools/aws`, `/azure`, `/google` or `/kubernetes`.
import { createRequire } from 'node:module';
import type * as aws from './ec2-worker-pool.js';
import type * as kubernetes from './kubernetes-worker-pool.js';
import { lazyClass } from './lazy.js';
import type * as google from './mig-worker-pool.js';
import type * as azure from './vmss-worker-pool.js';

const load = createRequire(import.meta.url);

/** A worker pool on AWS EC2: an Auto Scaling group whose machines boot into the launcher. */
export const Ec2WorkerPool = lazyClass(() => (load('./ec2-worker-pool.js') as typeof aws).Ec2WorkerPool);
export type Ec2WorkerPool = aws.Ec2WorkerPool;

/** A worker pool on Azure: a virtual machine scale set whose machines boot into the launcher. */
export const VmssWorkerPool = lazyClass(() => (load('./vmss-worker-pool.js') as typeof azure).VmssWorkerPool);
export type VmssWorkerPool = azure.VmssWorkerPool;

/** A worker pool on Google Cloud: a regional managed instance group whose machines boot into the launcher. */
export const MigWorkerPool = lazyClass(() => (load('./mig-worker-pool.js') as typeof google).MigWorkerPool);
export type MigWorkerPool = google.MigWorkerPool;

/** A worker pool on Kubernetes: a WorkerPool whose runs are pods, and the controller that looks after it. */
export const KubernetesWorkerPool = lazyClass(
  () => (load('./kubernetes-worker-pool.js') as typeof kubernetes).KubernetesWorkerPool,
);
export type KubernetesWorkerPool = kubernetes.KubernetesWorkerPool;

export type { LauncherArgs, PoolSize, PrivateVcsMapping, ProxyArgs, WorkerPoolArgs } from './arguments.js';
export type { Ec2WorkerPoolArgs } from './aws/arguments.js';
export type { VmssWorkerPoolArgs } from './azure/arguments.js';
export type { MigWorkerPoolArgs } from './google/arguments.js';
export type { KubernetesWorkerPoolArgs } from './kubernetes/arguments.js';

// Entry of `@poolwright/workerpools/kubernetes`: the pool on Kubernetes, without the SDKs of clouds.
export { KubernetesWorkerPool } from '../kubernetes-worker-pool.js';
export type * from './arguments.js';
export type * from './pool-arguments.js';
export type * from '../arguments.js';

// Entry of `@poolwright/workerpools/google`: the pool on Google Cloud, without the SDKs of other clouds.
export { MigWorkerPool } from '../mig-worker-pool.js';
export type * from './arguments.js';
export type * from '../arguments.js';

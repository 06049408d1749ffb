// Entry of `@poolwright/workerpools/azure`: the pool on Azure, without the SDKs of other clouds.
export { VmssWorkerPool } from '../vmss-worker-pool.js';
export type * from './arguments.js';
export type * from '../arguments.js';

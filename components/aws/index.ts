// Entry of `@poolwright/workerpools/aws`: the pool on AWS EC2, without the SDKs of other clouds.
export { Ec2WorkerPool } from '../ec2-worker-pool.js';
export type * from './arguments.js';
export type * from '../arguments.js';

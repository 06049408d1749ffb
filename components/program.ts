// What `pulumi up` at the top level runs.
import { Config } from '@pulumi/pulumi';
import { rollOut } from './rollout.js';

const rolledOut = await rollOut(new Config());

/** The launcher version that all pools of this stack run. */
export const launcherVersion = rolledOut.launcherVersion;
/** How to look at each pool. */
export const pools = rolledOut.pools;

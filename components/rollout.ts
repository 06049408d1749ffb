// The program of the top-level Pulumi project: what `pulumi up` in this repository rolls out.
import { Config } from '@pulumi/pulumi';
import { PoolwrightError } from '../protocol/errors.js';
import { launcherArtifact } from './launcher-artifact.js';

const pools = new Config().getObject<readonly unknown[]>('pools') ?? [];
if (pools.length > 0) {
  throw new PoolwrightError(
    'UNSUPPORTED',
    'This version has no components for cloud pools yet. Remove "pools" from the stack configuration.',
  );
}

/** The launcher version that pools of this stack run. */
export const launcherVersion = launcherArtifact('x86_64').version;

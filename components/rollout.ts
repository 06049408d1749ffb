// The program of the top-level Pulumi project: rolls one launcher version out to the pools of the stack configuration.
import * as pulumi from '@pulumi/pulumi';
import { z } from 'zod';
import { messageOf, type Fault } from '../protocol/errors.js';
import type { VmssWorkerPoolArgs } from './azure/arguments.js';
import { throwFaults } from './faults.js';
import type { MigWorkerPoolArgs } from './google/arguments.js';
import { launcherArtifact } from './launcher-artifact.js';

/** `pools`: name → the cloud and the component's arguments as they are; the component checks them. */
const poolsSchema = z.record(
  z.string(),
  z.looseObject({ cloud: z.enum(['aws', 'azure', 'google', 'kubernetes']) }),
);
/** `credentials`, a secret: name → token and key, for the pools that name no existing secret. */
const credentialsSchema = z.record(z.string(), z.object({ token: z.string(), privateKey: z.string() }));

type Pools = z.output<typeof poolsSchema>;

export interface RolledOut {
  readonly launcherVersion: string;
  readonly pools: Readonly<Record<string, pulumi.Output<string>>>;
}

/** Makes all pools of the configuration. Throws with all faults of its shape before anything is made. */
export async function rollOut(config: pulumi.Config): Promise<RolledOut> {
  const pools = poolsOf(config);
  const credentials = config.getSecretObject<unknown>('credentials');
  const made: [string, pulumi.Output<string>][] = [];
  for (const [name, { cloud, ...args }] of Object.entries(pools)) {
    const given = {
      ...args,
      ...('credentials' in args || 'apiCredentials' in args ? {} : pairOf(name, credentials)),
    };
    const pool = await make(name, cloud, given);
    made.push([name, pool.howToLook]);
  }
  return {
    launcherVersion: launcherArtifact('x86_64').version,
    pools: Object.fromEntries(made),
  };
}

function poolsOf(config: pulumi.Config): Pools {
  const parsed = poolsSchema.safeParse(config.getObject<unknown>('pools') ?? {});
  if (parsed.success) return parsed.data;
  const faults: Fault[] = parsed.error.issues.map(({ path, message }) => ({
    path: ['pools', ...path].join('.'),
    reason: message,
  }));
  throwFaults('configuration', pulumi.getStack(), faults);
  return {};
}

/** Outputs are gone through late; until then nothing of this pool is made, because the component waits for the pair. */
function pairOf(name: string, credentials: pulumi.Output<unknown> | undefined) {
  if (credentials === undefined) return refuse(name);
  const pair = credentials.apply((value) => {
    const parsed = credentialsSchema.safeParse(value);
    if (!parsed.success) {
      throw new pulumi.InputPropertyError({ propertyPath: 'credentials', reason: messageOf(parsed.error) });
    }
    return parsed.data[name] ?? refuse(name);
  });
  return { token: pulumi.secret(pair.token), privateKey: pulumi.secret(pair.privateKey) };
}

function refuse(name: string): never {
  throw new pulumi.InputPropertyError({
    propertyPath: `pools.${name}.credentials`,
    reason:
      'is missing. Name an existing secret there, or set token and key: pulumi config set --secret --path ' +
      `'credentials.${name}.token' and 'credentials.${name}.privateKey'`,
  });
}

/**
 * The arguments come from a file, so their types are the component's to check. Only the SDKs of clouds that occur are
 * loaded.
 */
async function make(
  name: string,
  cloud: Pools[string]['cloud'],
  args: object,
): Promise<{ readonly howToLook: pulumi.Output<string> }> {
  switch (cloud) {
    case 'aws': {
      const { Ec2WorkerPool } = await import('./ec2-worker-pool.js');
      return new Ec2WorkerPool(name, args);
    }
    case 'azure': {
      const { VmssWorkerPool } = await import('./vmss-worker-pool.js');
      return new VmssWorkerPool(name, args as VmssWorkerPoolArgs);
    }
    case 'google': {
      const { MigWorkerPool } = await import('./mig-worker-pool.js');
      return new MigWorkerPool(name, args as MigWorkerPoolArgs);
    }
    case 'kubernetes': {
      const { KubernetesWorkerPool } = await import('./kubernetes-worker-pool.js');
      return new KubernetesWorkerPool(name, args);
    }
  }
}

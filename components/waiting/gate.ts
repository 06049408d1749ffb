// waitForWorkers as a part of a deployment: outputs that pass the gate are there when the workers are.
import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import * as pulumi from '@pulumi/pulumi';
import type { WaitForWorkers } from '../arguments.js';
import type { BootSettings } from '../bootstrap/settings.js';
import { waitForWorkers, type Wait } from './wait.js';
import { workersOf, type KnownWorker } from './workers.js';

/** The entry of a worker's metadata that tells the deployment that it came from. */
const deploymentKey = 'deployment';
const variable = `SPACELIFT_METADATA_${deploymentKey}`;
const defaultMinutes = 15;

/**
 * The settings with the deployment's mark in the launcher's metadata: workers register it, whichever launcher they run.
 * The mark is made of all settings, so it changes when machines are exchanged for them.
 */
export function marked(settings: BootSettings): BootSettings {
  const mark = createHash('sha256').update(JSON.stringify(settings)).digest('hex').slice(0, 12);
  return { ...settings, environment: { ...settings.environment, [variable]: mark } };
}

/** Lets an output through when the workers are there. */
export type Gate = <Value>(output: pulumi.Output<Value>) => pulumi.Output<Value>;

/** Lets outputs through when enough workers of this deployment are ready; at once in previews and when not asked for. */
export function gateOf<Group>(
  parent: pulumi.Resource,
  args: WaitForWorkers | undefined,
  settings: pulumi.Output<BootSettings>,
  /** There when the cloud has taken the new version of the group. */
  group: () => pulumi.Output<Group>,
  explain: (group: pulumi.Unwrap<Group>, ready: readonly KnownWorker[]) => Promise<readonly string[]>,
): Gate {
  return gateFor(parent, args, () =>
    pulumi.all([settings, group()]).apply(([{ environment }, name]): Awaited => ({
      counts: ({ metadata }) => metadata[deploymentKey] === (environment[variable] ?? ''),
      explain: (ready) => explain(name, ready),
    })),
  );
}

type Awaited = Pick<Wait, 'counts' | 'explain'>;

/** The same for workers that are told by something else; `awaited` is there when they may be waited for. */
export function gateFor(
  parent: pulumi.Resource,
  args: WaitForWorkers | undefined,
  awaited: () => pulumi.Output<Awaited>,
): Gate {
  if (args === undefined || pulumi.runtime.isDryRun()) return (output) => output;
  const { endpoint, apiKeyId, apiKeySecret, workerPool } = args;
  const there = pulumi
    .all([awaited(), endpoint, apiKeyId, apiKeySecret, workerPool])
    .apply(async ([{ counts, explain }, address, id, secret, pool]) => {
      const access = { endpoint: address, apiKeyId: id, apiKeySecret: secret, workerPool: pool };
      await waitForWorkers({
        count: args.count,
        counts,
        milliseconds: (args.timeoutMinutes ?? defaultMinutes) * 60_000,
        ask: () => workersOf(access, fetch),
        say: (line) => void pulumi.log.info(line, parent),
        explain,
        now: () => Date.now(),
        sleep: (milliseconds) => sleep(milliseconds),
      });
      return true;
    });
  // That workers are there is no secret, although a secret was used to ask.
  const open = pulumi.unsecret(there);
  return (output) => pulumi.all([output, open]).apply(([value]) => value) as typeof output;
}

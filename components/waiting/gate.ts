// waitForWorkers as a part of a deployment: outputs that pass the gate are there when the workers are.
import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import * as pulumi from '@pulumi/pulumi';
import type { WaitForWorkers } from '../arguments.js';
import type { BootSettings } from '../bootstrap/settings.js';
import { deploymentKey, waitForWorkers } from './wait.js';
import { workersOf, type KnownWorker } from './workers.js';

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

/** Lets outputs through when enough workers of this deployment are ready; at once in previews and when not asked for. */
export function gateOf<Group>(
  parent: pulumi.Resource,
  args: WaitForWorkers | undefined,
  settings: pulumi.Output<BootSettings>,
  /** There when the cloud has taken the new version of the group. */
  group: () => pulumi.Output<Group>,
  explain: (group: pulumi.Unwrap<Group>, ready: readonly KnownWorker[]) => Promise<readonly string[]>,
): <Value>(output: pulumi.Output<Value>) => pulumi.Output<Value> {
  if (args === undefined || pulumi.runtime.isDryRun()) return (output) => output;
  const { endpoint, apiKeyId, apiKeySecret, workerPool } = args;
  const there = pulumi
    .all([settings, group(), endpoint, apiKeyId, apiKeySecret, workerPool])
    .apply(async ([{ environment }, name, address, id, secret, pool]) => {
      const access = { endpoint: address, apiKeyId: id, apiKeySecret: secret, workerPool: pool };
      await waitForWorkers({
        count: args.count,
        deployment: environment[variable] ?? '',
        milliseconds: (args.timeoutMinutes ?? defaultMinutes) * 60_000,
        ask: () => workersOf(access, fetch),
        say: (line) => void pulumi.log.info(line, parent),
        explain: (ready) => explain(name, ready),
        now: () => Date.now(),
        sleep: (milliseconds) => sleep(milliseconds),
      });
      return true;
    });
  // That workers are there is no secret, although a secret was used to ask.
  const open = pulumi.unsecret(there);
  return (output) => pulumi.all([output, open]).apply(([value]) => value) as typeof output;
}

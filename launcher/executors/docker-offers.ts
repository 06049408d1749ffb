// Whether the engine has what the settings name of it. Asked at start: a run that failed over a slip of the pen would
// only be given from worker to worker.
import * as z from 'zod';
import { faultsError, type Fault } from '../../protocol/errors.js';
import type { ContainerSettings } from '../settings/settings.js';
import { askEngine } from './docker-engine.js';

type Named = Pick<ContainerSettings, 'network' | 'runtime'>;

/** There with every engine, or not a network of the engine's own. */
const builtIn = /^(bridge|host|none|default|container:.+)$/;
/** Runtimes that need no configuration: a containerd shim by its name (newer engines look for its program), or a path. */
const unlisted = /^(io\.containerd\.|\/)/;

const infoSchema = z.object({ Runtimes: z.record(z.string(), z.unknown()).default({}) });
const networksSchema = z.array(z.object({ Name: z.string() }));

/** `host`: DOCKER_HOST. Throws INVALID_SETTINGS with all faults, ENGINE_UNAVAILABLE. */
export async function assertOffered(host: string | undefined, { network, runtime }: Named): Promise<void> {
  const faults: Fault[] = [];
  if (!builtIn.test(network)) {
    const { status } = await askEngine(host, `/networks/${encodeURIComponent(network)}`);
    if (status === 404) {
      const { body } = await askEngine(host, '/networks');
      const names = networksSchema.parse(JSON.parse(body)).map(({ Name }) => Name);
      faults.push({
        path: 'SPACELIFT_WORKER_NETWORK',
        reason: `the container engine has no network ${JSON.stringify(network)}. It has ${names.join(', ')}; make it with "docker network create"`,
      });
    }
  }
  if (runtime !== null && !unlisted.test(runtime)) {
    const { body } = await askEngine(host, '/info');
    const names = Object.keys(infoSchema.parse(JSON.parse(body)).Runtimes);
    if (!names.includes(runtime)) {
      faults.push({
        path: 'SPACELIFT_WORKER_RUNTIME',
        reason: `the container engine has no runtime ${JSON.stringify(runtime)}. It has ${names.join(', ')}; install it and name it under "runtimes" in the engine's daemon.json`,
      });
    }
  }
  if (faults.length > 0) throw faultsError('INVALID_SETTINGS', "The launcher's environment", faults);
}

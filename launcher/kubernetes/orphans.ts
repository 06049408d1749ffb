// Run pods and run Secrets that wait for somebody who ends them in order, and nobody will: their Worker was taken away by
// force while no controller was there. The cluster deletes them with it; their finalizers are ours to take away.
import { finalizer, labels } from '../../protocol/kubernetes/names.js';
import type { Log } from '../log.js';
import { paths, type KubeApi } from './api.js';
import { keyOf, type KubeObject } from './objects.js';

export interface OrphansOptions {
  readonly api: Pick<KubeApi, 'removeFinalizer'>;
  readonly pods: readonly KubeObject[];
  readonly secrets: readonly KubeObject[];
  /** Whether somebody looks after the runs of the worker with this ULID, or will. */
  readonly isThere: (workerId: string) => boolean;
  readonly log: Pick<Log, 'warn'>;
}

export async function releaseOrphans(options: OrphansOptions): Promise<void> {
  for (const kind of ['pods', 'secrets'] as const) {
    for (const object of options[kind]) {
      const { namespace, name, deletionTimestamp, finalizers = [], labels: has = {} } = object.metadata;
      if (deletionTimestamp === undefined || !finalizers.includes(finalizer)) continue;
      if (options.isThere(has[labels.worker] ?? '')) continue;
      options.log.warn(`The Worker of ${kind}/${keyOf(object)} is gone; letting it go, too.`);
      await options.api.removeFinalizer(`${paths[kind](namespace)}/${name}`, finalizer);
    }
  }
}

// The end of a WorkerPool whose workers are gone: a pool that the controller has registered is removed at the control plane
// before the object goes. Where that cannot be done, the object stays for a time and says why, and then goes all the same.
import { messageOf, PoolwrightError } from '../../protocol/errors.js';
import { finalizer } from '../../protocol/kubernetes/names.js';
import type { WorkerPoolSpec } from '../../protocol/kubernetes/resources.js';
import type { Clock } from '../clock.js';
import type { Log } from '../log.js';
import { isRefusal, paths } from './api.js';
import type { Recorder } from './events.js';
import { keyOf, type WorkerPool } from './objects.js';
import { deregister, registrationSecret, type RegistrationOptions } from './registration.js';
import { pathOf } from './workers.js';

export interface FarewellOptions extends RegistrationOptions {
  readonly recorder: Recorder;
  readonly clock: Clock;
  readonly log: Log;
}

/** Throws what stood in the way; to be tried again. */
export type Farewell = (pool: WorkerPool, spec: WorkerPoolSpec) => Promise<void>;

/** Minutes for which it is tried to remove the pool at the control plane. */
const patience = {
  /** Something is in the way that a person has to mend, or never will. */
  refused: 5,
  /** The control plane does not answer. */
  unanswered: 60,
} as const;

export function createFarewell(options: FarewellOptions): Farewell {
  const { api, recorder, clock, log } = options;
  /** When it was tried first, by the monotonic clock, by the pool's uid. */
  const begun = new Map<string, number>();

  function tell(pool: WorkerPool, message: string): void {
    recorder.record('WorkerPool', pool, 'Warning', 'WorkerPoolNotRemoved', message);
    log.warn(message, { pool: keyOf(pool) });
  }

  async function remove(pool: WorkerPool, spec: WorkerPoolSpec): Promise<void> {
    const { uid } = pool.metadata;
    const since = begun.get(uid) ?? clock.monotonic();
    begun.set(uid, since);
    try {
      const outcome = await deregister(options, pool, spec);
      if (outcome === 'left')
        tell(pool, 'The pool stays at the control plane: somebody else has reset it, and it is theirs.');
    } catch (error) {
      // Without the API server nothing else gets on either.
      if (!(error instanceof PoolwrightError) && !isRefusal(error)) throw error;
      const isAway = error instanceof PoolwrightError && error.code === 'UNAVAILABLE';
      const minutes = isAway ? patience.unanswered : patience.refused;
      const isOver = clock.monotonic() - since >= minutes * 60_000;
      const why = messageOf(error).replace(/\.$/, '');
      tell(
        pool,
        isOver
          ? `The pool stays at the control plane: ${why}. The object goes without it; remove the pool there.`
          : `The pool cannot be removed at the control plane: ${why}. That is tried again for ${String(minutes)} minutes; then the object goes, and the pool stays there.`,
      );
      if (!isOver) throw error;
    }
  }

  return async (pool, spec) => {
    if (spec.token === undefined) {
      await remove(pool, spec);
      await api.remove(`${paths.secrets(pool.metadata.namespace)}/${registrationSecret(pool)}`);
    }
    await api.patch(pathOf(pool), {
      metadata: { finalizers: pool.metadata.finalizers?.filter((other) => other !== finalizer) ?? [] },
    });
    begun.delete(pool.metadata.uid);
  };
}

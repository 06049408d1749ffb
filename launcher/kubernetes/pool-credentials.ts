// What a pool's workers connect with: read from its Secrets when it is time, registered where there is none, and kept while
// nothing better can be had. Says on the pool what is wrong.
import { PoolwrightError } from '../../protocol/errors.js';
import type { WorkerPoolSpec } from '../../protocol/kubernetes/resources.js';
import type { Clock } from '../clock.js';
import type { Log } from '../log.js';
import { isRefusal } from './api.js';
import {
  cannotRegister,
  cannotUpdate,
  credentialsOf,
  fingerprintOf,
  readSecretKey,
  type PoolCredentials,
} from './credentials.js';
import type { EventReason, Recorder } from './events.js';
import { keyOf, type WorkerPool } from './objects.js';
import { bringSettings, registered, registrationSecret, type RegistrationOptions } from './registration.js';

export interface CredentialsKeeperOptions extends RegistrationOptions {
  /** Milliseconds: Secrets are read again. */
  readonly syncPeriod: number;
  /** They are others than before. */
  readonly onChanged: (key: string, credentials: PoolCredentials) => void;
  readonly recorder: Recorder;
  readonly clock: Clock;
  readonly log: Log;
}

/** What a pool has. */
export interface Held {
  /** Undefined: there are none. */
  readonly credentials: PoolCredentials | undefined;
  /** What is wrong, for the pool's status; empty when nothing is. */
  readonly fault: string;
}

export interface CredentialsKeeper {
  /** Reads them when it is time. Throws what the API server had against it; to be tried again. */
  current(key: string, pool: WorkerPool, spec: WorkerPoolSpec): Promise<Held>;
  /** For a pool that is deleted: what there is. Nothing is registered. */
  left(key: string, pool: WorkerPool, spec: WorkerPoolSpec): Promise<PoolCredentials | undefined>;
  /** They are read again with the next look. */
  outdate(key: string): void;
  /** Unless they are of this object. */
  forget(key: string, uid?: string): void;
}

interface Known extends Held {
  readonly uid: string;
  readonly credentials: PoolCredentials;
  /** When they were read, by the monotonic clock, and by what of the spec. */
  readonly readAt: number;
  readonly readBy: string;
}

export function createCredentialsKeeper(options: CredentialsKeeperOptions): CredentialsKeeper {
  const { api, recorder, clock, log } = options;
  const known = new Map<string, Known>();

  function complain(pool: WorkerPool, reason: EventReason<'WorkerPool'>, message: string): string {
    recorder.record('WorkerPool', pool, 'Warning', reason, message);
    log.error(message, { pool: keyOf(pool) });
    return message;
  }

  async function current(key: string, pool: WorkerPool, spec: WorkerPoolSpec): Promise<Held> {
    const before = known.get(key);
    const { space, description, driftDetectionRunLimits: drift } = spec;
    const readBy = JSON.stringify([
      spec.token,
      spec.privateKey,
      spec.spaceliftAPICredentials,
      space,
      description,
      drift,
    ]);
    if (before?.readBy === readBy && clock.monotonic() - before.readAt < options.syncPeriod) return before;
    const { credentials, fault } = await read(pool, spec, before?.credentials);
    if (credentials === undefined) return { credentials, fault };
    const held = { uid: pool.metadata.uid, credentials, fault, readBy, readAt: clock.monotonic() };
    known.set(key, held);
    if (before !== undefined && before.credentials !== credentials) {
      const message = 'Token or key has changed; workers connect again.';
      recorder.record('WorkerPool', pool, 'Normal', 'CredentialsChanged', message);
      options.onChanged(key, credentials);
    }
    return held;
  }

  async function read(
    pool: WorkerPool,
    spec: WorkerPoolSpec,
    before: PoolCredentials | undefined,
  ): Promise<Held> {
    try {
      if (spec.token !== undefined && spec.privateKey !== undefined)
        return { credentials: inUse(await pairIn(pool, spec), before), fault: '' };
      const registration = await registered(options, pool, spec);
      const credentials = inUse(registration, before);
      return { credentials, fault: await settingsFault(pool, spec, registration) };
    } catch (error) {
      if (!isTold(error)) throw error;
      // Workers that are connected stay so: what is wrong is the Secret, not the pool.
      return {
        credentials: before,
        fault: complain(pool, 'WorkerPoolCannotRegister', cannotRegister(error)),
      };
    }
  }

  /** The ones before, when nothing has changed. */
  function inUse(
    { token, privateKey }: { readonly token: string; readonly privateKey: string },
    before: PoolCredentials | undefined,
  ): PoolCredentials {
    if (before?.fingerprint === fingerprintOf(token, privateKey)) return before;
    return credentialsOf(token, privateKey, clock.now());
  }

  /** Workers do not wait for it: what is said of a pool is nothing that they need. */
  async function settingsFault(
    pool: WorkerPool,
    spec: WorkerPoolSpec,
    registration: Awaited<ReturnType<typeof registered>>,
  ): Promise<string> {
    try {
      await bringSettings(options, pool, spec, registration);
      return '';
    } catch (error) {
      if (!isTold(error)) throw error;
      return complain(pool, 'WorkerPoolNotUpdated', cannotUpdate(error));
    }
  }

  async function pairIn(pool: WorkerPool, spec: WorkerPoolSpec) {
    const { namespace } = pool.metadata;
    const one = (key: 'token' | 'privateKey') =>
      readSecretKey(api, namespace, spec[key]?.secretKeyRef ?? { name: registrationSecret(pool), key });
    return { token: await one('token'), privateKey: await one('privateKey') };
  }

  return {
    current,
    async left(key, pool, spec) {
      const before = known.get(key);
      if (before !== undefined) return before.credentials;
      try {
        return inUse(await pairIn(pool, spec), undefined);
      } catch (error) {
        if (!(error instanceof PoolwrightError)) throw error;
        return undefined;
      }
    },
    outdate(key) {
      const before = known.get(key);
      if (before !== undefined) known.set(key, { ...before, readAt: -Infinity });
    },
    forget(key, uid) {
      if (known.get(key)?.uid !== uid) known.delete(key);
    },
  };
}

/** What a person has to mend. While the API server does not answer there is nobody to tell, and it is tried again sooner. */
function isTold(error: unknown): boolean {
  return error instanceof PoolwrightError || isRefusal(error);
}

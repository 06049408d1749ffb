// Whether a pool that the controller has registered is still its own at the control plane: somebody may reset or delete it
// there. It is registered anew then, but never taken from workers that use it, and not again and again.
import { PoolwrightError } from '../../protocol/errors.js';
import type { WorkerPoolSpec } from '../../protocol/kubernetes/resources.js';
import type { Clock } from '../clock.js';
import type { Log } from '../log.js';
import { isRefusal } from './api.js';
import { apiKeyOf } from './api-key.js';
import { cannotRegister, type PoolCredentials } from './credentials.js';
import type { Recorder } from './events.js';
import { keyOf, type WorkerPool } from './objects.js';
import { withPlane } from './plane-api.js';
import { standingOf, type Standing } from './plane-pools.js';
import {
  adoptToken,
  beginAnew,
  noteRenewals,
  registrationSecret,
  renewalsOf,
  type RegistrationOptions,
  type Renewals,
} from './registration.js';

export interface OwnershipOptions extends RegistrationOptions {
  /** Milliseconds between two looks. */
  readonly syncPeriod: number;
  readonly requeue: (key: string, milliseconds: number) => void;
  readonly recorder: Recorder;
  readonly clock: Clock;
  readonly log: Log;
}

export interface PoolInUse {
  readonly object: WorkerPool;
  readonly spec: WorkerPoolSpec;
  readonly credentials: PoolCredentials;
  /** Whether the control plane knows one of its workers now. */
  readonly connected: boolean;
}

/** What was found. */
export interface Found {
  /** The pool has other credentials, or is to be registered. */
  readonly changed: boolean;
  /** What is wrong, for the pool's status; empty: it is the controller's own, or nobody could be asked. */
  readonly fault: string;
}

export interface Ownership {
  /**
   * Asks the control plane when no worker has been in contact for a while: what breaks the line of a pool that was reset is
   * told in as many ways as there are brokers. Throws what the API server had against it; to be tried again.
   */
  look(key: string, pool: PoolInUse): Promise<Found>;
}

/** Milliseconds. */
const times = {
  /** Without contact until the control plane is asked. */
  patience: 20_000,
  /**
   * For whoever has reset the pool to bring workers of their own, before it is taken back. Longer than workers in pods count
   * as there after they were cut off.
   */
  grace: 6 * 60_000,
  /** Between two registrations anew; doubles up to the longest, and begins anew after twice that. */
  shortest: 10 * 60_000,
  longest: 24 * 60 * 60_000,
} as const;

const nothing: Found = { changed: false, fault: '' };

interface State {
  /** By the monotonic clock. */
  readonly outSince: number;
  lookedAt: number;
  /** Since when it is known to be reset. */
  resetSince?: number | undefined;
  found: Found;
}

export function createOwnership(options: OwnershipOptions): Ownership {
  const { recorder, clock, log } = options;
  const states = new Map<string, State>();

  async function look(key: string, pool: PoolInUse): Promise<Found> {
    if (pool.connected || pool.spec.token !== undefined || pool.spec.poolSize === 0) {
      states.delete(key);
      return nothing;
    }
    const now = clock.monotonic();
    const state = states.get(key) ?? { outSince: now, lookedAt: -Infinity, found: nothing };
    states.set(key, state);
    const early = state.outSince + times.patience - now;
    if (early > 0) options.requeue(key, early);
    if (early > 0 || now - state.lookedAt < options.syncPeriod) return state.found;
    state.lookedAt = now;
    state.found = await judge(pool, state);
    // What comes next is a pool in contact, or one that is lost anew.
    if (state.found.changed) states.delete(key);
    return state.found;
  }

  async function judge(pool: PoolInUse, state: State): Promise<Found> {
    const standing = await ask(pool);
    if (standing?.kind !== 'reset') state.resetSince = undefined;
    switch (standing?.kind) {
      case undefined:
      case 'own':
        return nothing;
      case 'renewed':
        await adoptToken(options, pool.object, standing.token);
        return { changed: true, fault: '' };
      case 'reset':
        state.resetSince ??= clock.monotonic();
        return lost(pool, standing, clock.monotonic() - state.resetSince);
      case 'deleted':
        return lost(pool, standing, Infinity);
    }
  }

  /** Undefined when it cannot be told. */
  async function ask({ object, spec, credentials }: PoolInUse): Promise<Standing | undefined> {
    try {
      const key = await apiKeyOf(options, object, spec);
      return await withPlane(key, options.proxies, (call) => standingOf(call, credentials));
    } catch (error) {
      const isAway = error instanceof PoolwrightError && error.code === 'UNAVAILABLE';
      if (!(error instanceof PoolwrightError) && !isRefusal(error)) throw error;
      // A control plane that is away is why the workers are out of contact, and they say so.
      if (!isAway)
        recorder.record('WorkerPool', object, 'Warning', 'WorkerPoolCannotRegister', cannotRegister(error));
      log.warn(cannotRegister(error), { pool: keyOf(object) });
      return undefined;
    }
  }

  /** `known`: milliseconds for which it has been so. */
  async function lost(
    { object, credentials }: PoolInUse,
    standing: Extract<Standing, { kind: 'reset' | 'deleted' }>,
    known: number,
  ): Promise<Found> {
    const noted = await renewalsOf(options, object);
    const renewals = recent(noted, clock.now());
    const inUse = standing.kind === 'reset' && (renewals.left || standing.workers > 0);
    const next = nextAfter(renewals, clock.now());
    // The controller's own workers count as there for some minutes after they were cut off.
    if (inUse && !renewals.left && known >= times.grace)
      await noteRenewals(options, object, { ...renewals, left: true });
    const due = !inUse && known >= times.grace && next === undefined;
    const secret = registrationSecret(object);
    const message =
      `The worker pool ${credentials.token.pool} was ${standing.kind} at the control plane, not by this controller, whose token is no longer valid. ` +
      `${due ? 'The controller registers it anew.' : planOf(inUse && known >= times.grace, next, renewals.count)} ` +
      `To have it registered anew at once, delete the Secret ${secret}; to leave it as it is, delete this WorkerPool, or give it token and privateKey.`;
    recorder.record('WorkerPool', object, 'Warning', 'WorkerPoolLost', message);
    log.warn(message, { pool: keyOf(object) });
    if (due)
      await beginAnew(options, object, {
        count: renewals.count + 1,
        at: clock.now(),
        left: false,
        version: noted.version,
      });
    return { changed: due, fault: message };
  }

  return { look };
}

function planOf(isLeft: boolean, next: Date | undefined, count: number): string {
  if (isLeft) return 'Other workers use it, so it is left to them.';
  if (next === undefined)
    return `Unless other workers use it by then, the controller registers it anew after ${String(times.grace / 60_000)} minutes.`;
  return (
    `It was registered anew ${String(count)} time(s) lately, so the next time is not before ${next.toISOString()}: ` +
    'does another controller have the same pool?'
  );
}

function recent(renewals: Renewals, now: number): Renewals {
  return now - renewals.at > 2 * times.longest ? { ...renewals, count: 0 } : renewals;
}

/** When the next registration may be; undefined: now. */
function nextAfter({ count, at }: Renewals, now: number): Date | undefined {
  if (count === 0) return undefined;
  const next = at + Math.min(times.longest, times.shortest * 2 ** Math.min(count - 1, 20));
  return next > now ? new Date(next) : undefined;
}

// Leader election by a Lease, as other controllers do it: one replica works, the others wait until its time is over.
import { messageOf } from '../../protocol/errors.js';
import { sleep, type Clock } from '../clock.js';
import type { Log } from '../log.js';
import { isConflict, paths, type KubeApi } from './api.js';
import type { Metadata } from './objects.js';

export interface LeaseOptions {
  readonly api: KubeApi;
  readonly namespace: string;
  readonly name: string;
  /** Of this process. */
  readonly identity: string;
  readonly clock: Clock;
  readonly log: Log;
}

export interface Leadership {
  /** Aborted when it is lost: whoever leads has to stop at once. */
  readonly lost: AbortSignal;
  /** Lets another one lead right away. */
  release(): Promise<void>;
}

/** Milliseconds. A leader that cannot renew stops before the others may take over. */
export const leaseTimes = { duration: 15_000, renewEvery: 2_000, stopAfter: 10_000 } as const;

interface Lease {
  readonly metadata: Metadata;
  readonly spec: {
    readonly holderIdentity?: string;
    readonly leaseDurationSeconds?: number;
    readonly acquireTime?: string;
    readonly renewTime?: string;
    readonly leaseTransitions?: number;
  };
}

/** Resolves once this process leads. */
export async function lead(options: LeaseOptions, signal: AbortSignal): Promise<Leadership> {
  const { api, namespace, name, identity, clock, log } = options;
  const path = `${paths.leases(namespace)}/${name}`;
  let lease: Lease | undefined;
  /** The other's last renewal as this process saw it: clocks of two machines are not compared. */
  let seen = { renewTime: '', at: clock.monotonic() };

  const micro = () => new Date(clock.now()).toISOString().replace('Z', '000Z');
  const spec = (transitions: number, acquired: string) => ({
    holderIdentity: identity,
    leaseDurationSeconds: leaseTimes.duration / 1000,
    acquireTime: acquired,
    renewTime: micro(),
    leaseTransitions: transitions,
  });

  async function tryOnce(): Promise<boolean> {
    const found = await api.get<Lease>(path);
    if (found === undefined) {
      lease = await api.create<Lease>(paths.leases(namespace), {
        apiVersion: 'coordination.k8s.io/v1',
        kind: 'Lease',
        metadata: { name, namespace },
        spec: spec(0, micro()),
      });
      return true;
    }
    const { holderIdentity = '', renewTime = '', leaseTransitions = 0 } = found.spec;
    if (renewTime !== seen.renewTime) seen = { renewTime, at: clock.monotonic() };
    const held = holderIdentity !== '' && holderIdentity !== identity;
    const duration = (found.spec.leaseDurationSeconds ?? 15) * 1000;
    if (held && clock.monotonic() - seen.at < duration) return false;
    // The version that was read goes along, so that only one of two takes it.
    lease = await api.replace<Lease>(path, { ...found, spec: spec(leaseTransitions + 1, micro()) });
    return true;
  }

  let told = false;
  while (!signal.aborted) {
    try {
      if (await tryOnce()) break;
      if (!told) log.info(`Another controller leads (lease ${name}); waiting.`);
      told = true;
    } catch (error) {
      if (!isConflict(error, 'Conflict') && !isConflict(error, 'AlreadyExists'))
        log.warn(`The lease ${name} could not be taken: ${messageOf(error)}`);
    }
    await sleep(clock, leaseTimes.renewEvery, signal);
  }
  signal.throwIfAborted();
  log.info(`This controller leads (lease ${name}).`);

  const lost = new AbortController();
  const over = new AbortController();
  let renewed = clock.monotonic();
  const renewing = (async () => {
    for (;;) {
      await sleep(clock, leaseTimes.renewEvery, over.signal);
      if (over.signal.aborted) return;
      try {
        const { acquireTime = micro(), leaseTransitions = 0 } = lease?.spec ?? {};
        lease = await api.replace<Lease>(path, { ...lease, spec: spec(leaseTransitions, acquireTime) });
        renewed = clock.monotonic();
      } catch (error) {
        log.warn(`The lease ${name} could not be renewed: ${messageOf(error)}`);
        const taken = isConflict(error, 'Conflict') && !(await stillOwn());
        if (taken || clock.monotonic() - renewed > leaseTimes.stopAfter) {
          lost.abort();
          return;
        }
      }
    }
  })();

  async function stillOwn(): Promise<boolean> {
    const found = await api.get<Lease>(path).catch(() => lease);
    if (found?.spec.holderIdentity !== identity) return false;
    lease = found;
    return true;
  }

  return {
    lost: lost.signal,
    async release() {
      over.abort();
      await renewing;
      if (lost.signal.aborted) return;
      await api
        .replace(path, { ...lease, spec: { ...lease?.spec, holderIdentity: '', renewTime: micro() } })
        .catch((error: unknown) => {
          log.warn(`The lease ${name} could not be given back: ${messageOf(error)}`);
        });
    },
  };
}

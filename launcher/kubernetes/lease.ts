// Leader election by a Lease, as other controllers do it: one replica works, the others wait until its time is over. A
// leader that cannot renew acts no more before another one may; it goes on when the lease turns out to be its own still,
// so that an API server that is away for minutes costs no run.
import { messageOf } from '../../protocol/errors.js';
import { sleep, type Clock } from '../clock.js';
import type { Log } from '../log.js';
import { isConflict, paths, type KubeApi } from './api.js';
import type { Metadata } from './objects.js';

export interface LeaseOptions {
  readonly api: Pick<KubeApi, 'get' | 'create' | 'replace'>;
  readonly namespace: string;
  readonly name: string;
  /** Of this process. */
  readonly identity: string;
  /** It leads again after it could not renew in time. */
  readonly onRegained?: () => void;
  readonly times?: LeaseTimes;
  readonly clock: Clock;
  readonly log: Log;
}

export interface Leadership {
  /** Whether it may act: the others wait for longer than since its last renewal was sent. */
  leads(): boolean;
  /** Aborted when another one leads: whoever led has to end at once. */
  readonly lost: AbortSignal;
  /** Lets another one lead right away. */
  release(): Promise<void>;
}

/** Milliseconds. */
export interface LeaseTimes {
  /** For which the others wait after they have seen a renewal. */
  readonly duration: number;
  readonly renewEvery: number;
  /** A leader acts no more this long after it has sent the last renewal that came through. */
  readonly stopAfter: number;
}

export const leaseTimes: LeaseTimes = { duration: 15_000, renewEvery: 2_000, stopAfter: 10_000 };

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

/** Resolves once this process leads. Throws the signal's reason. */
export async function lead(options: LeaseOptions, signal: AbortSignal): Promise<Leadership> {
  const { api, namespace, name, identity, clock, log, times = leaseTimes } = options;
  const path = `${paths.leases(namespace)}/${name}`;
  let lease: Lease | undefined;
  /** When the last renewal that came through was sent: the others count from when they see it. */
  let sent = -Infinity;
  /** The other's last renewal as this process saw it: clocks of two machines are not compared. */
  let seen = { renewTime: '', at: clock.monotonic() };

  const micro = () => new Date(clock.now()).toISOString().replace('Z', '000Z');
  const spec = (transitions: number, acquired: string) => ({
    holderIdentity: identity,
    // The field holds whole seconds; what is waited for is never less than `duration`.
    leaseDurationSeconds: Math.ceil(times.duration / 1000),
    acquireTime: acquired,
    renewTime: micro(),
    leaseTransitions: transitions,
  });

  /** An answer that hangs is given up; what was asked for may have happened. */
  async function inTime<Answer>(step: Promise<Answer>): Promise<Answer> {
    const answered = new AbortController();
    const late = sleep(clock, times.stopAfter / 2, answered.signal).then(() => {
      throw new Error('the API server does not answer');
    });
    late.catch(() => undefined);
    try {
      return await Promise.race([step, late]);
    } finally {
      answered.abort();
    }
  }

  async function write(step: () => Promise<Lease>): Promise<void> {
    const before = clock.monotonic();
    lease = await inTime(step());
    sent = before;
  }

  async function tryOnce(): Promise<boolean> {
    const found = await inTime(api.get<Lease>(path));
    if (found === undefined) {
      const made = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: { name, namespace } };
      await write(() => api.create<Lease>(paths.leases(namespace), { ...made, spec: spec(0, micro()) }));
      return true;
    }
    const { holderIdentity = '', renewTime = '', leaseTransitions = 0 } = found.spec;
    if (renewTime !== seen.renewTime) seen = { renewTime, at: clock.monotonic() };
    const held = holderIdentity !== '' && holderIdentity !== identity;
    const duration = (found.spec.leaseDurationSeconds ?? 15) * 1000;
    if (held && clock.monotonic() - seen.at < duration) return false;
    // The version that was read goes along, so that only one of two takes it.
    await write(() => api.replace<Lease>(path, { ...found, spec: spec(leaseTransitions + 1, micro()) }));
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
    await sleep(clock, times.renewEvery, signal);
  }
  signal.throwIfAborted();
  log.info(`This controller leads (lease ${name}).`);

  const lost = new AbortController();
  const over = new AbortController();
  const leads = () =>
    !over.signal.aborted && !lost.signal.aborted && clock.monotonic() - sent < times.stopAfter;
  let led = true;

  async function renew(): Promise<void> {
    const { acquireTime = micro(), leaseTransitions = 0 } = lease?.spec ?? {};
    try {
      await write(() => api.replace<Lease>(path, { ...lease, spec: spec(leaseTransitions, acquireTime) }));
      if (led) return;
      led = true;
      log.info(`The lease ${name} is renewed; this controller goes on.`);
      options.onRegained?.();
    } catch (error) {
      if (led) log.warn(`The lease ${name} could not be renewed: ${messageOf(error)}`);
      if (isConflict(error, 'Conflict') && !(await stillOwn())) lost.abort();
      else if (led && !leads()) {
        led = false;
        log.warn(`This controller does nothing until it can renew the lease ${name}; runs go on.`);
      }
    }
  }

  async function stillOwn(): Promise<boolean> {
    const found = await inTime(api.get<Lease>(path)).catch(() => lease);
    if (found?.spec.holderIdentity !== identity) return false;
    lease = found;
    return true;
  }

  const renewing = (async () => {
    for (;;) {
      await sleep(clock, times.renewEvery, over.signal);
      if (over.signal.aborted || lost.signal.aborted) return;
      await renew();
    }
  })();

  return {
    leads,
    lost: lost.signal,
    async release() {
      over.abort();
      await renewing;
      if (lost.signal.aborted) return;
      const given = { ...lease, spec: { ...lease?.spec, holderIdentity: '', renewTime: micro() } };
      await write(() => api.replace(path, given)).catch((error: unknown) => {
        log.warn(`The lease ${name} could not be given back: ${messageOf(error)}`);
      });
    },
  };
}

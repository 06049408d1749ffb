// Events on pools and workers: what a person sees with `kubectl describe`. The same event again within some minutes only
// counts up.
import { messageOf } from '../../protocol/errors.js';
import { apiVersion } from '../../protocol/kubernetes/names.js';
import type { Clock } from '../clock.js';
import type { Log } from '../log.js';
import { paths, type KubeApi } from './api.js';
import type { KubeObject } from './objects.js';

/** By the kind that they are about; docs/kubernetes.md says what they mean. */
export const eventReasons = {
  WorkerPool: [
    'WorkerPoolRegistered',
    'WorkerPoolCannotRegister',
    'WorkerPoolNotUpdated',
    'WorkerPoolLost',
    'WorkerPoolNotRemoved',
    'WorkerCannotConnect',
    'CredentialsChanged',
    'ScaledUp',
    'ScaledDown',
  ],
  Worker: [
    'WorkerRegistered',
    'WorkerDisconnected',
    'WorkerDrained',
    'WorkerUndrained',
    'WorkerRemoved',
    'RunAssigned',
    'RunResumed',
    'RunPodCreated',
    'RunPodNotCreated',
    'RunPodNotStarted',
    'RunPodFailed',
    'RunFinished',
  ],
} as const;
type Kind = keyof typeof eventReasons;
export type EventReason<Of extends Kind = Kind> = (typeof eventReasons)[Of][number];

export interface Recorder {
  /** Never throws; an event that cannot be written, or is one too many, is logged. */
  record<Of extends Kind>(
    kind: Of,
    about: KubeObject,
    type: 'Normal' | 'Warning',
    reason: EventReason<Of>,
    message: string,
  ): void;
}

interface Written {
  readonly path: string;
  count: number;
  readonly at: number;
}

/** Milliseconds in which the same event counts up. */
const sameWithin = 10 * 60_000;
const remembered = 1000;
/** Events that wait to be written: a pool of thousands that connects again must not keep back those of its runs. */
const waitingAtMost = 1000;

export function createRecorder(api: KubeApi, clock: Clock, log: Log): Recorder {
  const written = new Map<string, Written>();
  let serial = 0;
  let waiting = 0;
  let last = Promise.resolve();

  async function write(
    kind: string,
    { metadata }: KubeObject,
    type: string,
    reason: string,
    text: string,
  ): Promise<void> {
    const message = text.slice(0, 1024);
    const key = [metadata.uid, reason, message].join(' ');
    const now = new Date(clock.now()).toISOString().replace(/\.\d+Z$/, 'Z');
    const before = written.get(key);
    if (before !== undefined && clock.monotonic() - before.at < sameWithin) {
      before.count += 1;
      const done = await api.patch(before.path, { count: before.count, lastTimestamp: now });
      if (done !== undefined) return;
    }
    serial += 1;
    const name = `${metadata.name}.${Math.round(clock.now()).toString(16)}${serial.toString(16)}`.slice(-250);
    await api.create(paths.events(metadata.namespace), {
      metadata: { name, namespace: metadata.namespace },
      involvedObject: {
        apiVersion,
        kind,
        name: metadata.name,
        namespace: metadata.namespace,
        uid: metadata.uid,
      },
      type,
      reason,
      message,
      source: { component: 'workerpool-controller' },
      firstTimestamp: now,
      lastTimestamp: now,
      count: 1,
    });
    written.set(key, {
      path: `${paths.events(metadata.namespace)}/${name}`,
      count: 1,
      at: clock.monotonic(),
    });
    const [oldest] = written.keys();
    if (written.size > remembered && oldest !== undefined) written.delete(oldest);
  }

  return {
    record(kind, about, type, reason, message) {
      if (waiting >= waitingAtMost) {
        log.debug(`The event ${reason} was left out: ${String(waiting)} others wait to be written`);
        return;
      }
      waiting += 1;
      last = last
        .then(() => write(kind, about, type, reason, message))
        .catch((error: unknown) => {
          log.debug(`The event ${reason} could not be written: ${messageOf(error)}`);
        })
        .finally(() => {
          waiting -= 1;
        });
    },
  };
}

/**
 * The last warnings about a pod, as a sentence to append; empty when there are none. `said`: what need not be said again.
 * `orLast`: where there is no warning, whatever was said last.
 */
export async function wordsOfEvents(
  api: KubeApi,
  pod: KubeObject,
  { said, orLast = false }: { readonly said: string; readonly orLast?: boolean },
): Promise<string> {
  interface Events {
    readonly items: readonly {
      readonly type?: string;
      readonly reason?: string;
      readonly message?: string;
    }[];
  }
  const query = new URLSearchParams({ fieldSelector: `involvedObject.uid=${pod.metadata.uid}` });
  const path = `${paths.events(pod.metadata.namespace)}?${query.toString()}`;
  // Only more words on something that is told anyway.
  const found = await api.get<Events>(path).catch(() => undefined);
  const events = found?.items ?? [];
  const warnings = events.filter(({ type }) => type === 'Warning');
  const words = (warnings.length > 0 || !orLast ? warnings.slice(-3) : events.slice(-1))
    .filter(({ message = '' }) => message === '' || !said.includes(message))
    .map(({ reason = '', message = '' }) => `${reason}: ${message}`);
  return words.length === 0 ? '' : ` Events of the pod: ${[...new Set(words)].join('; ')}`;
}

// Waits for the container `worker` to say hello. When that takes its time, the run's log says what it waits for: the runner
// image may be large, and nothing else of the run is heard until then.
import { sleep, type Clock } from '../../clock.js';
import type { WorkerApi } from '../../run/worker-api.js';
import { append } from '../report.js';

/** Milliseconds. */
const noticeAfter = 30_000;

export interface LateWorkerOptions {
  readonly api: Pick<WorkerApi, 'sendSpool'>;
  /** Number of the last record that the control plane has of this attempt. */
  readonly acknowledged: number;
  readonly clock: Clock;
  /** Unix milliseconds. */
  readonly now: () => number;
  /** Aborted when the pod is being ended. */
  readonly signal: AbortSignal;
}

/** `acknowledged`: as it is then. Throws what `hello` throws, STALE_ATTEMPT, the signal's reason. */
export async function untilHello<Hello>(
  hello: Promise<Hello>,
  { api, acknowledged, clock, now, signal }: LateWorkerOptions,
): Promise<{ readonly hello: Hello; readonly acknowledged: number }> {
  const greeted = new AbortController();
  const late = sleep(clock, noticeAfter, greeted.signal).then(() => !greeted.signal.aborted);
  try {
    if (!(await Promise.race([hello.then(() => false), late]))) return { hello: await hello, acknowledged };
  } finally {
    greeted.abort();
  }
  const line =
    `The container worker of this pod has not started within ${String(noticeAfter / 1000)} s; its image may still be ` +
    'on its way. The events of the pod say more.';
  await append(api, { state: 'PREPARING', line, now: now() }, signal);
  return { hello: await hello, acknowledged: await api.sendSpool(Buffer.alloc(0), signal) };
}

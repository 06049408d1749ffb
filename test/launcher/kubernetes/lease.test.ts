// Leadership on a clock that the test moves, before an API server that need not answer.
import { describe, expect, it } from 'vitest';
import { KubeError, type KubeApi } from '../../../launcher/kubernetes/api.js';
import { lead, leaseTimes } from '../../../launcher/kubernetes/lease.js';
import { recordedLog } from '../support/log.js';
import { manualClock } from '../support/manual-clock.js';
import { until } from '../support/until.js';

type Replace = (body: object) => Promise<unknown>;

async function leading(replace: Replace) {
  const clock = manualClock();
  let replaced = 0;
  const unused = () => Promise.reject(new Error('not used here'));
  const api: KubeApi = {
    get: () => Promise.resolve(undefined),
    create: <Item>(_path: string, body: object) => Promise.resolve(body as Item),
    replace: <Item>(_path: string, body: object) => {
      replaced += 1;
      return replace(body) as Promise<Item>;
    },
    list: unused,
    patch: unused,
    remove: unused,
    requests: () => 0,
    close: () => undefined,
  };
  const leadership = await lead(
    { api, namespace: 'n', name: 'l', identity: 'me', clock, log: recordedLog() },
    new AbortController().signal,
  );
  const renewals = (count: number) => until(() => replaced >= count, `${String(count)} renewals`);
  /** Until what is awaited has gone on and waits again. */
  const settled = () => new Promise((resolve) => setImmediate(resolve));
  return { clock, leadership, renewals, settled };
}

const never = () => new Promise<never>(() => undefined);

describe('a leader', () => {
  it('is none any more 10 s after its last renewal when the next one is never answered', async () => {
    const { clock, leadership, renewals } = await leading(never);
    clock.advance(leaseTimes.renewEvery);
    await renewals(1);
    clock.advance(leaseTimes.stopAfter - leaseTimes.renewEvery - 1);
    expect(leadership.lost.aborted).toBe(false);
    clock.advance(1);
    expect(leadership.lost.aborted).toBe(true);
    // Which does not wait for the answer.
    await leadership.release();
  });

  it('counts from when a renewal was sent, not from when it was answered', async () => {
    const answers: ((body: object) => void)[] = [];
    const { clock, leadership, renewals, settled } = await leading(
      (body) =>
        new Promise((resolve) =>
          answers.push(() => {
            resolve(body);
          }),
        ),
    );
    clock.advance(leaseTimes.renewEvery);
    await renewals(1);
    clock.advance(5000);
    answers[0]!({});
    await settled();
    // Sent at 2 s, answered at 7 s.
    clock.advance(4999);
    expect(leadership.lost.aborted).toBe(false);
    clock.advance(1);
    expect(leadership.lost.aborted).toBe(true);
  });

  it('stays one while it can renew, and gives the lease back', async () => {
    let last: object = {};
    const { clock, leadership, renewals, settled } = await leading((body) => {
      last = body;
      return Promise.resolve(body);
    });
    for (let count = 1; count <= 10; count += 1) {
      clock.advance(leaseTimes.renewEvery);
      await renewals(count);
      await settled();
    }
    expect(leadership.lost.aborted).toBe(false);
    await leadership.release();
    expect(last).toMatchObject({ spec: { holderIdentity: '' } });
    clock.advance(60_000);
    expect(leadership.lost.aborted).toBe(false);
  });

  it('is none at once when another one has taken the lease', async () => {
    const { clock, leadership, settled } = await leading(() =>
      Promise.reject(new KubeError(409, 'Conflict', 'changed meanwhile')),
    );
    clock.advance(leaseTimes.renewEvery);
    await settled();
    expect(leadership.lost.aborted).toBe(true);
  });
});

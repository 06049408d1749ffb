// Which reason an attempt ends by, and how long its last words may take.
import { describe, expect, it } from 'vitest';
import { PoolwrightError } from '../../../protocol/errors.js';
import { createAttemptEnd } from '../../../launcher/run/attempt-end.js';
import { manualClock } from '../support/manual-clock.js';

const stop = (code: 'RUN_STOPPED' | 'LAUNCHER_STOPPED', text: string) =>
  ({ kind: 'stop', error: new PoolwrightError(code, text) }) as const;
const ending = () => {
  const clock = manualClock();
  return { clock, own: createAttemptEnd({ run: 'R', attempt: 2 }, clock) };
};

describe('an attempt that is ended', () => {
  it('goes by the first reason, and goes on being delivered', () => {
    const { own } = ending();
    own.end(stop('RUN_STOPPED', 'first'));
    own.end({ kind: 'hand-over', error: new PoolwrightError('RUN_STOPPED', 'second') });
    expect(own.stop?.message).toBe('first');
    expect(own.handedOver).toBe(false);
    expect(own.work.aborted).toBe(true);
    expect(own.delivery.signal.aborted).toBe(false);
  });

  it('says nothing more when it no longer counts, whatever came before', () => {
    const { own } = ending();
    own.end(stop('RUN_STOPPED', 'first'));
    own.end({ kind: 'stale' });
    expect(own.stale).toBe(true);
    expect(own.delivery.signal.reason).toMatchObject({
      code: 'STALE_ATTEMPT',
      message: 'Attempt 2 of run R no longer counts.',
    });
  });

  it('has five seconds for its last words when the launcher ends, from the end of its steps on', async () => {
    const { clock, own } = ending();
    let hurried = false;
    let over: () => void = () => undefined;
    own.onHurry(() => (hurried = true));
    own.executing(new Promise<void>((resolve) => (over = resolve)));
    own.end(stop('LAUNCHER_STOPPED', 'It was stopped.'));
    clock.advance(60_000);
    await new Promise(setImmediate);
    expect(hurried).toBe(false);
    over();
    await new Promise(setImmediate);
    expect(hurried).toBe(true);
    clock.advance(4_999);
    expect(own.delivery.signal.aborted).toBe(false);
    clock.advance(1);
    expect(own.delivery.signal.reason).toBe(own.stop);
  });
});

import { describe, expect, it } from 'vitest';
import { startWatchdog } from '../../../launcher/health/watchdog.js';
import { recordedLog } from '../support/log.js';
import { manualClock } from '../support/manual-clock.js';

const armed = { WATCHDOG_USEC: '180000000', NOTIFY_SOCKET: '/run/systemd/notify' };

function start(environment: NodeJS.ProcessEnv, answers: (() => Promise<void>)[] = []) {
  const clock = manualClock();
  const log = recordedLog();
  let signs = 0;
  const notify = async () => {
    signs += 1;
    await answers.shift()?.();
  };
  const stop = startWatchdog({ environment, notify, clock, log });
  return { clock, log, stop, signs: () => signs };
}

describe('the watchdog', () => {
  it('hears of a launcher at once and three times in its time, until the launcher has ended', () => {
    const { clock, stop, signs } = start(armed);
    expect(signs()).toBe(1);
    clock.advance(59_999);
    expect(signs()).toBe(1);
    clock.advance(1);
    expect(signs()).toBe(2);
    clock.advance(120_000);
    expect(signs()).toBe(4);
    stop();
    clock.advance(600_000);
    expect(signs()).toBe(4);
  });

  it.each([{}, { WATCHDOG_USEC: '180000000' }, { ...armed, WATCHDOG_USEC: '0' }])(
    'is left alone where there is none',
    (environment) => {
      const { clock, signs } = start(environment);
      clock.advance(600_000);
      expect(signs()).toBe(0);
    },
  );

  it('that cannot be reached is tried again, and told of once', async () => {
    const failing = () => Promise.reject(new Error('spawn systemd-notify ENOENT'));
    const { clock, log, signs } = start(armed, [failing, failing, () => Promise.resolve(), failing]);
    for (let time = 0; time < 4; time += 1) {
      await new Promise(setImmediate);
      clock.advance(60_000);
    }
    expect(signs()).toBe(5);
    const line = "systemd's watchdog cannot be told that all is well: spawn systemd-notify ENOENT";
    expect(log.lines.map(({ message }) => message)).toEqual([line, line]);
  });
});

// What a notice brings about: leave, in time, with the true cause; and the answer to the cloud after everything else.
import { beforeEach, describe, expect, it } from 'vitest';
import type { PoolwrightError } from '../../../protocol/errors.js';
import { attend, type Attendance } from '../../../launcher/notices/attend.js';
import type { Notice } from '../../../launcher/notices/notice.js';
import { recordedLog, type RecordedLog } from '../support/log.js';
import { manualClock, type ManualClock } from '../support/manual-clock.js';
import { until } from '../support/until.js';

let clock: ManualClock;
let log: RecordedLog;
/** What the launcher was told, in order. */
let told: string[];
let errors: PoolwrightError[];
let busy: boolean;
let answers: string[];
let report: (notices: readonly Notice[]) => void;
let fault: (error: unknown) => void;
let attendance: Attendance;
beforeEach(() => {
  clock = manualClock(1_000_000);
  log = recordedLog();
  told = [];
  errors = [];
  answers = [];
  busy = true;
  attendance = attend({
    machine: {
      cloud: 'EC2',
      protection: null,
      watch: (toReport, toFault, signal) => {
        report = toReport;
        fault = toFault;
        return new Promise((resolve) => {
          signal.addEventListener('abort', () => {
            resolve();
          });
        });
      },
    },
    launcher: {
      drain: (reason) => told.push(`drain: ${reason}`),
      stop: (error) => {
        told.push('stop');
        errors.push(error);
      },
      giveBack: (error) => {
        told.push('give back');
        errors.push(error);
      },
      get busy() {
        return busy;
      },
    },
    clock,
    log,
  });
});

const notice = (changes: Partial<Notice> = {}): Notice => ({
  id: 'one',
  what: 'EC2 takes this instance',
  kind: 'leave',
  deadline: null,
  ...changes,
});
const answered = (name: string) => () => {
  answers.push(name);
  return Promise.resolve();
};
const warnings = () => log.lines.filter(({ level }) => level === 'warn').map(({ message }) => message);

describe('a notice', () => {
  it('without a time lets the run finish, however long the cloud waits', () => {
    report([notice()]);
    report([notice()]);
    clock.advance(24 * 3_600_000);
    expect(new Set(told)).toEqual(new Set(['drain: EC2 takes this instance']));
    expect(warnings()).toEqual(['Notice: EC2 takes this instance. This worker takes nothing new.']);
  });

  it('with a time gives back what has not begun, and stops what is left in time for its last words', () => {
    report([notice({ deadline: clock.now() + 120_000 })]);
    expect(told).toEqual(['give back']);
    clock.advance(99_999);
    expect(told).toHaveLength(1);
    clock.advance(1);
    expect(told).toEqual(['give back', 'stop']);
    expect(errors[1]).toMatchObject({
      code: 'MACHINE_TERMINATED',
      message:
        'The run was ended because EC2 takes this instance: it did not finish in the 120 s that were left.',
    });
  });

  it('with little time leaves half of it to the run', () => {
    report([notice({ deadline: clock.now() + 30_000 })]);
    clock.advance(14_999);
    expect(told).toEqual(['give back']);
    clock.advance(1);
    expect(told).toEqual(['give back', 'stop']);
  });

  it('whose time is over stops the run at once', () => {
    report([notice({ deadline: clock.now() - 5_000 })]);
    clock.advance(0);
    expect(told).toEqual(['give back', 'stop']);
  });

  it('that comes after another one counts by its own time when that is sooner', () => {
    report([notice({ id: 'rebalance' })]);
    const spot = notice({ id: 'spot', deadline: clock.now() + 120_000 });
    report([notice({ id: 'rebalance' }), spot]);
    report([notice({ id: 'rebalance' }), spot, notice({ id: 'late', deadline: clock.now() + 500_000 })]);
    clock.advance(100_000);
    expect(told.filter((what) => !what.startsWith('drain'))).toEqual(['give back', 'stop']);
  });

  it('that is taken back lets the run finish, and is answered by nobody', async () => {
    report([notice({ deadline: clock.now() + 900_000, acknowledge: answered('go') })]);
    clock.advance(60_000);
    report([]);
    clock.advance(3_600_000);
    expect(told).toEqual(['give back']);
    await attendance.finish();
    expect(answers).toEqual([]);
    expect(log.lines.at(-1)?.message).toBe(
      'EC2 does not announce any more: EC2 takes this instance. This worker ends after its run all the same.',
    );
  });

  it('that is put off gives the run the time that it has now', () => {
    report([notice({ deadline: clock.now() + 120_000 })]);
    report([notice({ deadline: clock.now() + 600_000 })]);
    clock.advance(579_999);
    expect(told).toEqual(['give back']);
    clock.advance(1);
    expect(told).toEqual(['give back', 'stop']);
    report([notice({ deadline: clock.now() + 600_000 })]);
    clock.advance(3_600_000);
    expect(told).toEqual(['give back', 'stop']);
  });

  it('that is taken back leaves the time of another one', () => {
    const late = notice({ id: 'late', deadline: clock.now() + 500_000 });
    report([notice({ deadline: clock.now() + 120_000 }), late]);
    report([late]);
    clock.advance(479_999);
    expect(told).toEqual(['give back']);
    clock.advance(1);
    expect(told).toEqual(['give back', 'stop']);
  });

  it('is answered when the launcher has ended, and the cloud is asked to wait until then', async () => {
    const own = notice({ acknowledge: answered('go'), prolong: answered('wait') });
    report([own]);
    for (let second = 0; second < 180; second += 5) {
      clock.advance(5_000);
      report([own]);
    }
    expect(answers).toEqual(['wait', 'wait', 'wait', 'wait']);
    await attendance.finish();
    expect(answers.at(-1)).toBe('go');
    clock.advance(600_000);
    expect(answers).toHaveLength(5);
    expect(log.lines.at(-1)?.message).toBe('Told EC2 that this machine may go: EC2 takes this instance.');
  });

  it('is answered again when the answer did not arrive, for ten seconds at most', async () => {
    let failures = 2;
    report([
      notice({
        acknowledge: () => {
          failures -= 1;
          return failures >= 0 ? Promise.reject(new Error('no route')) : answered('go')();
        },
      }),
    ]);
    const finished = attendance.finish();
    await until(() => {
      clock.advance(500);
      return answers.length === 1;
    }, 'the answer');
    await finished;
    expect(warnings().filter((line) => line.includes('no route'))).toHaveLength(2);
  });

  it('that cannot be answered does not keep the launcher from ending', async () => {
    report([notice({ acknowledge: () => Promise.reject(new Error('no route')) })]);
    let ended = false;
    void attendance.finish().then(() => (ended = true));
    await until(() => {
      clock.advance(500);
      return ended;
    }, 'the end');
    expect(clock.now()).toBeLessThan(1_000_000 + 15_000);
  });

  it('is not heard any more when the launcher has ended', async () => {
    await attendance.finish();
    report([notice()]);
    expect(told).toEqual([]);
  });
});

describe('a pause', () => {
  it('ends nothing, and is let go ahead as soon as there is no run', () => {
    const own = notice({ kind: 'pause', deadline: clock.now() + 60_000, acknowledge: answered('go') });
    report([own]);
    clock.advance(120_000);
    expect(told).toEqual([]);
    expect(answers).toEqual([]);
    busy = false;
    report([own]);
    report([own]);
    expect(answers).toEqual(['go']);
  });
});

describe('an answer to a pause', () => {
  it('that the end of the launcher breaks off is no fault', async () => {
    busy = false;
    let breakOff: (error: Error) => void = () => undefined;
    report([
      notice({
        kind: 'pause',
        acknowledge: (signal) =>
          new Promise((_resolve, reject) => {
            breakOff = reject;
            signal.addEventListener('abort', () => {
              breakOff(new Error('This operation was aborted'));
            });
          }),
      }),
    ]);
    await attendance.finish();
    await new Promise(setImmediate);
    expect(warnings()).toEqual([]);
  });
});

describe('a metadata service that fails', () => {
  it('is complained of once for each reason', () => {
    for (let look = 0; look < 5; look += 1) fault(new Error('no route'));
    fault(new Error('HTTP 500'));
    report([]);
    fault(new Error('HTTP 500'));
    expect(warnings()).toEqual([
      'The notices of EC2 cannot be read: no route. Trying again.',
      'The notices of EC2 cannot be read: HTTP 500. Trying again.',
      'The notices of EC2 cannot be read: HTTP 500. Trying again.',
    ]);
  });
});

// Protection from scale-in follows the runs, and its failures never stand in their way.
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { createGuard, type Guard } from '../../../launcher/notices/guard.js';
import { RefusedError } from '../../../launcher/notices/notice.js';
import { temporaryFolder } from '../../support/temporary.js';
import { recordedLog, type RecordedLog } from '../support/log.js';
import { manualClock, type ManualClock } from '../support/manual-clock.js';
import { until } from '../support/until.js';

let marker: string;
let clock: ManualClock;
let log: RecordedLog;
let asked: boolean[];
/** How the cloud answers, in turn; when none is left, it does what it is asked. */
let answers: (() => Promise<void>)[];
beforeEach(async () => {
  marker = join(await temporaryFolder(), 'protected');
  clock = manualClock();
  log = recordedLog();
  asked = [];
  answers = [];
});

const guard = (): Guard =>
  createGuard({
    protection: {
      async set(protect) {
        asked.push(protect);
        await answers.shift()?.();
      },
    },
    marker,
    clock,
    random: () => 0.5,
    log,
  });
const warnings = () => log.lines.filter(({ level }) => level === 'warn').map(({ message }) => message);
const denied = () => Promise.reject(new RefusedError('AccessDenied: not authorized'));
const lost = () => Promise.reject(new Error('no answer'));
const asks = (count: number) =>
  until(
    () => {
      if (asked.length < count) clock.advance(1_000);
      return asked.length >= count;
    },
    `${String(count)} calls`,
  );

describe('a machine', () => {
  it('is protected before a run begins, and not any more when it is over', async () => {
    const own = guard();
    await own.protect();
    expect(asked).toEqual([true]);
    expect(existsSync(marker)).toBe(true);
    own.release();
    await asks(2);
    await own.close();
    expect(asked).toEqual([true, false]);
    expect(existsSync(marker)).toBe(false);
    expect(warnings()).toEqual([]);
  });

  it('asks nothing of a cloud when no run came', async () => {
    await guard().close();
    expect(asked).toEqual([]);
  });

  it('lets the run begin when it may not protect itself, says why once, and goes on trying', async () => {
    const own = guard();
    answers = [denied, denied, denied];
    await own.protect();
    expect(warnings()).toEqual([
      'This machine is not protected from scale-in while its run goes on: AccessDenied: not authorized',
    ]);
    await asks(4);
    expect(asked).toEqual([true, true, true, true]);
    expect(warnings()).toHaveLength(1);
    own.release();
    await asks(5);
    await own.close();
    expect(asked.at(-1)).toBe(false);
  });

  it('has nothing to take off when the cloud has refused, and something when it has not answered', async () => {
    const own = guard();
    answers = [denied];
    await own.protect();
    own.release();
    await own.close();
    expect(asked).toEqual([true]);
    const other = guard();
    answers = [lost];
    await other.protect();
    other.release();
    await asks(3);
    await other.close();
    expect(asked).toEqual([true, true, false]);
  });

  it('lets the run begin when the cloud does not answer', async () => {
    const own = guard();
    answers = [() => new Promise(() => undefined)];
    const begun = own.protect();
    await asks(1);
    clock.advance(5_000);
    await begun;
  });

  it('takes a protection back that came through after the run', async () => {
    const own = guard();
    let arrive: () => void = () => undefined;
    answers = [() => new Promise((resolve) => (arrive = resolve))];
    void own.protect();
    await asks(1);
    own.release();
    arrive();
    await asks(2);
    expect(asked).toEqual([true, false]);
    await own.close();
  });

  it('keeps the protection for a run that comes while the one before is still taken off', async () => {
    const own = guard();
    await own.protect();
    let arrive: () => void = () => undefined;
    answers = [() => new Promise((resolve) => (arrive = resolve))];
    own.release();
    await asks(2);
    const second = own.protect();
    arrive();
    await second;
    expect(asked).toEqual([true, false, true]);
  });

  it('takes off what a launcher that was killed has left', async () => {
    await writeFile(marker, '');
    const own = guard();
    own.release();
    await asks(1);
    await own.close();
    expect(asked).toEqual([false]);
    expect(existsSync(marker)).toBe(false);
  });

  it('stays protected while the run of a launcher that was killed goes on', async () => {
    await writeFile(marker, '');
    const own = guard();
    await own.protect();
    expect(asked).toEqual([true]);
    own.release();
    await asks(2);
    await own.close();
    expect(asked).toEqual([true, false]);
  });

  it('ends in time when the cloud does not take the protection off, and says that it is left', async () => {
    const own = guard();
    await own.protect();
    answers = Array.from({ length: 20 }, () => denied);
    own.release();
    await until(() => warnings().length > 0, 'a warning');
    const closed = own.close();
    clock.advance(10_000);
    await closed;
    expect(existsSync(marker)).toBe(true);
    expect(warnings()[0]).toContain('still protected from scale-in though it has no run');
  });
});

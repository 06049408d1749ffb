// Protection from scale-in follows the runs, and its failures never stand in their way.
import { existsSync } from 'node:fs';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { createGuard, type Guard } from '../../../launcher/notices/guard.js';
import { RefusedError } from '../../../launcher/notices/notice.js';
import { openProtectionMarks } from '../../../launcher/notices/protection-marks.js';
import { temporaryFolder } from '../../support/temporary.js';
import { recordedLog, type RecordedLog } from '../support/log.js';
import { manualClock, type ManualClock } from '../support/manual-clock.js';
import { until } from '../support/until.js';

let folder: string;
let marker: string;
let clock: ManualClock;
let log: RecordedLog;
let asked: boolean[];
/** How the cloud answers, in turn; when none is left, it does what it is asked. */
let answers: (() => Promise<void>)[];
beforeEach(async () => {
  folder = await temporaryFolder();
  marker = join(folder, `protected.${String(process.pid)}`);
  clock = manualClock();
  log = recordedLog();
  asked = [];
  answers = [];
});

/** Of the launcher that is the process `pid`: one that is there. */
const guard = async (pid = process.pid): Promise<Guard> =>
  createGuard({
    protection: {
      async set(protect, signal) {
        signal.throwIfAborted();
        asked.push(protect);
        await answers.shift()?.();
      },
    },
    marks: await openProtectionMarks(folder, pid),
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
    const own = await guard();
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
    await (await guard()).close();
    expect(asked).toEqual([]);
  });

  it('lets the run begin when it may not protect itself, says why once, and goes on trying', async () => {
    const own = await guard();
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
    const own = await guard();
    answers = [denied];
    await own.protect();
    own.release();
    await own.close();
    expect(asked).toEqual([true]);
    const other = await guard();
    answers = [lost];
    await other.protect();
    other.release();
    await asks(3);
    await other.close();
    expect(asked).toEqual([true, true, false]);
  });

  it('lets the run begin when the cloud does not answer', async () => {
    const own = await guard();
    answers = [() => new Promise(() => undefined)];
    const begun = own.protect();
    await asks(1);
    clock.advance(5_000);
    await begun;
  });

  it('takes a protection back that came through after the run', async () => {
    const own = await guard();
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
    const own = await guard();
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

  it('gives a run its own first try when what the one before had is just not taken off', async () => {
    const own = await guard();
    await own.protect();
    let refuse: (error: Error) => void = () => undefined;
    let arrive: () => void = () => undefined;
    answers = [
      () => new Promise((_resolve, reject) => (refuse = reject)),
      () => new Promise((resolve) => (arrive = resolve)),
    ];
    own.release();
    await asks(2);
    let begun = false;
    const second = own.protect().then(() => (begun = true));
    refuse(new Error('no answer'));
    await until(() => asked.length === 3, 'its own try');
    expect(asked).toEqual([true, false, true]);
    expect(begun).toBe(false);
    arrive();
    await second;
    await own.close();
  });

  it('takes off what a launcher of an earlier version has left', async () => {
    await writeFile(join(folder, 'protected'), '');
    const own = await guard();
    own.release();
    await asks(1);
    await own.close();
    expect(await readdir(folder)).toEqual([]);
  });

  it('takes off what a launcher that was killed has left', async () => {
    await writeFile(join(folder, 'protected.4194304'), '4194304 1 another start of the machine');
    const own = await guard();
    own.release();
    await asks(1);
    await own.close();
    expect(asked).toEqual([false]);
    expect(await readdir(folder)).toEqual([]);
  });

  it('stays protected while the run of a launcher that was killed goes on', async () => {
    await writeFile(join(folder, 'protected.4194304'), '4194304 1 another start of the machine');
    const own = await guard();
    await own.protect();
    expect(asked).toEqual([true]);
    own.release();
    await asks(2);
    await own.close();
    expect(asked).toEqual([true, false]);
  });

  it('ends in time when the cloud does not take the protection off, and says that it is left', async () => {
    const own = await guard();
    await own.protect();
    answers = Array.from({ length: 20 }, () => denied);
    own.release();
    await until(() => warnings().length > 0, 'a warning');
    const closed = own.close();
    clock.advance(10_000);
    await closed;
    expect(await readdir(folder)).toEqual([`protected.${String(process.pid)}.over`]);
    expect(warnings()[0]).toContain('still protected from scale-in though it has no run');
  });
});

describe('launchers that share a machine', () => {
  it('leave it protected until the run of the last one is over', async () => {
    const [one, other] = [await guard(), await guard(process.ppid)];
    await one.protect();
    await other.protect();
    one.release();
    await one.close();
    expect(asked).toEqual([true, true]);
    other.release();
    await other.close();
    expect(asked).toEqual([true, true, false]);
    expect(await readdir(folder)).toEqual([]);
  });

  it('do not take the protection of one that is busy for left behind when they start', async () => {
    await (await guard(process.ppid)).protect();
    const own = await guard();
    own.release();
    await own.close();
    expect(asked).toEqual([true]);
  });

  it('protect it again when one has begun while another took the protection off', async () => {
    const [one, other] = [await guard(), await guard(process.ppid)];
    await one.protect();
    let arrive: () => void = () => undefined;
    answers = [() => new Promise((resolve) => (arrive = resolve))];
    one.release();
    await asks(2);
    await other.protect();
    // Later than what the other one asked: the machine is without protection by now.
    arrive();
    await one.close();
    expect(asked).toEqual([true, false, true, true]);
    await other.close();
    expect(asked.at(-1)).toBe(false);
  });
});

// What becomes of an attempt that is taken over, ends badly, or is ended: nothing runs on with nobody to see it, and the
// cause that is told is the one that it had.
import { existsSync } from 'node:fs';
import { mkdir, open, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { PoolwrightError } from '../../../protocol/errors.js';
import { startAttempt, type AttemptDependencies } from '../../../launcher/run/attempt.js';
import { attemptFolder } from '../../../launcher/run/attempt-folder.js';
import type { StepEnd } from '../../../launcher/executors/executor.js';
import { holdsAttempt, noPast } from '../../../launcher/run/record.js';
import type { WorkerApi } from '../../../launcher/run/worker-api.js';
import { temporaryFolder } from '../../support/temporary.js';
import { until } from '../support/until.js';
import { recordedLog } from '../support/log.js';
import { assignment, attemptIn, privateKey } from './support/attempt-in.js';

/** An attempt that one process before has worked on, and that the control plane does not count any more. */
async function dropped(end: (folder: string) => Promise<unknown>) {
  const life = await temporaryFolder();
  const folder = attemptFolder(life, assignment);
  await mkdir(folder);
  await writeFile(join(folder, 'assignment.sealed'), '');
  const log = recordedLog();
  const stale = () => Promise.reject(new PoolwrightError('STALE_ATTEMPT', 'It no longer counts.'));
  const api: Pick<WorkerApi, 'accept' | 'close'> = { accept: stale, close: () => undefined };
  const deps = {
    createApi: () => api,
    folder: life,
    settings: { privateKey },
    log,
    sweep: () => end(folder),
  };
  const past = { ...noPast, processes: 1, executor: 'host' as const, begunAt: 1, started: 1 };
  // It gets no further than to be accepted: the rest of what an attempt needs is not asked for.
  await startAttempt(deps as unknown as AttemptDependencies, assignment, past).done;
  return { folder, log };
}

describe('an attempt that is taken over and no longer counts', () => {
  it('ends what the process before has started, and only then removes its folder', async () => {
    const there: boolean[] = [];
    const { folder } = await dropped((path) => {
      there.push(existsSync(path));
      return Promise.resolve();
    });
    expect(there).toEqual([true]);
    expect(existsSync(folder)).toBe(false);
  });

  it('can be found again when that could not be ended', async () => {
    const { folder, log } = await dropped(() => Promise.reject(new Error('the engine does not answer')));
    expect(await holdsAttempt(folder)).toBe(true);
    expect(log.lines.filter(({ level }) => level === 'error').map(({ message }) => message)).toEqual([
      expect.stringContaining('the engine does not answer'),
    ]);
  });
});

const exit: StepEnd = { exitCode: 9, signal: null, cause: 'exit' };

describe('the cause of a failure', () => {
  it('is kept before what the run was executed in goes', async () => {
    let kept = '';
    const { attempt, result } = await attemptIn({
      run: () => Promise.resolve(exit),
      async onClose(folder) {
        kept = await readFile(join(folder, 'progress.ndjson'), 'utf8');
      },
    });
    expect(await attempt.done).toBe('failed');
    expect(kept).toContain('"k":"failed","code":"COMMAND_FAILED"');
    expect(result()).toMatchObject({ code: 'COMMAND_FAILED' });
  });

  it('is memory that ran out, whatever exit code a step made of it', async () => {
    const end: StepEnd = { exitCode: 1, signal: null, cause: 'out-of-memory' };
    const { attempt, result } = await attemptIn({ run: () => Promise.resolve(end) });
    await attempt.done;
    expect(result()).toMatchObject({
      code: 'OUT_OF_MEMORY',
      message: expect.stringMatching(
        /^The step plan ended with exit code 1, and the kernel had killed a process of it, because memory ran out: the machine/,
      ) as string,
    });
  });

  it('is none when the step came through all the same', async () => {
    const end: StepEnd = { exitCode: 2, signal: null, cause: 'out-of-memory' };
    const { attempt, result } = await attemptIn({ run: () => Promise.resolve(end), success: [0, 2] });
    await attempt.done;
    expect(result()).toMatchObject({ outcome: 'finished', code: null });
  });

  it('is told by the next process, which finds nothing else any more', async () => {
    const { attempt, result } = await attemptIn({
      run: () => Promise.reject(new Error('no step may run')),
      adopt: () => Promise.reject(new PoolwrightError('RUN_INTERRUPTED', 'It is gone.')),
      past: {
        ...noPast,
        processes: 1,
        executor: 'host',
        begunAt: 1,
        started: 1,
        failure: { code: 'COMMAND_FAILED', message: 'The step plan ended with exit code 9.' },
      },
    });
    await attempt.done;
    expect(result()).toMatchObject({ outcome: 'failed', code: 'COMMAND_FAILED' });
  });
});

describe('an attempt of a launcher that is told to stop at once', () => {
  it('tells of its end also when its step takes longer to end than the last words may', async () => {
    let end: (value: StepEnd) => void = () => undefined;
    let began = false;
    const { attempt, clock, hurried, result } = await attemptIn({
      run: () =>
        new Promise((resolve) => {
          began = true;
          end = resolve;
        }),
    });
    await until(() => began, 'the step');
    attempt.end({ kind: 'stop', error: new PoolwrightError('LAUNCHER_STOPPED', 'It got SIGTERM twice.') });
    // SIGTERM, ten seconds for the step's own end, SIGKILL.
    clock.advance(10_000);
    await new Promise((resolve) => setTimeout(resolve, 20));
    clock.advance(1);
    expect(hurried()).toBe(false);
    end({ exitCode: null, signal: 'SIGKILL', cause: 'killed' });
    expect(await attempt.done).toBe('stopped');
    expect(result()).toMatchObject({ outcome: 'stopped', code: 'LAUNCHER_STOPPED' });
    // A connection that carries nothing any more is not waited for: the time for last words is short.
    expect(hurried()).toBe(true);
  });
});

describe('an attempt on a disk that is full', () => {
  it('is given back when not even its begin can be noted', async () => {
    const any = await open(import.meta.filename);
    const prototype = Object.getPrototypeOf(any) as { write: (...given: unknown[]) => Promise<unknown> };
    await any.close();
    const { write } = prototype;
    const full = vi.spyOn(prototype, 'write').mockImplementation(function (this: unknown, ...given) {
      if (String(given[0]).includes('"k":"process"'))
        return Promise.reject(Object.assign(new Error('no space left'), { code: 'ENOSPC' }));
      return write.apply(this, given);
    });
    const { attempt, rejected } = await attemptIn({
      run: () => Promise.reject(new Error('no step may run')),
    });
    expect(await attempt.done).toBe('dropped');
    full.mockRestore();
    expect(rejected).toEqual(['DISK_FULL']);
  });
});

describe('the last words of an attempt that no longer counts', () => {
  it('are on standard output', async () => {
    const printed: string[] = [];
    let began = false;
    const { attempt } = await attemptIn({
      run: (signal) =>
        new Promise((_resolve, reject) => {
          began = true;
          signal.addEventListener('abort', () => {
            reject(signal.reason as Error);
          });
        }),
      printer: { text: (text) => printed.push(text), end: () => printed.push('END') },
    });
    await until(() => began, 'the step');
    attempt.end({ kind: 'stale' });
    expect(await attempt.done).toBe('dropped');
    expect(printed.at(-1)).toBe('END');
  });
});

// The limits of a launcher hold for the whole of an attempt: while it is prepared, and until its workspace is kept.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { PoolwrightError } from '../../../protocol/errors.js';
import type { StepEnd, WorldRequest } from '../../../launcher/executors/executor.js';
import { noPast } from '../../../launcher/run/record.js';
import type { SourceRequest } from '../../../launcher/run/source/source.js';
import { until } from '../support/until.js';
import { attemptIn } from './support/attempt-in.js';

/** Rejects when it is ended, and not before. */
function hanging({ signal }: { readonly signal: AbortSignal }): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => {
      reject(signal.reason as Error);
    });
  });
}

const success: StepEnd = { exitCode: 0, signal: null, cause: 'exit' };
const noStep = () => Promise.reject(new Error('no step may run'));

describe('the limits of a run', () => {
  const timeouts = { run: 60_000, silence: 10_000 };

  it('hold while it is prepared: a source that hangs fails it, and no other worker gets it', async () => {
    let asked = false;
    const { attempt, clock, rejected, result } = await attemptIn({
      run: noStep,
      timeouts,
      prepareSource(request) {
        asked = true;
        return hanging(request);
      },
    });
    await until(() => asked, 'the source to be asked');
    clock.advance(10_000);
    await attempt.done;
    expect(rejected).toEqual([]);
    expect(result()).toMatchObject({
      outcome: 'failed',
      code: 'RUN_SILENT',
      message: expect.stringMatching(
        /^The run was ended in PREPARING because it printed nothing for 10 s/,
      ) as string,
    });
  });

  it('are heard of by lines of the pull and by what of the source goes forward, but its time is over at its end', async () => {
    let pull: WorldRequest | undefined;
    let source: SourceRequest | undefined;
    const { attempt, clock, told, result } = await attemptIn({
      run: noStep,
      timeouts,
      open: (request) => hanging((pull = request)),
      prepareSource: (request) => hanging((source = request)),
    });
    await until(() => pull !== undefined && source !== undefined, 'both to be asked');
    for (let second = 9; second < 27; second += 9) {
      clock.advance(9_000);
      pull?.onNotice(`  ${String(second)} of 100 MB`);
    }
    for (let second = 27; second < 60; second += 9) {
      clock.advance(9_000);
      source?.onProgress?.();
    }
    expect(told.map(({ k }) => k)).not.toContain('result');
    clock.advance(9_000);
    await attempt.done;
    expect(result()).toMatchObject({ outcome: 'failed', code: 'RUN_TIMED_OUT' });
  });

  it('do not end one that waits for a control plane that is away', async () => {
    let begin: () => void = () => undefined;
    let asked = false;
    const { attempt, clock, result } = await attemptIn({
      run: () => Promise.resolve(success),
      timeouts,
      begin() {
        asked = true;
        return new Promise((resolve) => (begin = resolve));
      },
    });
    await until(() => asked, 'leave to begin to be asked for');
    clock.advance(50_000);
    begin();
    await attempt.done;
    expect(result()).toMatchObject({ outcome: 'finished', workspace: 'object' });
  });

  it('hold until its workspace is kept, which prints nothing', async () => {
    let keeping = false;
    const { attempt, clock, told, result } = await attemptIn({
      run: () => Promise.resolve(success),
      timeouts,
      keepWorkspace(request) {
        keeping = true;
        return hanging(request);
      },
    });
    await until(() => keeping, 'the workspace to be kept');
    clock.advance(59_000);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(told.map(({ k }) => k)).not.toContain('result');
    clock.advance(1_000);
    await attempt.done;
    expect(result()).toMatchObject({
      outcome: 'failed',
      code: 'RUN_TIMED_OUT',
      message: expect.stringContaining('ended in PLANNING after 60 seconds') as string,
    });
  });

  it('count from the beginning of its preparation, also for the launcher that goes on with it', async () => {
    let progress = '';
    let open: () => void = () => undefined;
    let asked = false;
    const first = await attemptIn({
      run: () => Promise.resolve(success),
      open() {
        asked = true;
        return new Promise<void>((resolve) => (open = resolve));
      },
      async onClose(folder) {
        progress = await readFile(join(folder, 'progress.ndjson'), 'utf8');
      },
    });
    await until(() => asked, 'the image');
    first.clock.advance(7_000);
    open();
    await first.attempt.done;
    expect(progress).toContain('{"k":"begun","at":0}');
    let began = false;
    const second = await attemptIn({
      run: (signal) => {
        began = true;
        return hanging({ signal });
      },
      timeouts: { run: 60_000, silence: 1e9 },
      past: { ...noPast, processes: 1, executor: 'host', begunAt: -40_000, started: 1 },
    });
    await until(() => began, 'the step');
    second.clock.advance(20_000);
    await second.attempt.done;
    expect(second.result()).toMatchObject({ code: 'RUN_TIMED_OUT' });
  });

  it('say nothing of one that had failed before its time was over', async () => {
    let adopted: () => void = () => undefined;
    let asked = false;
    const { attempt, clock, result } = await attemptIn({
      run: noStep,
      adopt() {
        asked = true;
        return new Promise((_resolve, reject) => {
          adopted = () => {
            reject(new PoolwrightError('RUN_INTERRUPTED', 'It is gone.'));
          };
        });
      },
      timeouts,
      past: {
        ...noPast,
        processes: 1,
        executor: 'host',
        begunAt: -59_000,
        started: 1,
        failure: { code: 'COMMAND_FAILED', message: 'The step plan ended with exit code 9.' },
      },
    });
    await until(() => asked, 'the world to be looked for');
    clock.advance(5_000);
    adopted();
    await attempt.done;
    expect(result()).toMatchObject({ code: 'COMMAND_FAILED' });
  });
});

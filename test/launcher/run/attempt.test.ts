// What becomes of an attempt that is taken over and dropped at once: its step must not run on with nobody to see it.
import { generateKeyPairSync } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { PoolwrightError } from '../../../protocol/errors.js';
import type { Assignment } from '../../../protocol/messages.js';
import { attemptFolder, startAttempt, type AttemptDependencies } from '../../../launcher/run/attempt.js';
import { holdsAttempt, noPast } from '../../../launcher/run/record.js';
import type { WorkerApi } from '../../../launcher/run/worker-api.js';
import { temporaryFolder } from '../../support/temporary.js';
import { recordedLog } from '../support/log.js';

const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const assignment = { run: '01HZ0000000000000000000RRR', attempt: 1, stack: 's', stage: 'PLAN' } as Assignment;

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

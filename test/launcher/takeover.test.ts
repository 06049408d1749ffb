// Which lives of dead launchers a new one takes up, and which it cleans up when.
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { ulid } from 'ulid';
import { describe, expect, it } from 'vitest';
import type { Assignment } from '../../protocol/messages.js';
import type { Executor } from '../../launcher/executors/executor.js';
import { keepAssignment } from '../../launcher/run/record.js';
import { deadLives } from '../../launcher/life.js';
import { cleanUp, takeLife } from '../../launcher/takeover.js';
import { temporaryFolder } from '../support/temporary.js';
import { recordedLog } from './support/log.js';
import { manualClock } from './support/manual-clock.js';
import { until } from './support/until.js';

const own = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
const other = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;

/** The folder of a launcher that was killed in the middle of a run. Answers its id. */
async function deadLife(state: string, key: KeyObject): Promise<string> {
  const id = ulid();
  const run = ulid();
  const folder = join(state, id, `${run}.1`);
  await mkdir(folder, { recursive: true });
  // More of it is not looked at here.
  await keepAssignment(folder, { run, attempt: 1 } as Assignment, key);
  return id;
}

describe('a launcher that starts', () => {
  it('takes up the life of a launcher of its own pool, and leaves those of others alone', async () => {
    const state = await temporaryFolder();
    await deadLife(state, other);
    const mine = await deadLife(state, own);
    await deadLife(state, other);
    expect(await takeLife(state, own, recordedLog())).toMatchObject({ again: true, life: { id: mine } });
    expect(await takeLife(state, own, recordedLog())).toMatchObject({ again: false, left: undefined });
  });

  it('leaves alone what it cannot read: a launcher may be at work there, and a run', async () => {
    const state = await temporaryFolder();
    const [owner, attempt] = [await deadLife(state, own), await deadLife(state, own)];
    // Not "there is none", but something else: too many open files and a broken disk look like this, too.
    await mkdir(join(state, owner, 'owner.1'));
    const [run = ''] = (await readdir(join(state, attempt))).filter((name) => name.endsWith('.1'));
    const [file = ''] = await readdir(join(state, attempt, run));
    await rm(join(state, attempt, run, file));
    await symlink(file, join(state, attempt, run, file));
    const log = recordedLog();
    expect(await takeLife(state, own, log)).toMatchObject({ again: false, left: undefined });
    expect(log.lines.map(({ message }) => /(\w+) cannot be read/.exec(message)?.[1])).toEqual(
      [owner, attempt].toSorted(),
    );
    expect(await deadLives(state)).toEqual([]);
  });

  it('tries again to clean up what it could not, as while the engine was away', async () => {
    const state = await temporaryFolder();
    const empty = ulid();
    await mkdir(join(state, empty));
    const clock = manualClock();
    const log = recordedLog();
    let away = true;
    const executor: Pick<Executor, 'sweep'> = {
      sweep: (dead) => (away ? Promise.reject(new Error('no engine')) : Promise.resolve(dead.length)),
    };
    cleanUp(state, { executor: executor as Executor, clock, log });
    await until(() => log.lines.some(({ message }) => message.includes('no engine')), 'the first try');
    away = false;
    clock.advance(10_000);
    await until(() => !existsSync(join(state, empty)), 'the folder to go');
  });

  it('does not try again when it has ended meanwhile', async () => {
    const state = await temporaryFolder();
    await mkdir(join(state, ulid()));
    const clock = manualClock();
    const log = recordedLog();
    let tries = 0;
    let fail: () => void = () => undefined;
    const executor: Pick<Executor, 'sweep'> = {
      sweep: () => {
        tries += 1;
        return new Promise((_, reject) => {
          fail = () => {
            reject(new Error('no engine'));
          };
        });
      },
    };
    const stop = cleanUp(state, { executor: executor as Executor, clock, log });
    await until(() => tries === 1, 'the first try');
    stop();
    fail();
    await until(() => log.lines.length === 1, 'its failure');
    clock.advance(60_000);
    expect(tries).toBe(1);
  });

  it('cleans up later only what was dead when it started', async () => {
    const state = await temporaryFolder();
    const before = await deadLife(state, own);
    const clock = manualClock();
    const log = recordedLog();
    const swept: string[] = [];
    const executor: Pick<Executor, 'sweep'> = {
      sweep(dead) {
        swept.push(...dead.map(({ id }) => id));
        return Promise.resolve(dead.length);
      },
    };
    // What has no run in it goes at once: then the first look is over.
    const empty = ulid();
    await mkdir(join(state, empty));
    cleanUp(state, { executor: executor as Executor, clock, log });
    await until(() => log.lines.length === 1, 'the first look');
    const later = await deadLife(state, own);
    clock.advance(15_000);
    await until(() => log.lines.length === 2, 'the second look');
    expect(swept).toEqual([empty, before]);
    expect(swept).not.toContain(later);
  });
});

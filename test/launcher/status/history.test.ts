// The last runs of a machine, over restarts of its launchers.
import { appendFile, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { historyFile, lastRuns, rememberRun, type EndedRun } from '../../../launcher/status/history.js';
import { temporaryFolder } from '../../support/temporary.js';

const ended = (number: number): EndedRun => ({
  worker: 'w',
  run: `run-${String(number)}`,
  stack: 's',
  stage: 'PLAN',
  since: number,
  until: number + 1,
  outcome: 'finished',
});

test('the last ones, the newest first; none where none was', async () => {
  const folder = await temporaryFolder();
  expect(await lastRuns(folder, 10)).toEqual([]);
  for (let number = 0; number < 12; number += 1) await rememberRun(folder, ended(number));
  expect(await lastRuns(folder, 3)).toEqual([ended(11), ended(10), ended(9)]);
});

test('a line that was cut off hides no other', async () => {
  const folder = await temporaryFolder();
  await rememberRun(folder, ended(1));
  await appendFile(join(folder, historyFile), '{"worker":"w","ru');
  await rememberRun(folder, ended(2));
  expect(await lastRuns(folder, 10)).toEqual([ended(2), ended(1)]);
});

test('does not grow without end, and keeps the newest', async () => {
  const folder = await temporaryFolder();
  const stack = 's'.repeat(1000);
  for (let number = 0; number < 200; number += 1) await rememberRun(folder, { ...ended(number), stack });
  expect((await stat(join(folder, historyFile))).size).toBeLessThan(200_000);
  expect((await lastRuns(folder, 2)).map(({ run }) => run)).toEqual(['run-199', 'run-198']);
});

test('what cannot be read is told', async () => {
  const folder = await temporaryFolder();
  await expect(lastRuns(join(folder, 'none'), 10)).resolves.toEqual([]);
  await rememberRun(folder, ended(1));
  expect(await readFile(join(folder, historyFile), 'utf8')).toContain('run-1');
  await expect(rememberRun(join(folder, 'none'), ended(1))).rejects.toMatchObject({ code: 'ENOENT' });
});

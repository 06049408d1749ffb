// What is not there may be left out; what cannot be read may not be taken for it.
import { mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ifThere } from '../../launcher/absent.js';

describe('reading what need not be there', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp('/tmp/poolwright-absent-');
    await writeFile(join(folder, 'file'), 'text');
    await symlink('loop', join(folder, 'loop'));
  });
  afterAll(() => rm(folder, { recursive: true }));

  it.each([
    ['a file', () => readFile(join(folder, 'none'))],
    ['a file below one', () => readFile(join(folder, 'file', 'none'))],
    ['a folder', () => readdir(join(folder, 'none'))],
    [
      'a process that is just ending',
      () => Promise.reject(Object.assign(new Error('ended'), { code: 'ESRCH' })),
    ],
  ])('is answered with what stands for it: %s', async (_what, read) => {
    await expect(ifThere<unknown, string>(read(), 'nothing')).resolves.toBe('nothing');
  });

  it('gives what was read', async () => {
    await expect(ifThere(readFile(join(folder, 'file'), 'utf8'), 'nothing')).resolves.toBe('text');
  });

  it.each([
    ['a folder in the place of a file', () => readFile(folder), 'EISDIR'],
    ['links that lead nowhere', () => readFile(join(folder, 'loop')), 'ELOOP'],
    [
      'too many open files',
      () => Promise.reject(Object.assign(new Error('many'), { code: 'EMFILE' })),
      'EMFILE',
    ],
  ])('rejects with any other fault: %s', async (_what, read, code) => {
    await expect(ifThere<unknown, string>(read(), 'nothing')).rejects.toMatchObject({ code });
  });
});

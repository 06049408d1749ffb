// What is removed by itself, and what is not.
import { mkdir, readdir, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ulid } from 'ulid';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { collectGarbage } from '../../../control-plane/store/garbage.js';
import { createFileLogStore } from '../../../control-plane/store/logs.js';
import { createFileObjectStore } from '../../../control-plane/store/objects.js';
import { temporaryFolder } from '../../support/temporary.js';
import { makePool, makeRun, makeStack, openRules, type Rules } from '../support/rules.js';

let rules: Rules;
beforeAll(async () => {
  rules = await openRules();
});
afterAll(() => rules.close());

const day = 24 * 3_600_000;

it('removes objects that no open run uses and logs of runs that are gone, a day later', async () => {
  const folder = await temporaryFolder();
  const stores = {
    logs: createFileLogStore(join(folder, 'logs')),
    objects: createFileObjectStore(join(folder, 'objects')),
  };
  const stack = await makeStack(rules, await makePool(rules));
  const open = await makeRun(rules, stack);
  const ended = await makeRun(rules, stack);
  const [used, unused, young] = [ulid(), ulid(), ulid()];
  await rules.context.db
    .updateTable('runs')
    .set({ workspace_object: used })
    .where('id', '=', open.id)
    .execute();
  await rules.context.db
    .updateTable('runs')
    .set({ workspace_object: unused, state: 'FINISHED', deadline_at: null })
    .where('id', '=', ended.id)
    .execute();
  await mkdir(join(folder, 'objects'));
  const orphan = ulid();
  const old = new Date(rules.now - 2 * day);
  for (const object of [used, unused]) {
    await writeFile(join(folder, 'objects', object), 'x');
    await utimes(join(folder, 'objects', object), old, old);
  }
  await writeFile(join(folder, 'objects', young), 'x');
  for (const run of [ended.id, orphan]) {
    await mkdir(join(folder, 'logs', run), { recursive: true });
    await utimes(join(folder, 'logs', run), old, old);
  }
  expect(await collectGarbage(rules.context, stores)).toBe(2);
  expect((await readdir(join(folder, 'objects'))).sort()).toEqual([used, young].sort());
  expect(await readdir(join(folder, 'logs'))).toEqual([ended.id]);
  expect(await collectGarbage(rules.context, stores)).toBe(0);
});

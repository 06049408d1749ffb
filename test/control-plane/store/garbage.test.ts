// What is removed by itself, and what is not.
import { mkdir, readdir, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ulid } from 'ulid';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { acting } from '../../../control-plane/access/audit.js';
import { createSpace, deleteSpace, findSpace } from '../../../control-plane/access/spaces.js';
import { cancelRun } from '../../../control-plane/runs/decisions.js';
import { retryRun } from '../../../control-plane/runs/repeat.js';
import { collectGarbage, retire } from '../../../control-plane/store/garbage.js';
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

it('removes runs and logs that ended longer ago than they are kept, but no open run and not the newest of a stack', async () => {
  const folder = await temporaryFolder();
  const logs = createFileLogStore(join(folder, 'logs'));
  const { db } = rules.context;
  await rules.reset();
  const stack = await makeStack(rules, await makePool(rules));
  const runs: string[] = [];
  for (let number = 0; number < 25; number += 1)
    runs.push((await makeRun(rules, stack, { type: 'PROPOSED' })).id);
  const ordered = runs.toSorted();
  const [oldest = '', next = ''] = ordered;
  await db
    .updateTable('runs')
    .set({ state: 'FINISHED', deadline_at: null, updated_at: rules.now - 40 * day })
    .where('id', '!=', oldest)
    .execute();
  const old = new Date(rules.now - 40 * day);
  for (const run of [oldest, next, ordered[24] ?? '']) {
    await mkdir(join(folder, 'logs', run), { recursive: true });
    await utimes(join(folder, 'logs', run), old, old);
  }
  const left = async () =>
    (await db.selectFrom('runs').select('id').orderBy('id').execute()).map(({ id }) => id);
  expect(await retire(rules.context, { logs }, {})).toEqual({ runs: 0, logs: 0, audit: 0 });
  expect(await retire(rules.context, { logs }, { runs: 41, logs: 41 })).toEqual({
    runs: 0,
    logs: 0,
    audit: 0,
  });
  expect(await left()).toEqual(ordered);
  // The oldest is still open; its log stays. The one after it goes with its run, as garbage.
  expect(await retire(rules.context, { logs }, { runs: 30, logs: 30 })).toEqual({
    runs: 4,
    logs: 1,
    audit: 0,
  });
  expect(await left()).toEqual([oldest, ...ordered.slice(5)]);
  expect((await readdir(join(folder, 'logs'))).sort()).toEqual([oldest, next].sort());
});

it('keeps the upload of a run that ended within the last day, which may be retried', async () => {
  const folder = await temporaryFolder();
  const stores = {
    logs: createFileLogStore(join(folder, 'logs')),
    objects: createFileObjectStore(join(folder, 'objects')),
  };
  await rules.reset();
  const { db } = rules.context;
  const stack = await makeStack(rules, await makePool(rules));
  const archive = ulid();
  const uploaded = rules.now - 2 * day;
  await db
    .insertInto('uploads')
    .values({
      id: archive,
      stack_id: stack,
      requested_by: 'test',
      created_at: uploaded,
      completed_at: uploaded,
    })
    .execute();
  await mkdir(join(folder, 'objects'));
  await writeFile(join(folder, 'objects', archive), 'x');
  await utimes(join(folder, 'objects', archive), new Date(uploaded), new Date(uploaded));
  const { id } = await makeRun(rules, stack, { archive, type: 'PROPOSED' });
  await cancelRun(rules.context, { run: id, username: 'test' });
  expect(await collectGarbage(rules.context, stores)).toBe(0);
  const again = await retryRun(rules.context, { stack, run: id, username: 'test' });
  await cancelRun(rules.context, { run: again.id, username: 'test' });
  rules.now += 2 * day;
  expect(await collectGarbage(rules.context, stores)).toBe(1);
  await expect(retryRun(rules.context, { stack, run: id, username: 'test' })).rejects.toMatchObject({
    code: 'NOT_FOUND',
  });
});

it('removes no upload that a run names while others are removed', async () => {
  const folder = await temporaryFolder();
  await rules.reset();
  const { db } = rules.context;
  const stack = await makeStack(rules, await makePool(rules));
  const at = rules.now - 3 * day;
  const archives = [ulid(), ulid()];
  const upload = { stack_id: stack, requested_by: 'test', created_at: at, completed_at: at };
  await db
    .insertInto('uploads')
    .values(archives.map((id) => ({ id, ...upload })))
    .execute();
  const deleted: string[] = [];
  const objects = {
    ...createFileObjectStore(join(folder, 'objects')),
    list: () => Promise.resolve(archives.map((id) => ({ id, modifiedAt: at }))),
    async delete(id: string) {
      deleted.push(id);
      for (const archive of archives.filter((one) => !deleted.includes(one))) {
        await makeRun(rules, stack, { archive, type: 'PROPOSED' }).catch((error: unknown) => {
          expect(error).toMatchObject({ code: 'NOT_FOUND' });
        });
      }
    },
  };
  await collectGarbage(rules.context, { logs: createFileLogStore(join(folder, 'logs')), objects });
  const runs = await db.selectFrom('runs').select('archive_object').execute();
  expect(runs.filter(({ archive_object }) => deleted.includes(archive_object ?? ''))).toEqual([]);
});

it('removes entries of the audit log that are older than they are kept, and none unless it is told to', async () => {
  const folder = await temporaryFolder();
  const logs = createFileLogStore(join(folder, 'logs'));
  await rules.reset();
  const { context } = rules;
  await context.db.deleteFrom('audit_entries').execute();
  for (const days of [40, 31, 29, 0])
    await context.db
      .insertInto('audit_entries')
      .values({
        ...{ id: ulid(), at: rules.now - days * day, key_id: 'key', username: 'ada', address: null },
        ...{ action: 'stack.lock', resource_type: 'stack', resource_id: String(days), space: 'root' },
        ...{ before: null, after: null },
      })
      .execute();
  expect((await retire(context, { logs }, {})).audit).toBe(0);
  expect((await retire(context, { logs }, { audit: 30 })).audit).toBe(2);
  const left = await context.db.selectFrom('audit_entries').select('resource_id').orderBy('at').execute();
  expect(left.map(({ resource_id }) => resource_id)).toEqual(['29', '0']);
});

it('keeps the entry of a deleted space, whose id is not given again', async () => {
  const folder = await temporaryFolder();
  const logs = createFileLogStore(join(folder, 'logs'));
  await rules.reset();
  const context = acting(rules.context, { key: 'key', name: 'ada', address: null });
  await context.db.deleteFrom('audit_entries').execute();
  const space = { id: 'gone', name: 'Gone', description: '', parent: 'root' };
  await createSpace(context, space);
  await deleteSpace(context, 'gone');
  rules.now += 800 * day;
  expect((await retire(context, { logs }, { audit: 730 })).audit).toBe(1);
  expect((await retire(context, { logs }, { audit: 730 })).audit).toBe(0);
  await expect(createSpace(context, space)).rejects.toMatchObject({ code: 'CONFLICT' });
  expect(await findSpace(context, 'gone')).toBeUndefined();
});

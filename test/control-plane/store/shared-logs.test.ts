// Logs that several processes store and serve: in order, once, whole, while records move to the object store.
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ulid } from 'ulid';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Kysely } from 'kysely';
import { openDatabase } from '../../../control-plane/store/database.js';
import type { LogLine } from '../../../control-plane/store/log-file.js';
import type { LogStore } from '../../../control-plane/store/logs.js';
import { createFileObjectStore } from '../../../control-plane/store/objects.js';
import type { Database } from '../../../control-plane/store/schema.js';
import { createSharedLogs } from '../../../control-plane/store/shared-logs.js';
import { temporaryFolder } from '../../support/temporary.js';

const template = fileURLToPath(new URL('../../../dist/database-template.tar.br', import.meta.url));

describe('logs that processes share', () => {
  let db: Kysely<Database>;
  let folder: string;
  let run: string;
  const faults: unknown[] = [];
  beforeAll(async () => {
    db = await openDatabase({ now: 0, template });
  });
  afterAll(() => db.destroy());
  beforeEach(async () => {
    folder = join(await temporaryFolder(), 'logs');
    await db.deleteFrom('log_attempts').execute();
    run = ulid();
    faults.length = 0;
  });

  /** As another process has it: nothing but database and objects in common. */
  const open = (moveAt = 1024 * 1024, now = () => 1000, through = db): LogStore =>
    createSharedLogs({
      db: through,
      objects: createFileObjectStore(folder),
      clock: { now },
      ids: { next: () => ulid() },
      moveAt,
      onFault: (error) => faults.push(error),
    });

  const lines = (from: number, to: number, text = 'line'): LogLine[] =>
    Array.from({ length: to - from + 1 }, (_, index) => {
      const n = from + index;
      const record = { n, t: 1, k: 'log', s: 'PLANNING', m: `${text} ${String(n)}\n` } as const;
      return { record, text: JSON.stringify(record) };
    });

  async function numbers(store: LogStore, after?: { attempt: number; number: number }): Promise<number[]> {
    const found: number[] = [];
    for await (const { record } of store.read(run, after)) found.push(record.n);
    return found;
  }
  const from = (first: number, last: number) =>
    Array.from({ length: last - first + 1 }, (_, index) => first + index);

  it('keep what is sent again once, refuse a gap, and go on in another process', async () => {
    const [a, b] = [open(), open()];
    expect(await a.append(run, 1, lines(1, 10))).toBe(10);
    expect(await b.append(run, 1, lines(5, 15))).toBe(15);
    await expect(a.append(run, 1, lines(17, 20))).rejects.toMatchObject({ code: 'OUT_OF_SEQUENCE' });
    expect(await a.append(run, 1, lines(16, 20))).toBe(20);
    expect(await a.append(run, 2, lines(1, 3))).toBe(3);
    expect(await numbers(b)).toEqual([...from(1, 20), 1, 2, 3]);
    expect(await numbers(b, { attempt: 1, number: 12 })).toEqual([...from(13, 20), 1, 2, 3]);
    expect(await a.lastLine(run)).toBe('line 3');
  });

  it('move to the object store in pieces, and read the same while two processes move and store', async () => {
    const [a, b] = [open(2000), open(2000)];
    let sent = 0;
    for (let batch = 0; batch < 30; batch += 1) {
      const last = sent + 20;
      await Promise.all([a.append(run, 1, lines(sent + 1, last)), b.append(run, 1, lines(sent + 1, last))]);
      sent = last;
      if (batch % 10 === 5) expect(await numbers(b, { attempt: 1, number: 7 })).toEqual(from(8, sent));
    }
    await Promise.all([a.close(), b.close()]);
    expect(faults).toEqual([]);
    expect((await readdir(folder)).length).toBeGreaterThan(0);
    expect(await numbers(a)).toEqual(from(1, 600));
    expect(await numbers(a, { attempt: 1, number: 333 })).toEqual(from(334, 600));
  });

  it('stay whole when the answer to a move is lost, which was made all the same', async () => {
    // A connection that ends after COMMIT and before its answer.
    const unanswered = new Proxy(db, {
      get(target, name) {
        if (name !== 'transaction') {
          const value: unknown = Reflect.get(target, name, target);
          return typeof value === 'function' ? (value.bind(target) as unknown) : value;
        }
        return () => ({
          execute: async (work: Parameters<ReturnType<typeof db.transaction>['execute']>[0]) => {
            await target.transaction().execute(work);
            throw new Error('Connection terminated unexpectedly');
          },
        });
      },
    });
    await open().append(run, 1, lines(1, 10));
    await expect(open(1024, () => 1e9, unanswered).tidy(1e9)).rejects.toThrow('terminated');
    expect(await readdir(folder)).toHaveLength(1);
    expect(await numbers(open())).toEqual(from(1, 10));
  });

  it('are tidied: what is quiet moves, objects that nothing names go, a deleted log leaves nothing', async () => {
    const store = open();
    await store.append(run, 1, lines(1, 5));
    const stray = ulid();
    await createFileObjectStore(folder).put(
      stray,
      (async function* () {
        yield await Promise.resolve(Buffer.from('left by a process that was killed'));
      })(),
      1000,
    );
    expect(await store.tidy(500)).toBe(0);
    expect(await readdir(folder)).toEqual([stray]);
    expect(await store.tidy(Date.now() + 1000)).toBe(1);
    expect(await readdir(folder)).toHaveLength(1);
    expect(await numbers(store)).toEqual(from(1, 5));
    expect(await store.list()).toContainEqual({ run, modifiedAt: 1000 });
    await store.delete(run);
    expect(await readdir(folder)).toEqual([]);
    expect(await numbers(store)).toEqual([]);
  });
});

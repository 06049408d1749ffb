// Logs by number: what is stored is durable, in order, once; whatever is sent again, and however many files are open.
import { appendFile, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ulid } from 'ulid';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { LogLine } from '../../../control-plane/store/log-file.js';
import { createFileLogStore, type LogStore } from '../../../control-plane/store/logs.js';
import { temporaryFolder } from '../../support/temporary.js';

function lines(from: number, to: number): LogLine[] {
  return Array.from({ length: to - from + 1 }, (_, index) => {
    const record = {
      n: from + index,
      t: 1,
      k: 'log',
      s: 'PLANNING',
      m: `line ${String(from + index)}\n`,
    } as const;
    return { record, text: JSON.stringify(record) };
  });
}

async function numbers(
  store: LogStore,
  run: string,
  after?: { attempt: number; number: number },
): Promise<number[]> {
  const found: number[] = [];
  for await (const { record } of store.read(run, after)) found.push(record.n);
  return found;
}

async function open(maximum?: number): Promise<{ store: LogStore; folder: string }> {
  const folder = await temporaryFolder();
  const store = createFileLogStore(folder, maximum);
  onTestFinished(() => store.close());
  return { store, folder };
}

const upTo = (last: number) => Array.from({ length: last }, (_, index) => index + 1);

describe('a store of logs', () => {
  it('keeps what is sent again once, and answers how far it is', async () => {
    const { store } = await open();
    const run = ulid();
    expect(await store.append(run, 1, lines(1, 10))).toBe(10);
    expect(await store.append(run, 1, lines(1, 10))).toBe(10);
    expect(await store.append(run, 1, lines(5, 15))).toBe(15);
    expect(await store.append(run, 1, [])).toBe(15);
    expect(await numbers(store, run)).toEqual(upTo(15));
  });

  it('refuses a gap and stores nothing of it', async () => {
    const { store } = await open();
    const run = ulid();
    await store.append(run, 1, lines(1, 2));
    await expect(store.append(run, 1, lines(4, 5))).rejects.toMatchObject({ code: 'OUT_OF_SEQUENCE' });
    expect(await numbers(store, run)).toEqual([1, 2]);
    expect(await store.append(run, 1, lines(3, 5))).toBe(5);
  });

  it('reads from any place, attempt after attempt', async () => {
    const { store } = await open();
    const run = ulid();
    await store.append(run, 1, lines(1, 1000));
    await store.append(run, 2, lines(1, 3));
    expect(await numbers(store, run, { attempt: 1, number: 998 })).toEqual([999, 1000, 1, 2, 3]);
    expect(await numbers(store, run, { attempt: 2, number: 3 })).toEqual([]);
    expect(await store.lastLine(run)).toBe('line 3');
  });

  it('goes on after a line that was being written when the process died', async () => {
    const { store, folder } = await open();
    const run = ulid();
    await store.append(run, 1, lines(1, 3));
    await store.close();
    const file = join(folder, run, '1.ndjson');
    await appendFile(file, '{"n":4,"t":1,"k":"lo');
    const again = createFileLogStore(folder);
    onTestFinished(() => again.close());
    expect(await numbers(again, run)).toEqual([1, 2, 3]);
    expect(await again.append(run, 1, lines(3, 5))).toBe(5);
    expect((await readFile(file, 'utf8')).trimEnd().split('\n')).toHaveLength(5);
  });

  it('serves more runs at once than it keeps files open', async () => {
    const { store } = await open(4);
    const runs = Array.from({ length: 30 }, () => ulid());
    for (let round = 0; round < 10; round += 1) {
      await Promise.all(runs.map((run) => store.append(run, 1, lines(round * 10 + 1, round * 10 + 10))));
    }
    for (const run of runs) expect(await numbers(store, run)).toEqual(upTo(100));
  });

  it('has no place for a run that is none', async () => {
    const { store } = await open();
    expect(() => store.append('../../etc', 1, lines(1, 1))).toThrow(/no such run/);
  });
});

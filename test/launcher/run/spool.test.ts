import { truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { limits } from '../../../protocol/limits.js';
import { spoolRecordSchema, type SpoolRecord } from '../../../protocol/worker-api.js';
import { openSpool, type Spool } from '../../../launcher/run/spool.js';
import { temporaryFolder } from '../../support/temporary.js';

async function open(): Promise<Spool> {
  const spool = await openSpool({
    path: join(await temporaryFolder(), 'spool.ndjson'),
    now: () => 1234,
    note: () => Promise.resolve(),
  });
  onTestFinished(() => spool.close());
  return spool;
}

function records(body: Buffer): SpoolRecord[] {
  const lines = body.toString('utf8').trimEnd().split('\n');
  return lines.map((line) => spoolRecordSchema.parse(JSON.parse(line)));
}

async function readAll(spool: Spool): Promise<SpoolRecord[]> {
  const all: SpoolRecord[] = [];
  for (let last = 0; ;) {
    const batch = await spool.next(last);
    if (batch === undefined) return all;
    expect(batch.body.length).toBeLessThanOrEqual(limits.spoolBatch);
    all.push(...records(batch.body).filter(({ n }) => n > last));
    last = batch.last;
  }
}

describe('a spool', () => {
  it('numbers records from 1 without gaps and gives them in order', async () => {
    const spool = await open();
    spool.add({ k: 'state', s: 'PREPARING' });
    for (let line = 0; line < 5000; line += 1)
      spool.add({ k: 'log', s: 'PREPARING', m: `line ${String(line)}\n` });
    await spool.finish();
    const all = await readAll(spool);
    expect(all.map(({ n }) => n)).toEqual(all.map((_, index) => index + 1));
    expect(all).toHaveLength(5001);
    expect(all[1]).toEqual({ n: 2, t: 1234, k: 'log', s: 'PREPARING', m: 'line 0\n' });
  });

  it('gives what is not acknowledged again', async () => {
    const spool = await open();
    spool.add({ k: 'log', s: 'PLANNING', m: 'one\n' });
    const first = await spool.next(0);
    spool.add({ k: 'log', s: 'PLANNING', m: 'two\n' });
    await spool.finish();
    expect(first?.last).toBe(1);
    expect(records((await spool.next(0))?.body ?? Buffer.alloc(0)).map(({ n }) => n)).toEqual([1, 2]);
    expect(await spool.next(2)).toBeUndefined();
  });

  it('cuts long text into records, never through a character', async () => {
    const spool = await open();
    const text = '😀'.repeat(limits.logRecordText);
    spool.add({ k: 'log', s: 'PLANNING', m: `a${text}` });
    await spool.finish();
    const parts = (await readAll(spool)).map((record) => (record.k === 'log' ? record.m : ''));
    expect(parts.join('')).toBe(`a${text}`);
    for (const part of parts) expect(Buffer.from(part).toString('utf8')).toBe(part);
  });

  it('keeps requests within their bound for text that grows in JSON', async () => {
    const spool = await open();
    for (let part = 0; part < 40; part += 1) {
      spool.add({ k: 'log', s: 'PLANNING', m: '\u0000'.repeat(limits.logRecordText) });
    }
    await spool.finish();
    expect(await readAll(spool)).toHaveLength(40);
  });

  it('wakes a reader that waits, and ends one that has everything', async () => {
    const spool = await open();
    const waiting = spool.next(0);
    spool.add({ k: 'state', s: 'PLANNING' });
    expect((await waiting)?.last).toBe(1);
    const last = spool.next(1);
    await spool.finish();
    expect(await last).toBeUndefined();
  });

  it('gives nothing that is not in its file', async () => {
    const path = join(await temporaryFolder(), 'spool.ndjson');
    const spool = await openSpool({ path, now: () => 1, note: () => Promise.resolve() });
    onTestFinished(() => spool.close());
    spool.add({ k: 'log', s: 'PLANNING', m: 'one\n' });
    await spool.settled();
    await truncate(path, 10);
    await expect(spool.next(0)).rejects.toThrow('a file ends after 10 bytes');
  });

  it('goes on after what an earlier process could only send', async () => {
    const path = join(await temporaryFolder(), 'spool.ndjson');
    const noted: { n: number; mark: null }[] = [];
    const note = (n: number) => {
      noted.push({ n, mark: null });
      return Promise.resolve();
    };
    const first = await openSpool({ path, now: () => 1, note });
    first.add({ k: 'state', s: 'PLANNING' });
    await first.finish();
    await first.close();
    const second = await openSpool({ path, now: () => 1, note, past: noted.slice(-2), sent: 4 });
    second.add({ k: 'log', s: 'PLANNING', m: 'new' });
    await second.finish();
    const sent = (await readAll(second)).filter(({ n }) => n > 4);
    expect(sent).toEqual([{ n: 5, t: 1, k: 'log', s: 'PLANNING', m: 'new' }]);
    await second.close();
    // Whoever comes after that process finds no gap.
    const third = await openSpool({ path, now: () => 1, note, past: noted.slice(-2), sent: 5 });
    expect(third.last).toBe(5);
    await third.close();
  });

  it('keeps its records in memory when a disk is full already as it is opened', async () => {
    const path = join(await temporaryFolder(), 'spool.ndjson');
    await (await openSpool({ path, now: () => 1, note: () => Promise.resolve() })).close();
    const full = Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
    const failures: Error[] = [];
    const spool = await openSpool({
      path,
      now: () => 1,
      note: () => Promise.reject(full),
      past: [{ n: 0, mark: null }],
      onFailure: (error) => failures.push(error),
    });
    onTestFinished(() => spool.close());
    expect(failures).toEqual([full]);
    spool.add({ k: 'log', s: 'PLANNING', m: 'why' });
    expect(records((await spool.next(0))?.body ?? Buffer.alloc(0))).toMatchObject([{ n: 1, m: 'why' }]);
  });
});

// What is sent when the control plane has less than it had acknowledged.
import { truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { PoolwrightError } from '../../../protocol/errors.js';
import { openSpool } from '../../../launcher/run/spool.js';
import { startUploader } from '../../../launcher/run/uploader.js';
import type { WorkerApi } from '../../../launcher/run/worker-api.js';
import { temporaryFolder } from '../../support/temporary.js';
import { recordedLog } from '../support/log.js';

/** A control plane that keeps numbers only; `lose` takes some away between two requests. */
async function uploading(lose: (stored: number, requests: number) => number) {
  const spool = await openSpool({
    path: join(await temporaryFolder(), 'spool.ndjson'),
    now: () => 1,
    note: () => Promise.resolve(),
  });
  onTestFinished(() => spool.close());
  let stored = 0;
  let requests = 0;
  const stale: PoolwrightError[] = [];
  const api: Pick<WorkerApi, 'sendSpool'> = {
    sendSpool(body) {
      requests += 1;
      stored = lose(stored, requests);
      const numbers = [...body.toString('utf8').matchAll(/^\{"n":(\d+)/gm)].map(([, n]) => Number(n));
      const [first = stored + 1] = numbers;
      if (first > stored + 1)
        return Promise.reject(new PoolwrightError('OUT_OF_SEQUENCE', 'There is a gap.'));
      stored = Math.max(stored, numbers.at(-1) ?? 0);
      return Promise.resolve(stored);
    },
  };
  const uploader = startUploader({
    spool,
    api: api as WorkerApi,
    log: recordedLog(),
    signal: new AbortController().signal,
    onStale: (error) => stale.push(error),
  });
  for (let line = 1; line <= 3; line += 1) {
    spool.add({ k: 'log', s: 'PLANNING', m: `${String(line)}\n` });
    await spool.settled();
  }
  await spool.finish();
  await uploader.done;
  return { stored, requests, stale, acknowledged: uploader.acknowledged };
}

describe('an uploader', () => {
  it('sends again from where the control plane is when records are missing there', async () => {
    const { stored, stale, acknowledged } = await uploading((had, request) => (request === 2 ? 0 : had));
    expect(stale).toEqual([]);
    expect(stored).toBe(3);
    expect(acknowledged).toBe(3);
  });

  it('gives up when it gets no further', async () => {
    const { stale, requests } = await uploading((had, request) => (request > 1 ? 0 : had));
    expect(requests).toBeLessThan(10);
    expect(stale.map(({ code }) => code)).toEqual(['OUT_OF_SEQUENCE']);
  });

  it('sends less at a time where something in between takes less', async () => {
    const path = join(await temporaryFolder(), 'spool.ndjson');
    const spool = await openSpool({ path, now: () => 1, note: () => Promise.resolve() });
    onTestFinished(() => spool.close());
    for (let line = 0; line < 200; line += 1) spool.add({ k: 'log', s: 'PLANNING', m: 'x'.repeat(1000) });
    spool.add({ k: 'state', s: 'PLANNING' });
    await spool.finish();
    let stored = 0;
    let refused = 0;
    const api: Pick<WorkerApi, 'sendSpool'> = {
      sendSpool(body) {
        if (body.length > 10_000) {
          refused += 1;
          return Promise.reject(new PoolwrightError('TOO_LARGE', 'No request of this size comes through.'));
        }
        const numbers = [...body.toString('utf8').matchAll(/^\{"n":(\d+)/gm)].map(([, n]) => Number(n));
        expect(numbers[0]).toBe(stored + 1);
        stored = numbers.at(-1) ?? 0;
        return Promise.resolve(stored);
      },
    };
    const stale: PoolwrightError[] = [];
    await startUploader({
      spool,
      api: api as WorkerApi,
      log: recordedLog(),
      signal: new AbortController().signal,
      onStale: (error) => stale.push(error),
    }).done;
    expect(stale).toEqual([]);
    expect(stored).toBe(201);
    expect(refused).toBeLessThan(10);
  });

  it('gives up when not even one record comes through', async () => {
    const path = join(await temporaryFolder(), 'spool.ndjson');
    const spool = await openSpool({ path, now: () => 1, note: () => Promise.resolve() });
    onTestFinished(() => spool.close());
    for (let line = 0; line < 4; line += 1) spool.add({ k: 'log', s: 'PLANNING', m: 'x' });
    await spool.finish();
    const stale: PoolwrightError[] = [];
    const refuse = () => Promise.reject(new PoolwrightError('TOO_LARGE', 'Too large.'));
    await startUploader({
      spool,
      api: { sendSpool: refuse } as unknown as WorkerApi,
      log: recordedLog(),
      signal: new AbortController().signal,
      onStale: (error) => stale.push(error),
    }).done;
    expect(stale.map(({ code }) => code)).toEqual(['TOO_LARGE']);
  });

  it('ends the attempt when what it has to send cannot be read back, and says that', async () => {
    const path = join(await temporaryFolder(), 'spool.ndjson');
    const spool = await openSpool({ path, now: () => 1, note: () => Promise.resolve() });
    onTestFinished(() => spool.close());
    spool.add({ k: 'log', s: 'PLANNING', m: 'one' });
    await spool.settled();
    await truncate(path, 0);
    const log = recordedLog();
    const stale: PoolwrightError[] = [];
    await startUploader({
      spool,
      api: {} as WorkerApi,
      log,
      signal: new AbortController().signal,
      onStale: (error) => stale.push(error),
    }).done;
    expect(stale.map(({ code }) => code)).toEqual(['INTERNAL']);
    expect(log.lines.at(-1)?.message).toMatch(
      /^The log of the run cannot be read back from the disk: a file ends/,
    );
  });
});

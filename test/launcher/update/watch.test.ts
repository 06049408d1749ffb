// The launcher that watches, with worker processes that the test plays.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openShelf, type Shelf } from '../../../launcher/update/shelf.js';
import { watchWorker, type Bundle, type ProcessEnd } from '../../../launcher/update/watch.js';
import type { FromWorker, ToWorker } from '../../../launcher/update/words.js';
import { recordedLog } from '../support/log.js';
import { manualClock } from '../support/manual-clock.js';
import { until } from '../support/until.js';
import { createOperator, makeRelease } from './support.js';

const operator = createOperator();

interface Played {
  readonly bundle: Bundle | null;
  readonly heard: ToWorker[];
  say(words: FromWorker): void;
  end(end: Partial<ProcessEnd>): void;
}

let folder: string;
let shelf: Shelf;
let workers: Played[];
let runLeft: boolean;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'poolwright-watch-'));
  shelf = openShelf({ folder, keys: [operator.publicKey], base: 'base' });
  workers = [];
  runLeft = false;
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

function watching() {
  const clock = manualClock();
  const log = recordedLog();
  const watch = watchWorker({
    shelf,
    base: 'base',
    probation: 60_000,
    clock,
    log,
    runLeft: () => Promise.resolve(runLeft),
    start(bundle, hear) {
      let finish: (end: ProcessEnd) => void = () => undefined;
      const ended = new Promise<ProcessEnd>((resolve) => (finish = resolve));
      const end = (how: Partial<ProcessEnd>) => {
        finish({ code: null, signal: null, ...how });
      };
      const heard: ToWorker[] = [];
      workers.push({ bundle, heard, say: hear, end });
      return {
        send: (words) => heard.push(words),
        kill: () => {
          end({ signal: 'SIGKILL' });
        },
        ended,
      };
    },
  });
  return { watch, clock, log };
}

const worker = (number: number) => until(() => workers[number - 1], `worker ${String(number)}`);

async function putNext(version: string, released: number) {
  const made = makeRelease(operator, version, { version, released });
  await writeFile(shelf.bundle(made.release), made.bytes);
  await shelf.put('next', made.signed);
  return made.release;
}

/** As a worker does that has fetched it. */
async function updateFrom(old: Played, version: string, released: number) {
  const release = await putNext(version, released);
  old.say({ type: 'update', version, released });
  old.end({ code: 0 });
  return release;
}

describe('the launcher that watches', () => {
  it('ends as its worker ends', async () => {
    const { watch } = watching();
    (await worker(1)).end({ code: 3 });
    expect(await watch.ended).toEqual({ code: 3, signal: null });
  });

  it('starts the new version, and keeps it once it has registered', async () => {
    const { watch } = watching();
    const first = await worker(1);
    expect(first.heard).toEqual([{ type: 'hello', base: 'base', newest: 0, failed: null }]);
    const release = await updateFrom(first, 'next', 5);
    const second = await worker(2);
    expect(second.bundle).toEqual({ path: shelf.bundle(release), sha256: release.sha256 });
    second.say({ type: 'registered' });
    await until(async () => (await shelf.read('good'))?.version === 'next', 'the new one to be good');
    second.end({ code: 0 });
    expect(await watch.ended).toMatchObject({ code: 0 });
    watching();
    expect((await worker(3)).bundle?.sha256).toBe(release.sha256);
  });

  it('goes back when the new one ends before it has registered', async () => {
    const { log } = watching();
    await updateFrom(await worker(1), 'next', 5);
    (await worker(2)).end({ code: 1 });
    const third = await worker(3);
    expect(third.bundle).toBeNull();
    const failed = { version: 'next', reason: 'it ended (exit code 1) before it was connected' };
    expect(third.heard[0]).toEqual({ type: 'hello', base: 'base', newest: 5, failed });
    expect(log.lines.filter(({ level }) => level === 'error')).toHaveLength(1);
  });

  it('ends a new one that says nothing, and goes back', async () => {
    const { clock } = watching();
    await updateFrom(await worker(1), 'next', 5);
    await worker(2);
    clock.advance(60_000);
    expect((await worker(3)).heard[0]).toMatchObject({
      failed: { version: 'next', reason: 'it was not connected within 60 s' },
    });
  });

  it('goes back to the good one, not to the deployed one', async () => {
    watching();
    const good = await updateFrom(await worker(1), 'good', 5);
    (await worker(2)).say({ type: 'registered' });
    await until(async () => (await shelf.read('good'))?.version === 'good', 'the first one to be good');
    await updateFrom(await worker(2), 'bad', 6);
    (await worker(3)).end({ signal: 'SIGSEGV' });
    expect((await worker(4)).bundle?.sha256).toBe(good.sha256);
  });

  it('does not start a worker that was told to end, whatever it asked for', async () => {
    const { watch } = watching();
    const first = await worker(1);
    watch.signal('SIGTERM');
    expect(first.heard.at(-1)).toEqual({ type: 'signal', signal: 'SIGTERM' });
    await updateFrom(first, 'next', 5);
    expect(await watch.ended).toMatchObject({ code: 0 });
    expect(workers).toHaveLength(1);
  });

  it('does not blame a new one that was told to end on probation', async () => {
    const { watch } = watching();
    await updateFrom(await worker(1), 'next', 5);
    const second = await worker(2);
    watch.signal('SIGTERM');
    second.end({ code: 0 });
    await watch.ended;
    watching();
    expect((await worker(3)).bundle).not.toBeNull();
  });

  it('does not go round in circles for a release that it cannot use', async () => {
    const { log } = watching();
    const first = await worker(1);
    await shelf.put('next', makeRelease(operator, 'not there', { released: 5 }).signed);
    first.say({ type: 'update', version: 'new', released: 5 });
    first.end({ code: 0 });
    expect((await worker(2)).heard[0]).toMatchObject({ newest: 5, failed: { version: 'new' } });
    expect(log.lines.at(-1)?.message).toContain('cannot be used');
  });

  it('goes on with a run in the version that is known to work, and tries the other one afterwards', async () => {
    runLeft = true;
    await putNext('next', 5);
    watching();
    const first = await worker(1);
    expect(first.bundle).toBeNull();
    expect(first.heard[0]).toMatchObject({ newest: 0 });
    runLeft = false;
    first.say({ type: 'update', version: 'next', released: 5 });
    first.end({ code: 0 });
    expect((await worker(2)).bundle).not.toBeNull();
  });
});

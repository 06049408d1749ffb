// What a launcher finds of an attempt that another process was killed in the middle of.
import { generateKeyPairSync } from 'node:crypto';
import { appendFile, mkdir, open, readdir, readFile, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { ulid } from 'ulid';
import { describe, expect, it, vi } from 'vitest';
import type { Assignment } from '../../../protocol/messages.js';
import { spoolRecordSchema } from '../../../protocol/worker-api.js';
import {
  dropAssignment,
  holdsAttempt,
  keepAssignment,
  openRecord,
  readAttempt,
  type OutputMark,
} from '../../../launcher/run/record.js';
import { openSpool } from '../../../launcher/run/spool.js';
import { temporaryFolder } from '../../support/temporary.js';

const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const none = { plan: [], apply: [], destroy: [] };
const hooks = {
  beforeInit: [],
  afterInit: [],
  beforePlan: [],
  afterPlan: [],
  beforeApply: [],
  afterApply: [],
  beforePerform: [],
  afterPerform: [],
};
const assignment: Assignment = {
  v: 1,
  id: ulid(),
  pool: ulid(),
  worker: ulid(),
  session: '0'.repeat(32),
  issuedAt: 1,
  expiresAt: 2,
  type: 'assignment',
  run: ulid(),
  attempt: 3,
  stack: 'stack',
  runType: 'TRACKED',
  stage: 'PLAN',
  tool: 'commands',
  runnerImage: null,
  projectRoot: null,
  source: { kind: 'none' },
  workspace: null,
  hooks,
  commands: none,
  task: null,
  environment: [{ name: 'PLAIN', value: { kind: 'plain', text: 'password-in-clear' } }],
  bulk: { endpoint: 'http://127.0.0.1:1', token: 'the-bulk-token' },
};

describe('the record of an attempt', () => {
  it('gives the assignment and how far it has come', async () => {
    const folder = await temporaryFolder();
    await keepAssignment(folder, assignment, privateKey);
    expect(await holdsAttempt(folder)).toBe(true);
    const record = await openRecord(folder);
    const mark = { step: 2, segment: 1, offset: 10, covered: 0 };
    await record.append({ k: 'process', executor: 'docker' });
    await record.append({ k: 'commit', commit: 'abc' });
    await record.append({ k: 'begun', at: 12.5 });
    await record.append({ k: 'step', step: 1 });
    await record.append({ k: 'spool', n: 4, mark: null });
    await record.append({ k: 'ended', step: 1, changes: { add: 1, change: 0, destroy: 0, any: true } });
    await record.append({ k: 'step', step: 2 });
    await record.append({ k: 'spool', n: 6, mark });
    await record.append({ k: 'spool', n: 9, mark });
    await record.append({ k: 'failed', code: 'COMMAND_FAILED', message: 'It ended with exit code 9.' });
    await record.close();
    // What the process was writing when it was killed.
    await appendFile(join(folder, 'progress.ndjson'), '{"k":"ended","st');
    const again = await openRecord(folder);
    await again.append({ k: 'process', executor: 'host' });
    await again.close();
    const read = await readAttempt(folder, assignment.run, assignment.attempt, privateKey);
    expect(read.assignment).toEqual(assignment);
    expect(read.past).toEqual({
      processes: 2,
      executor: 'docker',
      commit: 'abc',
      begunAt: 12.5,
      started: 2,
      ended: 1,
      changes: { add: 1, change: 0, destroy: 0, any: true },
      failure: { code: 'COMMAND_FAILED', message: 'It ended with exit code 9.' },
      spooled: [
        { n: 6, mark },
        { n: 9, mark },
      ],
    });
    await dropAssignment(folder);
    expect(await holdsAttempt(folder)).toBe(false);
  });

  it('is not taken for empty when it cannot be read: a run that has begun would begin again', async () => {
    const folder = await temporaryFolder();
    await keepAssignment(folder, assignment, privateKey);
    const past = () => readAttempt(folder, assignment.run, assignment.attempt, privateKey);
    expect((await past()).past.processes).toBe(0);
    await mkdir(join(folder, 'progress.ndjson'));
    await expect(past()).rejects.toThrow('EISDIR');
    await expect(openRecord(folder)).rejects.toThrow('EISDIR');
  });

  it('is on the disk itself before anything is executed', async () => {
    const folder = await temporaryFolder();
    const record = await openRecord(folder);
    const any = await open(folder);
    const synced = vi.spyOn(Object.getPrototypeOf(any) as typeof any, 'datasync');
    await any.close();
    await record.append({ k: 'process', executor: 'host' });
    await record.append({ k: 'spool', n: 1, mark: null });
    expect(synced).toHaveBeenCalledTimes(0);
    await record.append({ k: 'begun', at: 1 });
    expect(synced).toHaveBeenCalledTimes(1);
    await record.append({ k: 'step', step: 1 });
    expect(synced).toHaveBeenCalledTimes(2);
    await record.close();
    synced.mockRestore();
  });

  it('has nothing in clear that the assignment keeps secret', async () => {
    const folder = await temporaryFolder();
    await keepAssignment(folder, assignment, privateKey);
    for (const name of await readdir(folder)) {
      const content = (await readFile(join(folder, name))).toString('latin1');
      expect(content).not.toContain('the-bulk-token');
      expect(content).not.toContain('password-in-clear');
    }
  });

  it('cannot be opened with the key of another pool', async () => {
    const folder = await temporaryFolder();
    await keepAssignment(folder, assignment, privateKey);
    const other = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
    await expect(readAttempt(folder, assignment.run, assignment.attempt, other)).rejects.toMatchObject({
      code: 'SEALED_FOR_OTHER_KEY',
    });
  });
});

describe('a spool that is opened again', () => {
  /** Writes texts of the given lengths, cuts the file, and opens it again. */
  async function cutAndReopened(lengths: readonly number[], part: number) {
    const path = join(await temporaryFolder(), 'spool.ndjson');
    const noted: { n: number; mark: OutputMark | null }[] = [];
    const note = (n: number, mark: OutputMark | null) => {
      noted.push({ n, mark });
      return Promise.resolve();
    };
    const first = await openSpool({ path, now: () => 1, note });
    let offset = 0;
    for (const length of lengths) {
      offset += length;
      first.add(
        { k: 'log', s: 'PLANNING', m: 'x'.repeat(length) },
        { step: 1, segment: 1, offset, covered: 0 },
      );
      await first.settled();
    }
    await first.close();
    // Only the last write can be there in part: the one before it was answered.
    const size = (await readFile(path)).length;
    const lastLine = (await readFile(path, 'utf8')).trimEnd().split('\n').at(-1) ?? '';
    await truncate(path, size - Math.floor((lastLine.length + 1) * part));
    const second = await openSpool({ path, now: () => 2, note, past: noted.slice(-2) });
    return { path, second };
  }

  it('goes on with what was written whole, and says up to where that goes', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1, maxLength: 6 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        async (lengths, part) => {
          const { path, second } = await cutAndReopened(lengths, part);
          const written = second.last;
          const text = lengths.slice(0, written).reduce((sum, length) => sum + length, 0);
          expect(second.recovered.mark?.offset ?? 0).toBe(text);
          second.add({ k: 'log', s: 'PLANNING', m: 'more' });
          await second.finish();
          const all = (await readFile(path, 'utf8')).trimEnd().split('\n');
          expect(all.map((line) => spoolRecordSchema.parse(JSON.parse(line)).n)).toEqual(
            Array.from({ length: written + 1 }, (_, index) => index + 1),
          );
          await second.close();
        },
      ),
      { numRuns: 60 },
    );
  });

  it.each([0, 1])(
    'goes on after two kills, each between a note and its write, with %i records',
    async (there) => {
      const path = join(await temporaryFolder(), 'spool.ndjson');
      const noted: { n: number; mark: null }[] = [];
      let dies = false;
      const note = (n: number) => {
        noted.push({ n, mark: null });
        // What follows the note in that process does not happen any more.
        return dies ? Promise.reject(new Error('killed')) : Promise.resolve();
      };
      const reopened = () => openSpool({ path, now: () => 1, note, past: noted.slice(-2) });
      for (let kills = 0; kills < 3; kills += 1) {
        dies = false;
        const spool = await reopened();
        expect(spool.last).toBe(kills === 0 ? 0 : there);
        if (kills === 0 && there > 0) spool.add({ k: 'state', s: 'PREPARING' });
        await spool.settled();
        dies = true;
        for (let more = 0; more < 3 - kills; more += 1) spool.add({ k: 'log', s: 'PREPARING', m: 'lost' });
        await spool.finish();
        await spool.close();
      }
      dies = false;
      const last = await reopened();
      expect(last.last).toBe(there);
      await last.close();
    },
  );

  it('is refused when more is missing than the last write', async () => {
    const path = join(await temporaryFolder(), 'spool.ndjson');
    const note = () => Promise.resolve();
    await (await openSpool({ path, now: () => 1, note })).close();
    const past = [
      { n: 2, mark: null },
      { n: 4, mark: null },
    ];
    await expect(openSpool({ path, now: () => 1, note, past })).rejects.toMatchObject({ code: 'INTERNAL' });
  });

  it('knows the state that was entered last, and whether there is a result', async () => {
    const path = join(await temporaryFolder(), 'spool.ndjson');
    const noted: { n: number; mark: null }[] = [];
    const note = (n: number) => {
      noted.push({ n, mark: null });
      return Promise.resolve();
    };
    const first = await openSpool({ path, now: () => 1, note });
    first.add({ k: 'state', s: 'PREPARING' });
    first.add({ k: 'state', s: 'PLANNING' });
    await first.finish();
    await first.close();
    const second = await openSpool({ path, now: () => 1, note, past: noted.slice(-2) });
    expect(second.recovered).toEqual({ state: 'PLANNING', hasResult: false, mark: null });
    second.add({
      k: 'result',
      outcome: 'finished',
      code: null,
      message: null,
      changes: null,
      workspace: null,
      commit: null,
    });
    await second.finish();
    await second.close();
    const third = await openSpool({ path, now: () => 1, note, past: noted.slice(-2) });
    expect(third.recovered.hasResult).toBe(true);
    expect((await third.next(0))?.last).toBe(3);
    await third.close();
  });
});

// A disk that is full: what cannot be kept is refused with the cause, what was answered is there, and room is enough to go on.
import { execFileSync } from 'node:child_process';
import { mkdtemp, rm, statfs, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { pino } from 'pino';
import { ulid } from 'ulid';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { presentError } from '../../../control-plane/api/errors.js';
import { openDatabase } from '../../../control-plane/store/database.js';
import { exhausted } from '../../../control-plane/store/exhausted.js';
import { createFileObjectStore } from '../../../control-plane/store/objects.js';
import { available } from '../../support/skips.js';
import { makePool, makeRun, makeStack, openRules, type Rules } from '../support/rules.js';

const template = fileURLToPath(new URL('../../../dist/database-template.tar.br', import.meta.url));
let disk = '';

function mounted(): boolean {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=100m', 'tmpfs', disk], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

disk = await mkdtemp(join(tmpdir(), 'poolwright-full-'));
const isThere = available('a full disk', mounted(), 'a small file system cannot be mounted here');

describe.skipIf(!isThere)('a control plane whose disk is full', { timeout: 120_000 }, () => {
  let rules: Rules;
  const folder = join(disk, 'database');
  const open = () => openDatabase({ folder, template, now: 0 });
  beforeAll(async () => {
    rules = await openRules();
    await rules.close();
    Object.assign(rules.context, { db: await open() });
  }, 120_000);
  afterAll(async () => {
    await rules.context.db.destroy();
    execFileSync('umount', ['-l', disk]);
    await rm(disk, { recursive: true });
  });

  it('loses no run that it has answered, says what is missing, and goes on with room', async () => {
    const stack = await makeStack(rules, await makePool(rules));
    const ballast = join(disk, 'ballast');
    const { bavail, bsize } = await statfs(disk);
    await writeFile(ballast, Buffer.alloc(Math.max(0, bavail * bsize - 600 * 1024)));
    const answered: string[] = [];
    let fault: unknown;
    while (fault === undefined && answered.length < 2000) {
      const made = makeRun(rules, stack, { type: 'PROPOSED', title: 'x'.repeat(3000) });
      await made.then(
        ({ id }) => answered.push(id),
        (error: unknown) => (fault = error),
      );
    }
    const told = presentError(fault, pino({ level: 'silent' }));
    expect(told.extensions['code']).toBe('UNAVAILABLE');
    expect(told.message).toContain("disk of the control plane's database is full");

    const objects = createFileObjectStore(join(disk, 'objects'));
    const much = async function* () {
      await Promise.resolve();
      yield new Uint8Array(5_000_000);
    };
    const refusal: unknown = await objects.put(ulid(), much(), Infinity).catch((error: unknown) => error);
    expect(exhausted(refusal)?.message).toContain('disk that the control plane writes to is full');
    expect(await objects.list()).toEqual([]);

    await rm(ballast);
    await makeRun(rules, stack, { type: 'PROPOSED' });
    const all = async () =>
      new Set((await rules.context.db.selectFrom('runs').select('id').execute()).map(({ id }) => id));
    const there = await all();
    expect(answered.filter((id) => !there.has(id))).toEqual([]);
    // Also for the process after this one.
    await rules.context.db.destroy();
    Object.assign(rules.context, { db: await open() });
    const again = await all();
    expect(answered.filter((id) => !again.has(id))).toEqual([]);
    expect(again.size).toBe(answered.length + 1);
  });
});

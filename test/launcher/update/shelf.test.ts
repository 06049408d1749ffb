// The folder with the releases on a machine: nothing in it is believed without signature and hash.
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openShelf, type Shelf } from '../../../launcher/update/shelf.js';
import { createOperator, makeRelease, type Made } from './support.js';

const operator = createOperator();
let folder: string;
let shelf: Shelf;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'poolwright-shelf-'));
  shelf = openShelf({ folder, keys: [operator.publicKey], base: 'base' });
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

async function put({ release, signed, bytes }: Made): Promise<void> {
  await writeFile(shelf.bundle(release), bytes);
  await shelf.put('next', signed);
}

async function putGood(made: Made): Promise<void> {
  await put(made);
  await shelf.promote({ ...made.release, signed: made.signed });
}

describe('a shelf', () => {
  it('gives what was put there', async () => {
    const made = makeRelease(operator, 'text');
    await put(made);
    expect(await shelf.read('next')).toEqual({ ...made.release, signed: made.signed });
    expect(await shelf.read('good')).toBeUndefined();
  });

  it('holds one of two that are put there at the same time, and never a mixture', async () => {
    const two = ['short', 'a longer one'].map((text) => makeRelease(operator, text, { version: text }));
    for (const { release, bytes } of two) await writeFile(shelf.bundle(release), bytes);
    await Promise.all(two.map(({ signed }) => shelf.put('next', signed)));
    expect(two.map(({ release }) => release.version)).toContain((await shelf.read('next'))?.version);
  });

  it.each<[string, () => Promise<void>]>([
    ['signed by somebody else', () => put(makeRelease(createOperator(), 'text'))],
    ['for machines with another launcher', () => put(makeRelease(operator, 'text', { bases: ['other'] }))],
    [
      'whose bundle was changed',
      async () => {
        const made = makeRelease(operator, 'text');
        await put(made);
        await writeFile(shelf.bundle(made.release), 'other');
      },
    ],
    [
      'whose signed text was changed',
      async () => {
        const made = makeRelease(operator, 'text');
        await put({
          ...made,
          signed: { ...made.signed, payload: made.signed.payload.replace('1000', '9000') },
        });
      },
    ],
    ['whose bundle is not there', () => shelf.put('next', makeRelease(operator, 'text').signed)],
    ['that is no JSON', () => writeFile(join(folder, 'next.json'), '{"payload":')],
  ])('gives nothing %s', async (_, make) => {
    await make();
    expect(await shelf.read('next')).toBeUndefined();
  });

  it('gives nothing when the key is no longer the one', async () => {
    await put(makeRelease(operator, 'text'));
    const other = openShelf({ folder, keys: [createOperator().publicKey], base: 'base' });
    expect(await other.read('next')).toBeUndefined();
  });

  it('keeps what is next and what is good, and what may just be coming', async () => {
    await putGood(makeRelease(operator, 'first'));
    const second = makeRelease(operator, 'second', { released: 2_000 });
    await put(second);
    await shelf.setTrial({ version: 'new', released: 2_000, starts: 1, failure: null });
    await putGood(second);
    expect(await shelf.read('good')).toMatchObject(second.release);
    expect(await shelf.trial()).toBeUndefined();
    const third = makeRelease(operator, 'third', { released: 3_000 });
    await put(third);
    const bundles = async () => (await readdir(folder)).filter((name) => name.endsWith('.cjs')).sort();
    await shelf.tidy(Date.now());
    expect(await bundles()).toHaveLength(3);
    await shelf.tidy(Date.now() + 2 * 60 * 60 * 1000);
    expect(await bundles()).toEqual([second, third].map(({ release }) => `${release.sha256}.cjs`).sort());
  });

  it('takes nothing else for good that is put there meanwhile', async () => {
    const [first, second] = [
      makeRelease(operator, 'first'),
      makeRelease(operator, 'second', { released: 2_000 }),
    ];
    await put(first);
    const tried = await shelf.read('next');
    await put(second);
    if (tried !== undefined) await shelf.promote(tried);
    expect(await shelf.read('good')).toMatchObject(first.release);
    expect(await shelf.read('next')).toMatchObject(second.release);
  });
});

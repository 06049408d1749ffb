// Sealing and opening as streams: any cutting into chunks, little memory, nothing out that is not authentic.
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { mkdtemp, open, readdir, readlink, rename, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable, Writable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { verifyThenOpenFile } from '../../../protocol/sealing/file.js';
import { openBytes, openStream } from '../../../protocol/sealing/open.js';
import { sealBytes, sealStream } from '../../../protocol/sealing/seal.js';
import { refusalOf } from '../support/refusals.js';
import {
  altered,
  context,
  firstSegment,
  headerEnd,
  laterSegment,
  pair,
  segmentsOf,
} from '../support/sealed.js';

describe('the streams', () => {
  it('give the same, however the bytes are cut into chunks', async () => {
    const cuts = fc.array(fc.integer({ min: 1, max: 700_000 }), { minLength: 1, maxLength: 6 });
    const near = fc.integer({ min: -2, max: 2 });
    const size = fc.tuple(fc.constantFrom(2, 1_000, firstSegment, firstSegment + laterSegment), near);
    await fc.assert(
      fc.asyncProperty(size, cuts, cuts, async ([border, distance], plainCuts, sealedCuts) => {
        const plaintext = randomBytes(border + distance);
        const sealing = sealStream(pair.publicKey, context);
        const sealed = await through(chunks(plaintext, plainCuts), sealing);
        expect(openBytes(sealed, pair.privateKey, context).equals(plaintext)).toBe(true);
        const opening = openStream(pair.privateKey, context);
        expect((await through(chunks(sealed, sealedCuts), opening)).equals(plaintext)).toBe(true);
      }),
      { numRuns: 25 },
    );
  });

  it('take single bytes', async () => {
    const plaintext = randomBytes(600);
    const sealed = await through(chunks(plaintext, [1]), sealStream(pair.publicKey, context));
    const opened = await through(chunks(sealed, [1]), openStream(pair.privateKey, context));
    expect(opened.equals(plaintext)).toBe(true);
  });

  it('do not keep what they were given: a buffer may be used again after it was written', async () => {
    const reused = Buffer.alloc(1_000);
    async function* refilled(): AsyncGenerator<Buffer> {
      for (let number = 0; number < 3; number += 1) yield await Promise.resolve(reused.fill(number));
    }
    const sealed = await through(
      Readable.from(refilled(), { highWaterMark: 1 }),
      sealStream(pair.publicKey, context),
    );
    const expected = Buffer.concat([0, 1, 2].map((number) => Buffer.alloc(1_000, number)));
    expect(openBytes(sealed, pair.privateKey, context).equals(expected)).toBe(true);
  });

  it('give out no byte of an altered segment, only those before it', async () => {
    const plaintext = randomBytes(firstSegment + laterSegment + 500);
    const sealed = sealBytes(plaintext, pair.publicKey, context);
    const place = headerEnd + firstSegment + 16 + 100;
    const { code, given } = await openPartly(altered(sealed, place));
    expect(code).toBe('SEALED_DAMAGED');
    expect(given.equals(plaintext.subarray(0, firstSegment))).toBe(true);
  });

  it('report at the end that the last segments were cut away', async () => {
    const sealed = sealBytes(randomBytes(firstSegment + laterSegment + 500), pair.publicKey, context);
    const [first, second] = segmentsOf(sealed) as [Buffer, Buffer];
    const { code } = await openPartly(Buffer.concat([sealed.subarray(0, headerEnd), first, second]));
    expect(code).toBe('SEALED_DAMAGED');
  });

  it('wait for a slow reader', async () => {
    const sealing = sealStream(pair.publicKey, context);
    let produced = 0;
    const source = new Readable({
      read() {
        produced += 1;
        this.push(produced > 64 ? null : Buffer.alloc(1024 * 1024));
      },
    });
    source.pipe(sealing);
    await new Promise((resolve) => sealing.once('readable', resolve));
    await new Promise((resolve) => setImmediate(resolve));
    // Nobody has read anything yet: of 64 MiB only what the buffers hold was taken.
    expect(produced).toBeLessThan(8);
    source.destroy();
    sealing.destroy();
  });
});

describe('a sealed file', () => {
  let folder: string;
  let path: string;
  const plaintext = randomBytes(firstSegment + laterSegment + 500);
  const sealed = sealBytes(plaintext, pair.publicKey, context);

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'poolwright-sealed-'));
    path = join(folder, 'workspace');
  });
  afterEach(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  it('opens to what was sealed, at every border of a segment', async () => {
    for (const size of [0, 1, firstSegment, firstSegment + 1, firstSegment + laterSegment]) {
      const content = plaintext.subarray(0, size);
      await writeFile(path, sealBytes(content, pair.publicKey, context));
      const stream = await verifyThenOpenFile(path, pair.privateKey, context);
      expect((await buffer(stream)).equals(content)).toBe(true);
    }
  });

  it('is refused before a byte of it is given out, wherever it was altered or cut', async () => {
    const [a, b, c] = segmentsOf(sealed) as [Buffer, Buffer, Buffer];
    const start = sealed.subarray(0, headerEnd);
    const wrong = {
      'altered at its end': altered(sealed, sealed.length - 1),
      'cut by one byte': sealed.subarray(0, -1),
      'cut by a segment': Buffer.concat([start, a, b]),
      reordered: Buffer.concat([start, b, a, c]),
      longer: Buffer.concat([sealed, Buffer.of(0)]),
      empty: Buffer.alloc(0),
    };
    for (const [name, content] of Object.entries(wrong)) {
      await writeFile(path, content);
      const { code } = await refusalOf(verifyThenOpenFile(path, pair.privateKey, context));
      expect(code, name).toBe('SEALED_DAMAGED');
    }
  });

  it('is refused for another key and another purpose', async () => {
    await writeFile(path, sealed);
    const other = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
    expect((await refusalOf(verifyThenOpenFile(path, other, context))).code).toBe('SEALED_FOR_OTHER_KEY');
    expect((await refusalOf(verifyThenOpenFile(path, pair.privateKey, 'archive/x'))).code).toBe(
      'SEALED_DAMAGED',
    );
  });

  it('stays the one that was checked when another is put in its place', async () => {
    await writeFile(path, sealed);
    const stream = await verifyThenOpenFile(path, pair.privateKey, context);
    await writeFile(`${path}.new`, 'something else');
    await rename(`${path}.new`, path);
    expect((await buffer(stream)).equals(plaintext)).toBe(true);
  });

  it('ends with an error when it is cut between check and reading', async () => {
    await writeFile(path, sealed);
    const stream = await verifyThenOpenFile(path, pair.privateKey, context);
    await truncate(path, sealed.length - 200);
    expect((await refusalOf(buffer(stream))).code).toBe('SEALED_DAMAGED');
  });

  it.runIf(process.platform === 'linux')(
    'is closed after reading, after a refusal, and when nobody reads',
    async () => {
      await writeFile(path, sealed);
      await buffer(await verifyThenOpenFile(path, pair.privateKey, context));
      await refusalOf(verifyThenOpenFile(path, pair.privateKey, 'archive/x'));
      const unread = await verifyThenOpenFile(path, pair.privateKey, context);
      expect(await openFiles(path)).toBe(1);
      await new Promise((resolve) => unread.once('close', resolve).destroy());
      await expect.poll(() => openFiles(path)).toBe(0);
    },
  );

  it('takes constant memory, whatever its size', async () => {
    const megabytes = 192;
    const file = await open(path, 'w');
    const block = Buffer.alloc(1024 * 1024, 7);
    const blocks = Readable.from(Array.from({ length: megabytes }, () => block));
    await pipeline(blocks, sealStream(pair.publicKey, context), file.createWriteStream());
    const before = process.memoryUsage().rss;
    let highest = before;
    let size = 0;
    const counting = new Writable({
      write(chunk: Buffer, _encoding, done) {
        size += chunk.length;
        highest = Math.max(highest, process.memoryUsage().rss);
        done();
      },
    });
    await pipeline(await verifyThenOpenFile(path, pair.privateKey, context), counting);
    expect(size).toBe(megabytes * block.length);
    expect(highest - before).toBeLessThan(96 * 1024 * 1024);
  });
});

/** Cuts bytes into chunks whose sizes repeat. */
function chunks(bytes: Buffer, lengths: readonly number[]): Readable {
  const parts: Buffer[] = [];
  for (let start = 0; start < bytes.length;) {
    const length = lengths[parts.length % lengths.length]!;
    parts.push(bytes.subarray(start, start + length));
    start += length;
  }
  return Readable.from(parts);
}

async function through(source: Readable, stream: NodeJS.ReadWriteStream): Promise<Buffer> {
  const parts: Buffer[] = [];
  await pipeline(source, stream, async (outgoing) => {
    for await (const part of outgoing) parts.push(part as Buffer);
  });
  return Buffer.concat(parts);
}

/** What an opening stream gives out before it fails, and how it fails. */
async function openPartly(sealed: Buffer): Promise<{ code: string; given: Buffer }> {
  const parts: Buffer[] = [];
  const sink = new Writable({
    write(chunk: Buffer, _encoding, done) {
      parts.push(chunk);
      done();
    },
  });
  const running = pipeline(Readable.from([sealed]), openStream(pair.privateKey, context), sink);
  const { code } = await refusalOf(running);
  return { code, given: Buffer.concat(parts) };
}

/** How many descriptors of this process point to the file. */
async function openFiles(path: string): Promise<number> {
  const descriptors = await readdir('/proc/self/fd');
  const targets = await Promise.all(
    // A descriptor may be gone by now: that of the folder that was just read always is.
    descriptors.map((descriptor) => readlink(`/proc/self/fd/${descriptor}`).catch(() => '')),
  );
  return targets.filter((target) => target === path).length;
}

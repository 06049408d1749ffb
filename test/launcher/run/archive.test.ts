// Archives that somebody built to do harm, and those that nobody did.
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { lstat, mkdir, readdir, readFile, readlink, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { createGunzip, createGzip, gzipSync } from 'node:zlib';
import { pack, type Header } from 'tar-stream';
import { describe, expect, it } from 'vitest';
import { archiveRules, unpackArchive, type ArchiveRules } from '../../../launcher/run/source/archive.js';
import { gzipInParts } from '../../../launcher/run/source/gzip.js';
import { packFolder } from '../../../launcher/run/source/pack.js';
import { temporaryFolder } from '../../support/temporary.js';

type TarEntry = Partial<Header> & { readonly name: string; readonly content?: string };

async function archive(...entries: readonly TarEntry[]): Promise<Buffer> {
  const tar = pack();
  for (const { content, ...header } of entries) tar.entry(header, content ?? '');
  tar.finalize();
  return buffer(tar.pipe(createGzip()));
}

const never = new AbortController().signal;

async function unpack(bytes: Buffer, rules: ArchiveRules = archiveRules.upload): Promise<string> {
  const folder = join(await temporaryFolder(), 'in');
  await mkdir(folder);
  await unpackArchive(Readable.from([bytes]), folder, never, rules);
  return folder;
}

async function refusal(bytes: Buffer, rules?: ArchiveRules): Promise<string> {
  const outer = await temporaryFolder();
  const folder = join(outer, 'in');
  await mkdir(folder);
  await writeFile(join(outer, 'victim'), 'untouched');
  const error: unknown = await unpackArchive(
    Readable.from([bytes]),
    folder,
    never,
    rules ?? archiveRules.upload,
  ).then(
    () => undefined,
    (fault: unknown) => fault,
  );
  expect(error).toMatchObject({ code: 'ARCHIVE_REFUSED' });
  expect(await readdir(outer)).toEqual(['in', 'victim']);
  expect(await readFile(join(outer, 'victim'), 'utf8')).toBe('untouched');
  return (error as Error).message;
}

describe('an archive is refused', () => {
  it.each([
    ['a name that goes up', { name: '../victim', content: 'x' }],
    ['a name that goes down and up', { name: 'a/../../victim', content: 'x' }],
    ['an absolute name', { name: '/tmp/victim', content: 'x' }],
    ['a backslash in a name', { name: '..\\victim', content: 'x' }],
    ['a link out of the folder', { name: 'l', type: 'symlink' as const, linkname: '../victim' }],
    ['an absolute link', { name: 'l', type: 'symlink' as const, linkname: '/etc/passwd' }],
    [
      'a link that goes down and up',
      { name: 'l', type: 'symlink' as const, linkname: 'a/b/../../../victim' },
    ],
    ['a hard link', { name: 'l', type: 'link' as const, linkname: '../victim' }],
    ['a character device', { name: 'd', type: 'character-device' as const, devmajor: 1, devminor: 3 }],
    ['a block device', { name: 'd', type: 'block-device' as const, devmajor: 8, devminor: 0 }],
    ['a pipe', { name: 'p', type: 'fifo' as const }],
  ])('for %s', async (_what, entry) => {
    expect(await refusal(await archive({ name: 'fine', content: 'x' }, entry))).toContain(
      JSON.stringify(entry.name),
    );
  });

  it('for a file below a link', async () => {
    const bytes = await archive(
      { name: 'l', type: 'symlink', linkname: '.' },
      { name: 'l/file', content: 'x' },
    );
    expect(await refusal(bytes)).toContain('not a folder');
  });

  it('for a file in the place of a link', async () => {
    const rules = { ...archiveRules.workspace };
    const bytes = await archive(
      { name: 'l', type: 'symlink', linkname: '../victim' },
      { name: 'l', content: 'overwritten' },
    );
    expect(await refusal(bytes, rules)).toContain('twice');
  });

  it('for a bomb, before it is on the disk', async () => {
    const rules = { bytes: 1024 * 1024, entries: 100, links: 'inside' } as const;
    expect(
      await refusal(await archive({ name: 'zeros', content: '\0'.repeat(4 * 1024 * 1024) }), rules),
    ).toContain('unpacks');
    const many = Array.from({ length: 101 }, (_, index) => ({ name: `f${String(index)}`, content: '' }));
    expect(await refusal(await archive(...many), rules)).toContain('entries');
  });

  it('when it was cut, or is none', async () => {
    const whole = await archive({ name: 'file', content: 'x'.repeat(100_000) });
    await refusal(whole.subarray(0, whole.length - 20));
    await refusal(
      gzipSync(Buffer.from('not a tar archive, but something else that is long enough'.repeat(20))),
    );
    await refusal(Buffer.from('PK\u0003\u0004'));
  });
});

describe('an archive is unpacked', () => {
  it('with folders, modes and links that stay inside; set-user-ID bits are dropped', async () => {
    const folder = await unpack(
      await archive(
        { name: './deep/down/run.sh', content: 'echo', mode: 0o4755 },
        { name: 'deep/link', type: 'symlink', linkname: '../deep/down/run.sh' },
        { name: 'empty/', type: 'directory' },
      ),
    );
    expect((await lstat(join(folder, 'deep/down/run.sh'))).mode & 0o7777).toBe(0o755);
    expect(await readlink(join(folder, 'deep/link'))).toBe('../deep/down/run.sh');
    expect(await readdir(join(folder, 'empty'))).toEqual([]);
  });

  it('as it was packed here', async () => {
    const source = await temporaryFolder();
    await mkdir(join(source, 'a', 'empty'), { recursive: true });
    await writeFile(join(source, 'a', 'script'), 'x'.repeat(300_000), { mode: 0o755 });
    await symlink('/usr/bin/python3', join(source, 'a', 'python'));
    const folder = await unpack(await buffer(packFolder(source, never)), archiveRules.workspace);
    expect(await readFile(join(folder, 'a/script'), 'utf8')).toBe('x'.repeat(300_000));
    expect((await lstat(join(folder, 'a/script'))).mode & 0o777).toBe(0o755);
    expect(await readlink(join(folder, 'a/python'))).toBe('/usr/bin/python3');
    expect(await readdir(join(folder, 'a/empty'))).toEqual([]);
  });
});

describe('gzip in parts', () => {
  /** Text that gets smaller, and bytes that do not, over several parts. */
  const bytes = Buffer.concat([
    Buffer.alloc(3_000_000, 'resource "aws_subnet" "private" {}\n'),
    randomBytes(3_500_001),
    Buffer.alloc(700_000, 'x'),
  ]);

  it.each([1, bytes.length])('is what any gzip reads, of %i bytes', async (length) => {
    const given = bytes.subarray(0, length);
    const chunks = Array.from({ length: Math.ceil(length / 70_000) }, (_, index) =>
      given.subarray(index * 70_000, (index + 1) * 70_000),
    );
    const packed = await buffer(Readable.from(chunks).pipe(gzipInParts()));
    expect(packed.length).toBeLessThan(4_600_000);
    // Not by toEqual, which compares millions of numbers.
    expect((await buffer(Readable.from([packed]).pipe(createGunzip()))).equals(given)).toBe(true);
    const unpacked = execFileSync('gzip', ['-dc'], { input: packed, maxBuffer: 1e8 });
    expect(unpacked.equals(given)).toBe(true);
  });
});

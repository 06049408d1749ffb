// Engines that were being unpacked when their launcher was killed go at the next start, and no others.
import { readdir, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { draftOf, removeDrafts } from '../../../launcher/policy/drafts.js';
import { temporaryFolder } from '../../support/temporary.js';

const name = 'policy-engine';
const engine = `${name}-0123456789abcdef`;
/** Above any that the kernel gives. */
const nobody = 4_194_305;

it('removes the drafts of launchers that are no more, and leaves those of others alone', async () => {
  const folder = await temporaryFolder();
  const now = Date.now();
  const make = async (file: string, age: number) => {
    const path = join(folder, file);
    await writeFile(path, '');
    await utimes(path, (now - age) / 1000, (now - age) / 1000);
  };
  const hour = 3_600_000;
  await make(engine, hour);
  // Its process is there: it unpacks now.
  await make(draftOf(engine, process.pid), hour);
  // Its process is not seen from here, but it may be one in another container.
  await make(draftOf(engine, nobody), 5_000);
  await make(draftOf(engine, nobody + 1), hour);
  await make(draftOf(`${name}-fedcba9876543210`, nobody), hour);
  await make(`other-0123456789abcdef.${String(nobody)}`, hour);
  await make(`${engine}.txt`, hour);
  await removeDrafts(folder, name, now);
  expect((await readdir(folder)).sort()).toEqual(
    [
      engine,
      draftOf(engine, process.pid),
      draftOf(engine, nobody),
      `${engine}.txt`,
      `other-0123456789abcdef.${String(nobody)}`,
    ].sort(),
  );
});

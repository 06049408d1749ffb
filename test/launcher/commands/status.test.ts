// `launcher status` by somebody who may not look, and on what it cannot read.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ulid } from 'ulid';
import { describe, expect, it } from 'vitest';
import { statusCommand } from '../../../launcher/commands/status.js';
import { beginLife } from '../../../launcher/life.js';
import { temporaryFolder } from '../../support/temporary.js';

async function status(folder: string) {
  let printed = '';
  const code = await statusCommand([], (text) => (printed += text), { folder, now: Date.now() });
  return { code, printed };
}

describe('launcher status', () => {
  it('says that nobody runs where nobody does', async () => {
    const folder = await temporaryFolder();
    expect(await status(folder)).toMatchObject({ code: 1 });
    expect((await status(folder)).printed).toContain('No launcher runs');
    expect((await status(join(folder, 'not', 'there'))).printed).toContain('No launcher runs');
  });

  it.skipIf(process.getuid?.() !== 0)('does not say so to a user who may not look', async () => {
    const folder = join(await temporaryFolder(), 'state');
    await mkdir(folder, { mode: 0o755 });
    await beginLife(folder, ulid());
    process.seteuid?.(65_534);
    try {
      await expect(status(folder)).rejects.toMatchObject({
        code: 'FORBIDDEN',
        message: expect.stringContaining('as the user that the launcher runs as') as string,
      });
    } finally {
      process.seteuid?.(0);
    }
  });

  it('names the file that is not a status of its version', async () => {
    const folder = await temporaryFolder();
    const { id } = await beginLife(folder, ulid());
    await writeFile(join(folder, id, 'status.json'), '{"worker":"w"}');
    await expect(status(folder)).rejects.toMatchObject({
      message: expect.stringContaining(join(folder, id, 'status.json')) as string,
    });
  });
});

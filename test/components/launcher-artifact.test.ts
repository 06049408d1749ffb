import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { launcherArtifact } from '../../components/launcher-artifact.js';
import { temporaryFolder } from '../support/temporary.js';

describe('the built launcher', () => {
  it('is named with its version and the hash of its file', async () => {
    const folder = await temporaryFolder();
    await writeFile(join(folder, 'launcher-aarch64'), 'program');
    await writeFile(join(folder, 'launcher.version'), '0123456789abcdef\n');
    expect(await launcherArtifact('arm64', folder)).toEqual({
      path: join(folder, 'launcher-aarch64'),
      version: '0123456789abcdef',
      sha256: createHash('sha256').update('program').digest('hex'),
    });
  });

  it('is missed with what to do when it was not built', async () => {
    const missing = launcherArtifact('x86_64', await temporaryFolder());
    await expect(missing).rejects.toMatchObject({ code: 'ARTEFACT_MISSING' });
  });
});

import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { createGunzip } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { launcherArtifact } from '../../components/launcher-artifact.js';
import { temporaryFolder } from '../support/temporary.js';

describe('the built launcher', () => {
  it('is named with its version and the hash of its program, as the build wrote them down', async () => {
    const folder = await temporaryFolder();
    const files = { x86_64: { file: 'a.gz', sha256: 'aa' }, aarch64: { file: 'b.gz', sha256: 'bb' } };
    await writeFile(join(folder, 'launchers.json'), JSON.stringify({ version: '0123456789abcdef', files }));
    await writeFile(join(folder, 'b.gz'), 'program');
    expect(launcherArtifact('arm64', folder)).toEqual({
      path: join(folder, 'b.gz'),
      version: '0123456789abcdef',
      policyEngine: false,
      sha256: 'bb',
    });
  });

  it('has the hash of the program that unpacks from it', async () => {
    const { path, sha256 } = launcherArtifact('x86_64');
    const hash = createHash('sha256');
    await pipeline(createReadStream(path), createGunzip(), hash);
    expect(hash.digest('hex')).toBe(sha256);
  });

  it('comes out the same, byte by byte, when it is built again', async () => {
    const folder = await temporaryFolder();
    const again = join(folder, 'again');
    const program = `import { make } from './scripts/steps/executables.mjs'; await make('x86_64', ${JSON.stringify(folder)}, ${JSON.stringify(again)})`;
    const root = fileURLToPath(new URL('../..', import.meta.url));
    await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program], { cwd: root });
    const hash = createHash('sha256');
    await pipeline(createReadStream(again), hash);
    expect(hash.digest('hex')).toBe(launcherArtifact('x86_64').sha256);
    // Nor does it know where it was built: two deployers' checkouts make the same.
    expect((await readFile(again)).includes(root)).toBe(false);
  }, 120_000);

  it('is missed with what to do when it was not built', async () => {
    const folder = await temporaryFolder();
    expect(() => launcherArtifact('x86_64', folder)).toThrow(/npm run build/);
  });
});

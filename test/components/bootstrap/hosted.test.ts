// The check of the hosted launcher: with real gpg and a key of the test's own in the place of the publisher's.
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bootScript } from '../../../components/bootstrap/script.js';
import { available, hasProgram } from '../../support/skips.js';
import { temporaryFolder } from '../../support/temporary.js';
import { minimal } from '../support/boot-settings.js';
import { fileIn, functionsIn } from '../support/user-data.js';

const possible = available(
  "signature of the hosted launcher's checksum",
  hasProgram('gpg', '--version'),
  'no gpg (Debian: gpg)',
);
const publishersKey = '175FD97AD2358EFE02832978E302FB5AA29D88F7';
const program = '#!/bin/sh\necho launcher\n';

interface Published {
  readonly key: string;
  readonly program: string;
  readonly sums: string;
  readonly signature: Buffer;
}

/** Makes a key and signs with it what is published. */
function signedWith(home: string, sums: string): { fingerprint: string; key: string; signature: Buffer } {
  mkdirSync(home, { mode: 0o700 });
  const gpg = (args: readonly string[], input?: string) =>
    execFileSync('gpg', ['--batch', '--quiet', '--homedir', home, '--passphrase', '', ...args], {
      input,
      stdio: ['pipe', 'pipe', 'pipe'],
    });
  gpg(['--quick-generate-key', 'Publisher <p@example.com>', 'ed25519', 'sign', 'never']);
  const fingerprint = /^fpr:+([0-9A-F]{40}):/m.exec(gpg(['--with-colons', '--list-keys']).toString())?.[1];
  if (fingerprint === undefined) throw new Error('gpg lists no key');
  return {
    fingerprint,
    key: gpg(['--armor', '--export', fingerprint]).toString(),
    signature: gpg(['--detach-sign', '--output', '-'], sums),
  };
}

const sumsOf = (text: string) =>
  `${createHash('sha256').update(text).digest('hex')}  spacelift-launcher-x86_64\n`;

describe.runIf(possible)('the hosted launcher', () => {
  let publisher: { fingerprint: string; key: string; signature: Buffer };
  let stranger: typeof publisher;
  let onFinished = () => Promise.resolve();
  beforeAll(async () => {
    const folder = await mkdtemp(join(tmpdir(), 'poolwright-keys-'));
    onFinished = () => rm(folder, { recursive: true, force: true });
    publisher = signedWith(join(folder, 'publisher'), sumsOf(program));
    stranger = signedWith(join(folder, 'stranger'), sumsOf(program));
  });
  afterAll(() => onFinished());

  /** Runs the boot's own function on what is published; gives what it said and whether the launcher is there. */
  async function install(changes: Partial<Published> = {}) {
    const folder = await temporaryFolder();
    const published = {
      key: publisher.key,
      program,
      sums: sumsOf(program),
      signature: publisher.signature,
      ...changes,
    };
    for (const [name, content] of Object.entries(published)) writeFileSync(join(folder, name), content);
    const script = bootScript({
      ...minimal('aws'),
      launcher: { distribution: 'hosted', version: 'hosted', url: '', sha256: '' },
    });
    const boot = fileIn(script, '/opt/poolwright/boot').replace(publishersKey, publisher.fingerprint);
    const result = spawnSync(
      'bash',
      [
        '-c',
        `set -Eeuo pipefail\nWORK=$(mktemp -d); STEP=test; CONSOLE=/dev/null; PUBLISHED=$1
        ${functionsIn(script)}
        ${boot.slice(boot.indexOf('sha256() {'), boot.indexOf('credentials() {'))}
        logger() { echo "$4"; }
        request() {
          case $2 in
            https://keys.openpgp.org/*/${publisher.fingerprint}) cp "$PUBLISHED/key" "$1" ;;
            https://downloads.spacelift.io/*_SHA256SUMS) cp "$PUBLISHED/sums" "$1" ;;
            https://downloads.spacelift.io/*_SHA256SUMS.sig) cp "$PUBLISHED/signature" "$1" ;;
            https://downloads.spacelift.io/spacelift-launcher-*) cp "$PUBLISHED/program" "$1" ;;
            *) echo "nothing at $2" >&2; return 1 ;;
          esac
        }
        hosted_launcher "$PUBLISHED/launcher"`,
        'hosted',
        folder,
      ],
      { encoding: 'utf8' },
    );
    const file = join(folder, 'launcher');
    return {
      said: result.stdout + result.stderr,
      launcher: existsSync(file) ? readFileSync(file, 'utf8') : null,
    };
  }

  it('is installed when its checksum is signed by the publisher', async () => {
    const { launcher, said } = await install();
    expect(launcher, said).toBe(program);
  });

  it('is refused when another key has signed', async () => {
    for (const changes of [
      { signature: stranger.signature },
      // Even when the key that has signed is the one that was given out.
      { signature: stranger.signature, key: stranger.key },
    ]) {
      const { launcher, said } = await install(changes);
      expect(launcher).toBeNull();
      expect(said).toContain(`is not signed by ${publisher.fingerprint}`);
    }
  });

  it('is refused when the list of checksums is not what was signed', async () => {
    const { launcher, said } = await install({ program: 'other', sums: sumsOf('other') });
    expect(launcher).toBeNull();
    expect(said).toMatch(/is not signed by .*BAD signature/);
  });

  it('is refused when it is another or was cut off', async () => {
    for (const text of ['another program', program.slice(0, -5), '']) {
      const { launcher, said } = await install({ program: text });
      expect(launcher).toBeNull();
      expect(said).toContain('does not have the checksum that is signed; it was not started');
    }
  });
});

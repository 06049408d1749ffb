// A runner image made on the spot from the machine's busybox, since no registry can be reached from here.
import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, chmodSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { available, hasDocker } from './skips.js';

export const runnerImage = 'poolwright-test/runner:latest';
export const busybox = '/bin/busybox';

/** Whether containers can be tested; when so, the image is there. */
export function hasRunnerImage(what: string): boolean {
  if (!hasDocker(what)) return false;
  if (!available(what, existsSync(busybox), 'no static busybox (Debian: busybox-static)')) return false;
  makeRunnerImage();
  return true;
}

/** `engine`: DOCKER_HOST, when it is not the machine's own. */
export function makeRunnerImage(engine?: string): void {
  const root = mkdtempSync(join(tmpdir(), 'poolwright-image-'));
  try {
    for (const folder of ['bin', 'tmp', 'etc', 'mnt']) mkdirSync(join(root, folder));
    chmodSync(join(root, 'tmp'), 0o1777);
    chmodSync(root, 0o755);
    copyFileSync(busybox, join(root, 'bin', 'busybox'));
    const applets = execFileSync(busybox, ['--list'], { encoding: 'utf8' }).trim().split('\n');
    for (const applet of applets) if (applet !== 'busybox') symlinkSync('busybox', join(root, 'bin', applet));
    const archive = execFileSync('tar', ['-C', root, '-c', '.'], { maxBuffer: 64 * 1024 * 1024 });
    execFileSync('docker', ['import', '-', runnerImage], {
      input: archive,
      stdio: ['pipe', 'ignore', 'inherit'],
      ...(engine === undefined ? {} : { env: { ...process.env, DOCKER_HOST: engine } }),
    });
  } finally {
    rmSync(root, { recursive: true });
  }
}

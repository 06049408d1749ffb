// What a suite needs of the machine, and the line that is printed when it is not there.
import { execFileSync } from 'node:child_process';
import { appendFileSync, existsSync } from 'node:fs';

/** Notes that something is not tested here, and why; the closing line of the run repeats it. */
export function skipped(what: string, why: string): void {
  const file = process.env['POOLWRIGHT_SKIPS'];
  if (file !== undefined) appendFileSync(file, `${what}: ${why}\n`);
}

/** Whether a part is there; when not, that is noted. */
export function available(what: string, there: boolean, why: string): boolean {
  if (!there) skipped(what, why);
  return there;
}

export function hasProgram(program: string, ...args: readonly string[]): boolean {
  try {
    execFileSync(program, args, { stdio: 'ignore', timeout: 10_000 });
    return true;
  } catch {
    // Not there, or not working: both mean that it cannot be tested with.
    return false;
  }
}

export const chromium = '/usr/bin/chromium';

export const hasChromium = (what: string) =>
  available(what, existsSync(chromium), `no browser at ${chromium} (Debian: chromium)`);

export const hasDocker = (what: string) =>
  available(what, hasProgram('docker', 'info'), 'no container engine answers (Debian: docker.io)');

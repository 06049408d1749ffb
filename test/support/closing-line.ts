// The last lines of a test run on a CI machine: what was skipped, and why.
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Reporter } from 'vitest/node';

const file = join(tmpdir(), `poolwright-skips-${String(process.pid)}`);

export class ClosingLine implements Reporter {
  onInit(): void {
    process.env['POOLWRIGHT_SKIPS'] = file;
  }

  onTestRunEnd(): void {
    const lines = existsSync(file)
      ? new Set(readFileSync(file, 'utf8').trim().split('\n'))
      : new Set<string>();
    rmSync(file, { force: true });
    process.stdout.write(
      lines.size === 0 ? 'Nothing was skipped.\n' : `Skipped:\n  ${[...lines].join('\n  ')}\n`,
    );
  }
}

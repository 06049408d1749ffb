// Finds a Python that has the Tink library, an implementation of the sealing format that is not ours.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { skipped } from '../../support/skips.js';

/** POOLWRIGHT_TEST_PYTHON, what `npm run test:tools` brings, or the machine's own. */
const candidates = [
  process.env['POOLWRIGHT_TEST_PYTHON'] ?? '',
  fileURLToPath(new URL('../../../.tools/venv/bin/python', import.meta.url)),
  'python3',
];

/** The Python to use, or undefined after noting that tests are skipped. */
export function pythonWithTink(suite: string): string | undefined {
  const found = candidates
    .filter((candidate) => candidate === 'python3' || existsSync(candidate))
    .find((candidate) => spawnSync(candidate, ['-c', 'import tink, cryptography']).status === 0);
  if (found === undefined) {
    skipped(suite, 'no Python with tink (npm run test:tools brings it)');
  }
  return found;
}

/** Runs a script with a JSON object as its input; returns what it prints. */
export function runPython(python: string, script: string, input: Record<string, string>): string {
  const { status, stdout, stderr } = spawnSync(python, [script], {
    input: JSON.stringify(input),
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  if (status !== 0) throw new Error(`${script} failed: ${stderr}`);
  return stdout;
}

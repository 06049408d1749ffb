// The reference in docs/api.md says what the schema file does; that the server does is held by contract.test.ts.
import { execFileSync } from 'node:child_process';
import { expect, it } from 'vitest';
import { fileURLToPath } from 'node:url';

it('docs/api.md names every operation and type as the schema has it', () => {
  const script = fileURLToPath(new URL('../../../scripts/api-reference.mjs', import.meta.url));
  // Fails, with the command that writes it anew, when the two differ.
  expect(execFileSync(process.execPath, [script, '--check'], { encoding: 'utf8' })).toBe('');
});

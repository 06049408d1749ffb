// The states of runs in docs/operating.md are those of the table that the rules read.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { transitions } from '../../../control-plane/runs/transitions.js';

const place = (path: string) => fileURLToPath(new URL(`../../../${path}`, import.meta.url));

it('docs/operating.md has the states, deadlines, transitions and types as they are', () => {
  // Fails, with the command that writes it anew, when the two differ.
  const check = [place('scripts/run-states.mjs'), '--check'];
  expect(execFileSync(process.execPath, check, { encoding: 'utf8' })).toBe('');
});

it('and leaves no state out', () => {
  const page = readFileSync(place('docs/operating.md'), 'utf8');
  for (const [state, { means, next }] of Object.entries(transitions)) {
    const line = page.split('\n').find((text) => new RegExp(`^\\| ${state} +\\|`).test(text));
    for (const part of [means, next.join(', ')]) expect(line, state).toContain(part);
  }
});

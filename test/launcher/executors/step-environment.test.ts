// What a step finds in its environment: all that its run was given, whatever the shell that starts it needs itself.
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { stepScript } from '../../../launcher/executors/step-script.js';
import { busybox } from '../../support/runner-image.js';
import { temporaryFolder } from '../../support/temporary.js';

const shells = [['/bin/sh'], ['/bin/bash'], [busybox, 'sh']].filter(([path = '']) => existsSync(path));
/** Every name that the script sets or reads, and what single letters there are besides. */
const names = [
  ...new Set([
    ...[...stepScript.matchAll(/\b([a-z_]+)=/g)].map(([, name = '']) => name),
    ...(/read -r ([a-z ]+);/.exec(stepScript)?.[1] ?? '').split(' '),
    ...Array.from({ length: 26 }, (_, index) => String.fromCharCode(97 + index)),
    'group',
    'count',
  ]),
];

describe.each(shells)('a step that %s starts', (program = '', ...words) => {
  it('finds every variable as it was given', async () => {
    expect(names).toEqual(expect.arrayContaining(['one', 'two', 'n', 'r', 'id', 'names', 'path']));
    const prefix = join(await temporaryFolder(), '1');
    const environment = Object.fromEntries(names.map((name) => [name, `value of ${name}`]));
    const step = names.map((name) => `echo "${name}=$${name}"`).join('\n');
    execFileSync(program, [...words, '-c', stepScript, 'step', prefix, step], {
      env: environment,
      // A bash that has a socket there takes itself for a login.
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const told = await readFile(`${prefix}.1.out`, 'utf8');
    expect(told.trim().split('\n')).toEqual(names.map((name) => `${name}=value of ${name}`));
    expect((await readFile(`${prefix}.end`, 'utf8')).trim()).toBe('0');
  });
});

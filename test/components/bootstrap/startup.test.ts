// The start-up script as the preparation of a machine runs it, by a real bash.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { bootScript } from '../../../components/bootstrap/script.js';
import { minimal } from '../support/boot-settings.js';
import { fileIn, functionsIn } from '../support/user-data.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'poolwright-startup-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

/** Runs the preparation with this start-up script and nothing of a machine but a folder. */
function prepare(startup: string): { status: number | null; said: string; exported: string[] | undefined } {
  writeFileSync(join(folder, 'given'), startup);
  const text = bootScript(minimal('aws'));
  writeFileSync(join(folder, 'functions'), functionsIn(text));
  writeFileSync(
    join(folder, 'settings'),
    `CONSOLE=/dev/null\nBLOCK_METADATA=false\nRUN_AS=root\nSTARTUP_SCRIPT=given\nlogger() { echo "$4"; }\n`,
  );
  const program = fileIn(text, '/opt/poolwright/prepare')
    .replace('. /opt/poolwright/settings', `. ${folder}/settings`)
    .replace(
      '. /opt/poolwright/functions',
      `. ${folder}/functions\nfetch_secret() { cp "${folder}/$1" "$2"; }`,
    )
    .replaceAll('/run/poolwright-', `${folder}/`);
  const { status, stdout, stderr } = spawnSync('bash', ['-c', program], { encoding: 'utf8' });
  const file = join(folder, 'startup.env');
  const exported = existsSync(file)
    ? readFileSync(file, 'utf8')
        .split('\0')
        .filter((line) => line !== '')
    : undefined;
  return { status, said: stdout + stderr, exported };
}

describe('a start-up script', () => {
  it.each([
    ['ends', 'export FIRST=1'],
    ['ends by exit', 'export FIRST=1\nexit 0\n'],
    ['exits in a function', 'end() { export FIRST=1; exit; }\nend\n'],
    ['has arguments of its own', 'set -- a b\nexport FIRST=1\n'],
    ['has a trap of its own', "trap 'true' EXIT\nexport FIRST=1\n"],
    ['exports all and stops at errors', 'set -aeu\nFIRST=1\n'],
  ])('that %s hands on what it exports', (_, script) => {
    const { status, exported, said } = prepare(script);
    expect(said).not.toContain('failed');
    expect(status).toBe(0);
    expect(exported).toEqual(['FIRST=1']);
  });

  it('may export nothing', () => {
    expect(prepare('true\n')).toMatchObject({ status: 0, exported: [] });
  });

  it.each([
    ['has a last command that fails', 'export FIRST=1\necho why >&2\nfalse\n'],
    ['ends by exit with a status', 'export FIRST=1\necho why >&2\nexit 3\n'],
    ['stops at an error', 'set -e\necho why >&2\nfalse\nexport FIRST=1\n'],
  ])('that %s ends the boot with its last words', (_, script) => {
    const { status, exported, said } = prepare(script);
    expect(said).toContain('preparation failed: the start-up script ended with an error: why');
    expect(status).toBe(1);
    expect(exported).toBeUndefined();
  });

  it('that loses its exports says so', () => {
    const { status, said } = prepare("trap 'true' EXIT\nexport FIRST=1\nexit 0\n");
    expect(status).toBe(1);
    expect(said).toContain('its exports are lost');
  });
});

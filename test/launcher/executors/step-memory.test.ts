// Whether memory ran out for a step: what its shell finds in its control groups, and what follows from it.
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { endOf } from '../../../launcher/executors/step-end.js';
import { stepScript } from '../../../launcher/executors/step-script.js';
import { busybox } from '../../support/runner-image.js';
import { temporaryFolder } from '../../support/temporary.js';

const second = (kills: number) =>
  `low 0\nhigh 0\nmax 9\noom 3\noom_kill ${String(kills)}\noom_group_kill 0\n`;
const first = (kills: number) => `oom_kill_disable 0\nunder_oom 0\noom_kill ${String(kills)}\n`;

/** A step that makes `after` of the files `before`, with `own` for /proc/self/cgroup; answers what it leaves in `memory`. */
async function counted(
  shell: readonly string[],
  own: string,
  before: Readonly<Record<string, string>>,
  after: Readonly<Record<string, string>> = {},
): Promise<string> {
  const folder = await temporaryFolder();
  const put = async (root: string, files: Readonly<Record<string, string>>) => {
    for (const [name, text] of Object.entries({ '/.': '', ...files })) {
      await mkdir(join(folder, root, dirname(name)), { recursive: true });
      if (text !== '') await writeFile(join(folder, root, name), text);
    }
  };
  await put('groups', before);
  await put('later', after);
  await writeFile(join(folder, 'own'), own);
  const script = stepScript
    .replaceAll('/sys/fs/cgroup', join(folder, 'groups'))
    .replaceAll('/proc/self/cgroup', join(folder, 'own'));
  const [program = '', ...words] = shell;
  const prefix = join(folder, '1');
  execFileSync(program, [...words, '-c', script, 'step', prefix, `cp -r ${folder}/later/. ${folder}/groups`]);
  return ((await readFile(`${prefix}.memory`, 'utf8')).split('\n')[0] ?? '').trim();
}

const shells = [['/bin/sh'], ['/bin/bash'], [busybox, 'sh']].filter(([path = '']) => existsSync(path));

describe.each(shells)('the kills of a step as %s counts them', (...shell) => {
  it('are those of its own group', async () => {
    const own = '0::/docker/abc\n';
    const before = { '/docker/abc/memory.events': second(2), '/memory.events': second(70) };
    expect(await counted(shell, own, before, { '/docker/abc/memory.events': second(3) })).toBe('2 3');
  });

  it('are those of its container, which sees nothing else', async () => {
    const after = { '/memory.events': second(1) };
    expect(await counted(shell, '0::/\n', { '/memory.events': second(0) }, after)).toBe('0 1');
    const inContainer = '5:memory:/docker/abc\n0::/\n';
    const version1 = { '/memory/memory.oom_control': first(0) };
    expect(await counted(shell, inContainer, version1, { '/memory/memory.oom_control': first(4) })).toBe(
      '0 4',
    );
  });

  it('are those of the nearest group that is counted', async () => {
    const own = '0::/system.slice/launcher.service/poolwright.1\n';
    const before = {
      '/system.slice/launcher.service/memory.events': second(5),
      '/system.slice/memory.events': second(9),
    };
    expect(await counted(shell, own, before)).toBe('5 5');
  });

  it('are those of its group of the first version', async () => {
    const own = '9:name=systemd:/\n4:cpu,memory:/workers/one\n0::/\n';
    const before = {
      '/memory/workers/one/memory.oom_control': first(1),
      '/memory/memory.oom_control': first(8),
    };
    expect(await counted(shell, own, before)).toBe('1 1');
  });

  it('are not known where nobody counts', async () => {
    expect(await counted(shell, '0::/\n', {})).toBe('');
  });
});

describe('a step', () => {
  const end = async (code: number | null, memoryKills: number | null, somebody = false) =>
    endOf({ begun: true, code, lost: false, memoryKills }, () => Promise.resolve(somebody));

  it.each([1, 2, 143])('for which a process was killed and that ends with %i lacked memory', async (code) => {
    expect(await end(code, 1)).toMatchObject({
      cause: 'out-of-memory',
      exitCode: code === 143 ? null : code,
    });
  });

  it('that was killed itself lacked memory', async () => {
    const lacked = { exitCode: null, signal: 'SIGKILL', cause: 'out-of-memory' };
    expect(await end(137, 1)).toEqual(lacked);
    expect(await end(137, null, true)).toEqual(lacked);
    expect(await end(null, null, true)).toEqual(lacked);
  });

  it('that succeeds lacked nothing', async () => {
    expect(await end(0, 3)).toEqual({ exitCode: 0, signal: null, cause: 'exit' });
  });

  it('fails by itself when the kernel killed others, as far as its own are counted', async () => {
    expect(await end(137, 0, true)).toEqual({ exitCode: null, signal: 'SIGKILL', cause: 'exit' });
    expect(await end(1, 0, true)).toMatchObject({ cause: 'exit', exitCode: 1 });
    // A program whose kills nobody counts is not suspected for those of the whole machine.
    expect(await end(1, null, true)).toMatchObject({ cause: 'exit', exitCode: 1 });
  });
});

// `poolwright local` as real processes: control plane, launchers, a run on this machine, and every way to end.
import { execFileSync } from 'node:child_process';
import { chmod, mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { temporaryFolder } from '../cli/support/folder.js';
import { canSearchProcesses, nothingLeft, processesOf, runProgram, startProgram } from './support/program.js';

const minute = 60_000;
/** Any free ports, so that suites can run side by side. */
const anyPort = ['--port', '0', '--broker-port', '0'];

function local(folder: string, ...more: string[]) {
  return ['local', '--data-dir', folder, '--executor', 'host', ...anyPort, ...more];
}

if (!canSearchProcesses)
  process.stderr.write('skipped: the search for processes left behind (no /proc here)\n');

/** Milliseconds that a Node process takes which does nothing: 40 on a quiet machine. */
function bareStart(): number {
  const started = performance.now();
  execFileSync(process.execPath, ['-e', '0']);
  return performance.now() - started;
}

describe('poolwright local', () => {
  it('runs the example through plan and apply, soon, and ends with 0', { timeout: 4 * minute }, async () => {
    const folder = join(await temporaryFolder(), 'data');
    const before = bareStart();
    const program = startProgram(local(folder, '--once'));
    expect(await program.ended).toBe(0);
    expect(program.output() + program.errors()).toMatch(
      /QUEUED[^]*PREPARING[^]*PLANNING[^]*│ [^]*APPLYING[^]*│ [^]*FINISHED/,
    );
    if (canSearchProcesses) expect(await processesOf(folder)).toEqual([]);
    // The first line of its log within ten seconds. On a machine that is busy with other work everything takes longer, the
    // start of a bare process as well.
    const first = Math.min(...[...program.times].flatMap(([line, at]) => (line.includes('│') ? [at] : [])));
    expect(first).toBeLessThan(Math.max(10_000, 250 * Math.max(before, bareStart())));
    // Its secrets are readable by their owner only.
    for (const file of ['local/pool.key', 'local/profile.json', 'administrator.json']) {
      expect((await stat(join(folder, file))).mode & 0o077, file).toBe(0);
    }
    expect(await readFile(join(folder, '.gitignore'), 'utf8')).toBe('*\n');
  });

  it('finds pool, stack and runs of the first start at the second', { timeout: 2 * minute }, async () => {
    const folder = join(await temporaryFolder(), 'data');
    const objects = async () => {
      const { output } = await runProgram(local(folder, '--once', '--json'));
      return output
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as Record<string, unknown>);
    };
    const id = (list: readonly Record<string, unknown>[], kind: string) =>
      list.find((object) => object['kind'] === kind)?.['id'];
    const first = await objects();
    const second = await objects();
    expect(id(second, 'pool')).toBe(id(first, 'pool'));
    expect(id(second, 'run')).not.toBe(id(first, 'run'));

    const program = startProgram(local(folder));
    await program.until(/Sign in once/);
    const profile = join(folder, 'local', 'profile.json');
    const listed = await runProgram(['run', 'list', 'hello', '--json', '--profile', profile]);
    const runs = JSON.parse(listed.output) as { id: string; state: string }[];
    expect(runs.map((run) => run.state)).toEqual(['FINISHED', 'FINISHED', 'FINISHED']);
    expect(runs.map((run) => run.id)).toEqual(expect.arrayContaining([id(first, 'run'), id(second, 'run')]));
    program.child.kill('SIGINT');
    expect(await program.ended).toBe(0);
  });

  it('ends with 1 when the run does not finish', { timeout: minute }, async () => {
    const folder = join(await temporaryFolder(), 'data');
    const profile = join(folder, 'local', 'profile.json');
    const program = startProgram(local(folder));
    await program.until(/Sign in once/);
    const changed = ['stack', 'update', 'hello', '--plan-command', 'exit 3', '--profile', profile];
    expect((await runProgram(changed)).code).toBe(0);
    program.child.kill('SIGINT');
    await program.ended;
    const { code, output } = await runProgram(local(folder, '--once'));
    expect(output).toMatch(/FAILED[^]*COMMAND_FAILED/);
    expect(code).toBe(1);
  });
});

describe('the end of poolwright local', () => {
  it('after Ctrl-C leaves no process behind', { timeout: minute }, async () => {
    const folder = join(await temporaryFolder(), 'data');
    const program = startProgram(local(folder));
    await program.until(/Sign in once/);
    if (canSearchProcesses) expect((await processesOf(folder)).length).toBe(3);
    program.child.kill('SIGINT');
    expect(await program.ended).toBe(0);
    if (canSearchProcesses) expect(await processesOf(folder)).toEqual([]);
  });

  it('during the run ends that run and leaves no process behind', { timeout: minute }, async () => {
    const folder = join(await temporaryFolder(), 'data');
    const program = startProgram(local(folder));
    await program.until(/PLANNING/);
    program.child.kill('SIGINT');
    expect(await program.ended).toBe(0);
    if (canSearchProcesses) expect(await processesOf(folder)).toEqual([]);
  });

  it(
    'by the same Ctrl-C twice, as npm passes it on, is still an orderly one',
    { timeout: minute },
    async () => {
      const program = startProgram(local(join(await temporaryFolder(), 'data')));
      await program.until(/Sign in once/);
      program.child.kill('SIGINT');
      program.child.kill('SIGINT');
      expect(await program.ended).toBe(0);
    },
  );

  it.skipIf(!canSearchProcesses)(
    'by kill -9 takes the launchers and their run along',
    { timeout: minute },
    async () => {
      const folder = join(await temporaryFolder(), 'data');
      const program = startProgram(local(folder));
      await program.until(/PLANNING/);
      program.child.kill('SIGKILL');
      await program.ended;
      await nothingLeft(folder);
    },
  );
});

describe('what stands in the way of poolwright local', () => {
  it('a usual port in use: the next one is taken, which is said', { timeout: minute }, async () => {
    const blocker = createServer().listen(4280, '127.0.0.1');
    onTestFinished(() => {
      blocker.close();
    });
    // Somebody else may hold the port already: that is as good.
    await new Promise((resolve) => blocker.once('listening', resolve).once('error', resolve));
    const folder = join(await temporaryFolder(), 'data');
    const args = ['local', '--data-dir', folder, '--executor', 'host', '--once'];
    const { code, output } = await runProgram(args);
    expect(output).toMatch(/! Port 4280 is in use by another program; API and pages take 4\d+\./);
    expect(output).not.toMatch(/Control plane on http:\/\/127\.0\.0\.1:4280,/);
    expect(code).toBe(0);
  });

  it('a named port in use: one line, and exit code 1', { timeout: minute }, async () => {
    const blocker = createServer().listen(0, '127.0.0.1');
    onTestFinished(() => {
      blocker.close();
    });
    await new Promise((resolve) => blocker.once('listening', resolve));
    const { port } = blocker.address() as AddressInfo;
    const folder = join(await temporaryFolder(), 'data');
    const { code, errors } = await runProgram([
      'local',
      '--data-dir',
      folder,
      '--port',
      String(port),
      '--broker-port',
      '0',
    ]);
    expect(errors).toMatch(new RegExp(`error PORT_IN_USE: .*${String(port)}`));
    expect(code).toBe(1);
  });

  it('a folder that is a file: one line, and exit code 1', async () => {
    const file = join(await temporaryFolder(), 'data');
    await writeFile(file, '');
    const { code, errors } = await runProgram(local(file, '--once'));
    expect(errors).toMatch(/^error DATA_DIR_UNUSABLE: .*--data-dir/);
    expect(code).toBe(1);
  });

  // The administrator of a machine may write everywhere, so modes stop nobody there.
  it.skipIf(process.getuid?.() === 0)(
    'a folder that cannot be written: one line, and exit code 1',
    async () => {
      const folder = join(await temporaryFolder(), 'data');
      await mkdir(folder, { mode: 0o700 });
      await chmod(folder, 0o500);
      const { code, errors } = await runProgram(local(folder, '--once'));
      expect(errors).toMatch(/^error DATA_DIR_UNUSABLE/);
      expect(code).toBe(1);
    },
  );

  it('no Docker: a plain warning, and the run happens on this machine', { timeout: minute }, async () => {
    const folder = join(await temporaryFolder(), 'data');
    const { code, output } = await runProgram(['local', '--data-dir', folder, ...anyPort, '--once'], {
      DOCKER_HOST: `unix://${folder}/no.sock`,
    });
    expect(output).toMatch(/! No container engine answers .* Runs start as processes of this machine/);
    expect(output).toMatch(/FINISHED/);
    expect(code).toBe(0);
  });

  it('no Git: a plain line, and the example runs all the same', { timeout: minute }, async () => {
    const folder = await temporaryFolder();
    const tools = join(folder, 'bin');
    await mkdir(tools);
    for (const tool of [
      'sh',
      'cat',
      'sleep',
      'mkdir',
      'date',
      'ls',
      'cp',
      'rm',
      'sed',
      'grep',
      'wc',
      'tr',
      'cmp',
      'diff',
    ]) {
      await writeFile(join(tools, tool), `#!/bin/sh\nexec /bin/${tool} "$@"\n`, { mode: 0o755 });
    }
    const { output, code } = await runProgram(local(join(folder, 'data'), '--once'), { PATH: tools });
    expect(output).toMatch(/! Git is not installed/);
    expect(code).toBe(0);
  });
});

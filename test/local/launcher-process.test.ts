import { join } from 'node:path';
import { readFile } from 'node:fs/promises';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { noteworthy, startLauncher } from '../../control-plane/local/launcher-process.js';
import { temporaryFolder } from '../cli/support/folder.js';

/** A child that runs `script` in node, with what was seen of it. */
async function start(script: string) {
  const lines: string[] = [];
  const ends: { how: string; again: boolean }[] = [];
  const logFile = join(await temporaryFolder(), 'launcher.log');
  const launcher = startLauncher(
    { program: process.execPath, args: ['-e', script], environment: process.env, logFile },
    {
      onLine: (line) => lines.push(line),
      onBroken: (how, again) => ends.push({ how, again }),
    },
  );
  onTestFinished(() => launcher.stop());
  const until = (text: string) =>
    vi.waitFor(
      () => {
        expect(lines).toContain(text);
      },
      { timeout: 10_000 },
    );
  return { launcher, lines, ends, logFile, until };
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    // ESRCH: there is no such process, which is what is asked.
    return false;
  }
}

describe('a launcher process', () => {
  it('is ended by a SIGTERM and its whole output is kept', async () => {
    const { launcher, until, logFile, ends } = await start("console.log('up'); setInterval(() => {}, 1000)");
    await until('up');
    await launcher.stop();
    expect(await readFile(logFile, 'utf8')).toBe('up\n');
    expect(ends).toEqual([]);
  });

  it('gets a second SIGTERM for the run that it would finish first', async () => {
    const { launcher, until, lines } = await start(
      "let n = 0; process.on('SIGTERM', () => { console.log('term', ++n); if (n === 2) process.exit(0) }); console.log('up'); setInterval(() => {}, 1000)",
    );
    await until('up');
    await launcher.stop();
    expect(lines).toEqual(['up', 'term 1', 'term 2']);
  });

  it('is started again after it broke', async () => {
    const { lines, ends } = await start(
      "console.log('up'); setTimeout(() => process.kill(process.pid, 'SIGKILL'), 50)",
    );
    await vi.waitFor(
      () => {
        expect(lines.filter((line) => line === 'up').length).toBeGreaterThan(1);
      },
      { timeout: 10_000 },
    );
    expect(ends[0]).toEqual({ how: 'SIGKILL', again: true });
  });

  it('is not started again when its settings are wrong', async () => {
    const { ends } = await start('process.exit(2)');
    await vi.waitFor(
      () => {
        expect(ends).toEqual([{ how: 'exit code 2', again: false }]);
      },
      { timeout: 10_000 },
    );
  });

  it('is told to end, without a wait, when this process ends at once', async () => {
    const { launcher, lines, until } = await start(
      "console.log(String(process.pid)); console.log('up'); setInterval(() => {}, 1000)",
    );
    await until('up');
    launcher.abandon();
    await vi.waitFor(() => {
      expect(isAlive(Number(lines[0]))).toBe(false);
    });
  });
});

describe('a line of a launcher', () => {
  it.each([
    ['{"level":30,"msg":"connected"}', undefined],
    ['{"level":40,"msg":"the engine is slow"}', 'the engine is slow'],
    ['Error: plain text', 'Error: plain text'],
    ['{not json', '{not json'],
    ['', undefined],
  ])('%s is shown as %s', (line, shown) => {
    expect(noteworthy(line)).toBe(shown);
  });
});

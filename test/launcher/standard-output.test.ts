// Where the launcher's own log goes may be full; its runs go on.
import { execFileSync } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { describe, expect, it } from 'vitest';
import { writeOut } from '../../launcher/standard-output.js';
import { available, hasProgram } from '../support/skips.js';
import { temporaryFolder } from '../support/temporary.js';

const module = fileURLToPath(new URL('../../launcher/standard-output.ts', import.meta.url));

/** Gives the program a pipe that never waits, as some supervisors do, and reads it slowly. */
const slowReader = `
import fcntl, os, subprocess, sys, time
r, w = os.pipe()
fcntl.fcntl(w, fcntl.F_SETFL, fcntl.fcntl(w, fcntl.F_GETFL) | os.O_NONBLOCK)
program = subprocess.Popen(sys.argv[1:], stdout=w)
os.close(w)
while True:
    part = os.read(r, 65536)
    if not part: break
    sys.stdout.buffer.write(part)
    time.sleep(0.001)
sys.exit(program.wait())
`;

describe('standard output', () => {
  it('loses what a full disk does not take, and throws nothing', () => {
    // As a log file on a disk without room: every write ends with ENOSPC (full(4)).
    const full = openSync('/dev/full', 'w');
    try {
      expect(() => {
        writeOut('a line\n', full);
      }).not.toThrow();
    } finally {
      closeSync(full);
    }
  });

  it.skipIf(!available('a pipe that never waits', hasProgram('python3', '-V'), 'no python3'))(
    'loses nothing, and keeps the order, when a pipe takes only a part of a line',
    async () => {
      const program = join(await temporaryFolder(), 'program.mjs');
      const line = (number: number) => `${String(number)} ${'x'.repeat((number * 37) % 20_000)}\n`;
      const contents = `import { writeOut } from ${JSON.stringify(module)};
        const line = ${line.toString()};
        for (let number = 0; number < 1000; number += 1) writeOut(line(number));`;
      await build({
        stdin: { contents, loader: 'ts', resolveDir: '.' },
        outfile: program,
        bundle: true,
        format: 'esm',
        platform: 'node',
      });
      const out = execFileSync('python3', ['-c', slowReader, process.execPath, program], {
        maxBuffer: 64e6,
        encoding: 'utf8',
      });
      expect(out === Array.from({ length: 1000 }, (_, number) => line(number)).join('')).toBe(true);
    },
  );

  it('loses what nobody reads any more', () => {
    expect(() => {
      writeOut('a line\n', 9999);
    }).not.toThrow();
  });
});

// How soon a launcher is IDLE, and what it holds in memory then.
import type { ChildProcess } from 'node:child_process';
import { execFileSync } from 'node:child_process';
import { elapsed } from './clock.js';
import { figure, type Figure } from './figure.js';
import { startPlane } from './support/plane.js';
import { ended, memoryOf } from './support/server.js';

const rounds = 9;

function registered(launcher: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    let output = '';
    launcher.stdout?.on('data', (chunk: Buffer) => {
      output += chunk.toString();
      if (output.includes('Registered at')) resolve();
    });
    launcher.once('exit', () => {
      reject(new Error(`the launcher ended: ${output}`));
    });
  });
}

export async function bench(): Promise<Figure[]> {
  const plane = await startPlane();
  try {
    const starts: number[] = [];
    const bare: number[] = [];
    const memory: number[] = [];
    for (let round = 0; round < rounds; round += 1) {
      let launcher: ChildProcess | undefined;
      starts.push(
        await elapsed(async () => {
          launcher = await plane.startLauncher({ POOLWRIGHT_EXECUTOR: 'host' });
          await registered(launcher);
        }),
      );
      await new Promise((done) => setTimeout(done, 1500));
      memory.push((await memoryOf(launcher?.pid)) / 1e6);
      if (launcher !== undefined) await ended(launcher, 'SIGKILL');
      bare.push(await elapsed(() => execFileSync(process.execPath, ['-e', '0'])));
    }
    return [
      figure({
        name: 'launcher start → IDLE',
        unit: 'ms',
        samples: starts,
        reference: { what: 'node -e 0', samples: bare },
        goal: { of: 'value', atMost: 400 },
      }),
      figure({
        name: 'launcher idle memory',
        unit: 'MB',
        samples: memory,
        goal: { of: 'value', atMost: 70 },
      }),
    ];
  } finally {
    await plane.close();
  }
}

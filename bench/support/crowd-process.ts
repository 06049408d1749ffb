// Starts a crowd of simulated workers and waits until all are registered.
import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Plane } from './plane.js';
import { ended } from './server.js';

export interface Crowd {
  readonly process: ChildProcess;
  close(): Promise<void>;
}

/** `onFinished` gets the id of each run that a worker of the crowd has finished. */
export async function startCrowd(
  plane: Pick<Plane, 'token' | 'privateKey'>,
  count: number,
  onFinished: (run: string) => void = () => undefined,
): Promise<Crowd> {
  const child = spawn(process.execPath, [fileURLToPath(new URL('support/crowd.js', import.meta.url))], {
    env: { CROWD_TOKEN: plane.token, CROWD_KEY: plane.privateKey, CROWD_COUNT: String(count) },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await new Promise<void>((resolve, reject) => {
    child.once('exit', (code) => {
      reject(new Error(`the simulated workers ended with exit code ${String(code)}`));
    });
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (line === 'ready') resolve();
      else onFinished(line.replace('finished ', ''));
    });
  });
  return { process: child, close: () => ended(child, 'SIGKILL') };
}
